"""Upgrades a stack, or rolls it back: marks each stage in the config, does it, waits for it and proves it.

To resume one that was killed, begin it again: the mark names both versions and the stage.
"""

from __future__ import annotations

import time
from typing import Final

from automation.backups import backup
from automation.cluster import client
from automation.engine.events import EventKind, OnEvent
from automation.errors import (
    AirflowRequestFailed,
    AutomationError,
    Interrupted,
    NotHealthy,
    UpgradeRefused,
    UpgradeStopped,
)
from automation.recovery.recover import resumed_update, wait_until_healthy
from automation.results import Changes
from automation.stacks.config import Keep
from automation.stacks.plain_values import write_values
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config
from automation.stacks.verify_stack import verified_stack
from automation.stages.result import DoneStage
from automation.stages.under_way import others_under_way
from automation.upgrade.planning import Planning
from automation.upgrade.result import Upgrade, UpgradePlan
from automation.upgrade.stages import UpgradeAction, UpgradeStage
from automation.verification.verify import airflow_api
from automation.wait import wait_for
from settings.upgrade import AirflowImage, UpgradeMark

_INTERVAL_SECONDS: Final = 3.0


def upgrade_plan(
    session: Session, verb: str, image: AirflowImage | None, on_event: OnEvent, chart: str | None = None
) -> UpgradePlan:
    """See `Environment.upgrade_plan` and `Environment.rollback_plan`. image, chart: what was asked for."""
    return _UpgradeRun.of(session, verb, image, chart, on_event).plan()


def upgrade(
    session: Session,
    verb: str,
    image: AirflowImage | None,
    timeout_seconds: float,
    keep: Keep,
    on_event: OnEvent,
    chart: str | None = None,
) -> Upgrade:
    """See `Environment.upgrade` and `Environment.rollback`. image, chart: what was asked for."""
    return _UpgradeRun.of(session, verb, image, chart, on_event).done(timeout_seconds, keep)


