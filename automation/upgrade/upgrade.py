"""Upgrade and rollback of a stack: each stage is marked in the config, done, waited for and proved.

One that was killed is resumed by beginning it again: the mark says what goes where, and how far it is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

from automation.backup.mechanism import backs_up, backup
from automation.cluster import client
from automation.cluster.deployment import Deployment
from automation.engine import operations
from automation.engine.events import EventKind, OnEvent
from automation.errors import (
    AirflowRequestFailed,
    AutomationError,
    Interrupted,
    NotHealthy,
    UpgradeRefused,
    UpgradeStopped,
)
from automation.folder import short_name
from automation.recovery.recover import resumed_update, wait_until_healthy
from automation.results import Changes
from automation.stacks import updates
from automation.stacks.config import Keep
from automation.stacks.plain_values import check_values, write_values
from automation.stacks.roll_image import refuse_digest
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config
from automation.stacks.verify_stack import verified_stack
from automation.stages.result import DoneStage, PlannedStage
from automation.upgrade import trial
from automation.upgrade.in_cluster import UpgradeCluster
from automation.upgrade.result import Upgrade, UpgradePlan
from automation.upgrade.stages import Doing, Stage
from automation.upgrade.target import Target, earlier_image, rollback_target, upgrade_target
from automation.upgrade.trial import Trial
from automation.verification.verify import airflow_api
from automation.wait import wait_for
from components.release.running import Running
from settings.upgrade import AirflowImage, UpgradeMark

_INTERVAL_SECONDS: Final = 3.0
_UPDATES: Final = 5
"""How many of the last updates an estimate is made of."""
_EARLIER: Final = 100
"""How many of the last updates are searched for an earlier image."""

_NO_BACKUP: Final = (
    "no backup is made, because the stack has no volume for one (airflow:backupStorageGib): make one before you upgrade"
)


def upgrade_plan(session: Session, verb: str, image: AirflowImage | None, on_event: OnEvent) -> UpgradePlan:
    """See `Environment.upgrade_plan` and `Environment.rollback_plan`. image: what was asked for."""
    return _Run.of(session, verb, image, on_event).plan()


def upgrade(
    session: Session, verb: str, image: AirflowImage | None, timeout_seconds: float, keep: Keep, on_event: OnEvent
) -> Upgrade:
    """See `Environment.upgrade` and `Environment.rollback`. image: what was asked for."""
    return _Run.of(session, verb, image, on_event).done(timeout_seconds, keep)


@dataclass
class _Run:
    """One run of the verb."""

    session: Session
    stack: str
    target: Target
    deployment: Deployment
    cluster: UpgradeCluster
    seconds: float | None
    """How long an update usually takes."""
    on_event: OnEvent
    backs_up: bool
    """Whether a backup can be made."""
    migrates: bool | None = None
    """Whether the database changes; None until it was looked at."""
    drains: bool = False
    """Whether no task may run meanwhile."""
    revision: str = ""
    """Migration that the database was at."""
    found: UpgradePlan | None = field(default=None)

    @staticmethod
    def of(session: Session, verb: str, image: AirflowImage | None, on_event: OnEvent) -> _Run:
        """Find out what goes where. Raises StackUnknown, SettingsInvalid."""
        config, stack = session.reached_config(), short_name(session.name)
        refuse_digest(session.name, config)
        with session.open_for_reading(verb) as opened:
            outputs = operations.stack_outputs(opened)
            history = operations.history(opened, _EARLIER)
        deployment = Deployment.of(outputs)
        present = AirflowImage(tag=config.image_tag, airflow=config.airflow_version)
        mark = UpgradeMark.of(config.upgrade) if config.upgrade else None
        if verb == "upgrade":
            assert image is not None
            deployed = str(outputs.get("image", "")).rpartition(":")[2]
            target = upgrade_target(stack, present, deployed, image, mark)
        else:
            target = rollback_target(stack, present, image or earlier_image(history, present), mark)
        if config.running not in ("", Running.ALL):
            refusal = (
                f"airflow:running: expected {Running.ALL}, because a DAG runs at the end, found {config.running}. "
                f"Fix: pulumi config set --stack {session.name} airflow:running {Running.ALL}, and an update"
            )
            target = replace(target, refusals=(*target.refusals, refusal))
        teller = session.events(verb, on_event)
        return _Run(
            session=session,
            stack=stack,
            target=target,
            deployment=deployment,
            cluster=UpgradeCluster(
                *session.cluster(),
                session.cancellation.clock(session.cancellation.raise_if_cancelled),
                lambda line: teller.tell(EventKind.WAITING, line),
            ),
            seconds=updates.usual_seconds([updates.history_entry(record) for record in history[:_UPDATES]]),
            on_event=on_event,
            backs_up=backs_up(session),
        )

    # Asking

    def plan(self) -> UpgradePlan:
        """Return what would be done. The image is tried in a pod, unless the update was begun already."""
        target = self.target
        if target.refusals:
            return self._plan(refusals=target.refusals)
        check_values(self.session, self._values(target.after))
        if target.first > 1:
            return self._plan()
        self._note(f"stage 1 of {len(target.stages)}: {target.stages[0].text}")
        found = self._tried() if target.verb == "upgrade" else self._way_back()
        self.found = found
        return found

    def _tried(self) -> UpgradePlan:
        kubernetes, after = self.cluster.version(), self.target.after
        before, new = self.cluster.try_image(after.tag)
        self._learn(new, drains=bool(new.drains))
        if not new.done:
            raise NotHealthy("the new image ended in the middle of the trial", "look at its Airflow")
        if new.commits:
            self._note(f"the DAGs are those of {', '.join(new.commits)}")
        return self._plan(
            notes=(
                *(f"tasks end first, because of this statement: {each}" for each in new.drains),
                *trial.notes(before, new, after, kubernetes),
                *([_NO_BACKUP] if new.migrates and not self.backs_up else []),
            ),
            locks=new.locks,
            refusals=trial.refusals(before, new, after, self.stack, kubernetes),
        )

    def _way_back(self) -> UpgradePlan:
        target = self.target
        found = self.cluster.way_back(target.newer.tag, target.after.airflow)
        self._learn(found, drains=found.migrates)
        lost = ("what the newer schema alone can hold is lost",) if found.migrates else ()
        return self._plan(notes=lost)

    def _learn(self, found: Trial, *, drains: bool) -> None:
        self.migrates, self.revision, self.drains = found.migrates, found.revision, drains

    def _plan(self, **more: Any) -> UpgradePlan:
        target = self.target
        stages = tuple(
            PlannedStage(
                text=stage.text,
                rolls=stage.rolls,
                seconds=self.seconds if stage.doing is Doing.UPDATE else None,
                done=number < target.first,
            )
            for number, stage in enumerate(target.stages, 1)
            if not self._is_needless(stage)
        )
        return UpgradePlan(
            stack=self.stack,
            verb=target.verb,
            before=str(target.before),
            after=str(target.after),
            resumed=target.resumed,
            migrates=self.migrates,
            stages=stages,
            **more,
        )

    def _is_needless(self, stage: Stage) -> bool:
        if stage.doing is Doing.BACK_UP and not self.backs_up:
            return True
        return stage.only_migrating and self.migrates is False

    # Doing

    def done(self, timeout_seconds: float, keep: Keep) -> Upgrade:
        """Do every stage that is left."""
        started, target = time.monotonic(), self.target
        plan = self.plan()
        if plan.refusals:
            raise UpgradeRefused(self.stack, target.verb, plan.refusals)
        for note in (*plan.notes, *(f"locks a table: {lock}" for lock in plan.locks)):
            self._note(note)
        done: list[DoneStage] = []
        if target.first == 1:
            done.append(self._told_done(1, time.monotonic() - started, Changes({})))
        for number, stage in enumerate(target.stages, 1):
            if number < max(target.first, 2) or self._is_needless(stage):
                continue
            self._note(f"stage {number} of {len(target.stages)}: {stage.text}")
            begun = time.monotonic()
            try:
                changes = self._do(stage, number, timeout_seconds, keep)
            except Interrupted:
                self._put_back(stage)
                raise
            except AutomationError as error:
                raise self._stopped(error, stage, number) from None
            done.append(self._told_done(number, time.monotonic() - begun, changes))
            self.session.cancellation.record(f"stage {number} of the {target.verb}", self._again)
            self.session.cancellation.raise_if_cancelled()
        with self.session.open_for_update(target.verb, self.on_event) as opened:
            change_config(self.session, opened, {"upgrade": None})
            self.session.keep_settings(keep)
        return Upgrade(plan=plan, stages=tuple(done), seconds=round(time.monotonic() - started, 1))

    def _do(self, stage: Stage, number: int, timeout_seconds: float, keep: Keep) -> Changes:
        target = self.target
        values = {"upgrade": str(target.mark(number))}
        if stage.doing is Doing.UPDATE:
            values |= self._values(target.after)
        with self.session.open_for_update(target.verb, self.on_event):
            write_values(self.session, values)
            self.session.forget_opened()
            self.session.keep_settings(keep)
        self.session.cancellation.record("the config was changed", self._again)
        changes = Changes({})
        # A worker that is ending may take so long for its tasks.
        seconds = timeout_seconds + self.session.config().worker_grace_seconds
        if stage.doing is Doing.BACK_UP:
            made = backup(self.session, self.on_event).backup
            self._note(f"the backup is {made.name} ({made.bytes} bytes)")
        elif stage.doing is Doing.PAUSE:
            self.cluster.pause()
            if self.drains:
                self._drain(seconds)
        elif stage.doing is Doing.DOWNGRADE:
            self.cluster.downgrade(target.newer.tag, target.after.airflow)
        elif stage.doing is Doing.UPDATE:
            changes = resumed_update(self.session, target.verb, timeout_seconds, self.on_event).changes
            self.cluster.resume()
            self.cluster.until_updated(target.after.tag, seconds)
            wait_until_healthy(self.session, timeout_seconds)
        else:
            verified_stack(self.session, timeout_seconds, self.on_event, "repair that")
        return changes

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
        if count:
            raise NotHealthy(
                f"{count} tasks still run after {seconds:.0f} s", "let them end, or give a longer --timeout"
            )

    def _put_back(self, stage: Stage) -> str:
        """Start again what was stopped, if the database is still as it was. Return what became of it, in words."""
        if self.migrates is not True or stage.doing in (Doing.BACK_UP, Doing.VERIFY):
            return ""
        try:
            if stage.doing is not Doing.PAUSE and self.cluster.revision() != self.revision:
                return "; the database has changed, or does not tell: what was stopped waits for the new image"
            self.cluster.resume()
        except AutomationError:
            return "; what was stopped could not be started again"
        return "; the database has not changed, and what was stopped runs again"

    def _stopped(self, error: AutomationError, stage: Stage, number: int) -> UpgradeStopped:
        target, put_back = self.target, self._put_back(stage)
        back = f", or go back: python -m automation rollback {self.stack}" if target.verb == "upgrade" else ""
        return UpgradeStopped(
            f"stage {number} of {len(target.stages)} of the {target.verb} failed: {error}{put_back}",
            f"{target.mark(number).command(self.stack)} continues it{back}",
        )

    def _told_done(self, number: int, seconds: float, changes: Changes) -> DoneStage:
        stage = self.target.stages[number - 1]
        self._note(f"stage {number} of {len(self.target.stages)} is done and proved ({seconds:.0f} s)")
        return DoneStage(number=number, text=stage.text, seconds=round(seconds, 1), changes=changes)

    def _note(self, text: str) -> None:
        self.session.events(self.target.verb, self.on_event).note(text)

    def _place(self) -> tuple[str, str]:
        return self.deployment.kube_context, self.deployment.namespace

    @property
    def _again(self) -> str:
        return f"{self.target.mark(1).command(self.stack)} continues it"

    @staticmethod
    def _values(image: AirflowImage) -> dict[str, str]:
        return {"imageTag": image.tag, "airflowVersion": image.airflow}