class _UpgradeRun(Planning):
    """One run of the verb, with what it changes."""

    def done(self, timeout_seconds: float, keep: Keep) -> Upgrade:
        """Do every stage that is left."""
        started, target = time.monotonic(), self.target
        plan = self.plan()
        if plan.refusals:
            raise UpgradeRefused(self.stack, target.verb, plan.refusals)
        for note in (*plan.notes, *(f"locks a table: {lock}" for lock in plan.locks)):
            self.note(note)
        done: list[DoneStage] = []
        if target.first == 1 and not self.is_needless(target.stages[0]):
            done.append(self._told_done(1, time.monotonic() - started, Changes({})))
        for number, stage in enumerate(target.stages, 1):
            if number < max(target.first, 2) or self.is_needless(stage):
                continue
            self.note(f"stage {number} of {len(target.stages)}: {stage.text}")
            begun = time.monotonic()
            try:
                changes = self._do(stage, number, timeout_seconds, keep)
            except Interrupted:
                self._put_back(stage, keep)
                raise
            except UpgradeRefused:
                raise  # another run is at work: nothing here is this one's to put back
            except AutomationError as error:
                raise self._stopped(error, stage, number, keep) from None
            done.append(self._told_done(number, time.monotonic() - begun, changes))
            self.session.cancellation.record(f"stage {number} of the {target.verb}", self._again)
            self.session.cancellation.raise_if_cancelled()
        with self.session.open_for_update(target.verb, self.on_event) as opened:
            change_config(self.session, opened, {"upgrade": None})
            self.session.keep_settings(keep)
        return Upgrade(plan=plan, stages=tuple(done), seconds=round(time.monotonic() - started, 1))

    def _do(self, stage: UpgradeStage, number: int, timeout_seconds: float, keep: Keep) -> Changes:
        target = self.target
        values = {"upgrade": str(target.mark(number))}
        if stage.doing is UpgradeAction.UPDATE:
            values |= self.values(target.after)
        with self.session.open_for_update(target.verb, self.on_event):
            self._require_alone()
            write_values(self.session, values)
            self.mark = values["upgrade"]
            self.session.forget_opened()
            self.session.keep_settings(keep)
        self.session.cancellation.record("the config was changed", self._again)
        changes = Changes({})
        # A worker that is ending may take so long for its tasks.
        seconds = timeout_seconds + self.session.config().worker_grace_seconds
        if stage.doing is UpgradeAction.BACK_UP:
            made = backup(self.session, self.on_event).backup
            self.note(f"the backup is {made.name} ({made.bytes} bytes)")
        elif stage.doing is UpgradeAction.PAUSE:
            self.cluster.pause()
            if self.drains:
                self._drain(seconds)
        elif stage.doing is UpgradeAction.DOWNGRADE:
            self.cluster.downgrade(target.newer.tag, target.after.airflow)
        elif stage.doing is UpgradeAction.UPDATE:
            changes = resumed_update(self.session, target.verb, timeout_seconds, self.on_event).changes
            self.cluster.resume()
            self.cluster.until_updated(target.after.tag, seconds)
            wait_until_healthy(self.session, timeout_seconds)
        else:
            verified_stack(self.session, timeout_seconds, self.on_event, "repair that")
        return changes

    def _require_alone(self) -> None:
        """Raise UpgradeRefused if another run, of any verb, has written its mark since this one looked."""
        others = others_under_way(self.stack, self.session.config(), "upgrade")
        if others:
            raise UpgradeRefused(self.stack, self.target.verb, others)
        found = self.session.config().upgrade
        if found != self.mark:
            what = UpgradeMark.of(found).told(self.stack) if found else "none"
            raise UpgradeRefused(
                self.stack,
                self.target.verb,
                (
                    f"airflow:upgrade: expected what this run found or wrote, found {what}: another run is at work, or "
                    f"has ended meanwhile. Fix: let it end; then python -m automation status {self.stack}",
                ),
            )

    def _drain(self, seconds: float) -> None:
        """Wait until no task runs. Raises NotHealthy."""
        api = airflow_api(self.deployment, client.KubeClient(*self._place()))
        # The executor of Kubernetes is stopped with the scheduler: what it has queued begins after the upgrade.
        states = ("running",) if self.deployment.kubernetes else ("running", "queued")

        def left() -> int:
            try:
                count = api.tasks_in(states)
            except AirflowRequestFailed:
                count = -1  # the API server rolls
            if count:
                self.session.events(self.target.verb, self.on_event).tell(
                    EventKind.WAITING, f"waiting: {count} tasks run" if count > 0 else "waiting for the API server"
                )
            return count

        clock = self.session.cancellation.clock(self.session.cancellation.raise_if_cancelled)
        count = wait_for(left, lambda found: not found, seconds=seconds, interval=_INTERVAL_SECONDS, clock=clock)
        if count < 0:
            raise NotHealthy(
                "the API server did not say which tasks run", "python -m automation status STACK; then run it again"
            )
        if count:
            raise NotHealthy(
                f"{count} tasks still run after {seconds:.0f} s", "let them end, or give a longer --timeout"
            )

    def _put_back(self, stage: UpgradeStage, keep: Keep) -> str:
        """Start again what was stopped, if the database is still as it was. Return what became of it, in words."""
        if stage.doing is UpgradeAction.UPDATE and self.migrates is None:
            return "; what an earlier run has stopped stays stopped until this is done"
        if self.migrates is not True or stage.doing in (UpgradeAction.BACK_UP, UpgradeAction.VERIFY):
            return ""
        try:
            if stage.doing is not UpgradeAction.PAUSE and self.cluster.revision() != self.revision:
                return "; the database has changed, or does not tell: what was stopped waits for the new image"
            if stage.doing is UpgradeAction.UPDATE:
                self._begin_anew(keep)
            self.cluster.resume()
        except AutomationError:
            return "; what was stopped could not be started again"
        return "; the database has not changed, and what was stopped runs again"

    def _begin_anew(self, keep: Keep) -> None:
        """Let the next run begin with the trial: before a migration, what runs again must be stopped again.

        Without the engine, because after a cancel nothing can be opened.
        """
        if self.session.config().upgrade == self.mark:
            self.mark = str(self.target.mark(1))
            write_values(self.session, {"upgrade": self.mark, **self.values(self.target.before)})
            self.session.forget_opened()
            self.session.keep_settings(keep)

    def _stopped(self, error: AutomationError, stage: UpgradeStage, number: int, keep: Keep) -> UpgradeStopped:
        target, put_back = self.target, self._put_back(stage, keep)
        back = f", or go back: python -m automation rollback {self.stack}"
        if target.verb == "rollback":
            back = f"{back} --restore, with a backup" if stage.doing is UpgradeAction.DOWNGRADE else ""
        failed = f"stage {number} of {len(target.stages)} of the {target.verb} failed"
        then = f"{target.mark(number).command(self.stack)} continues it{back}"
        if error.listed:  # each with its own remedy, on a line of its own
            return UpgradeStopped(f"{failed}{put_back}: {error}", then)
        return UpgradeStopped(f"{failed}: {error.what}{put_back}", f"{error.remedy}; {then}")

    def _told_done(self, number: int, seconds: float, changes: Changes) -> DoneStage:
        stage = self.target.stages[number - 1]
        self.note(f"stage {number} of {len(self.target.stages)} is done and proved ({seconds:.0f} s)")
        return DoneStage(number=number, text=stage.text, seconds=round(seconds, 1), changes=changes)

    def _place(self) -> tuple[str, str]:
        return self.deployment.kube_context, self.deployment.namespace

    @property
    def _again(self) -> str:
        return f"{self.target.mark(1).command(self.stack)} continues it"
