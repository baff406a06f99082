"""What an upgrade or a rollback would do: the target, what a pod of the newer image finds, and the stages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import compatibility
from automation.backups import backs_up
from automation.cluster.deployment import Deployment
from automation.engine import operations
from automation.engine.events import EventKind, OnEvent
from automation.engine.stack_state import StackState
from automation.errors import NotHealthy
from automation.folder import short_name
from automation.stacks import updates
from automation.stacks.cluster_tag import require_its_cluster
from automation.stacks.plain_values import check_values
from automation.stacks.roll_image import refuse_digest
from automation.stacks.session import Session
from automation.stages.result import PlannedStage
from automation.stages.under_way import not_running, others_under_way
from automation.upgrade import trial
from automation.upgrade.chart import Charts, charts
from automation.upgrade.in_cluster import UpgradeCluster
from automation.upgrade.result import UpgradePlan
from automation.upgrade.stages import UpgradeAction, UpgradeStage
from automation.upgrade.target import Target, earlier_image, rollback_target, upgrade_target
from automation.upgrade.trial import Trial
from settings.upgrade import AirflowImage, UpgradeMark, named

_UPDATES: Final = 5
"""How many of the last updates an estimate is made of."""
EARLIER: Final = 100
"""How many of the last updates are searched for an earlier image."""
_NO_BACKUP: Final = (
    "no backup is made, because the stack has no place for one (airflow:backupStorageGib, or airflow:backupStore "
    "bucket): make one before you upgrade"
)


@dataclass
class Planning:
    """One run of the verb: what it is to bring about, and what it would do."""

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
    charts: Charts
    migrates: bool | None = None
    """Whether the database changes; None until it was looked at."""
    drains: bool = False
    """Whether no task may run meanwhile."""
    revision: str = ""
    """Migration that the database was at."""
    mark: str = ""
    """The mark in the config that this run has found, or has written last."""
    found: UpgradePlan | None = field(default=None)

    @classmethod
    def of(cls, session: Session, verb: str, image: AirflowImage | None, chart: str | None, on_event: OnEvent) -> Self:
        """Find out what goes where. Raises StackUnknown, SettingsInvalid."""
        config, stack = session.reached_config(), short_name(session.name)
        refuse_digest(session.name, config)
        with session.open_for_reading(verb) as opened:
            require_its_cluster(session, opened)
            outputs = operations.stack_outputs(opened)
            history = operations.history(opened, EARLIER)
            state = operations.deployment(opened)
            both = charts(state, history)
        deployment = Deployment.of(outputs)
        present = AirflowImage(tag=config.image_tag, airflow=config.airflow_version)
        mark = UpgradeMark.of(config.upgrade) if config.upgrade else None
        if verb == "upgrade":
            deployed = StackState.of(state).image.rpartition(":")[2]
            target = upgrade_target(stack, present, deployed, image, mark, both)
            wrong = both.refusals(chart, "run this again") if chart else ()
            target = replace(target, refusals=wrong or target.refusals)
        else:
            earlier = None if mark or both.to_older else earlier_image(history, present)
            target = rollback_target(stack, present, image or earlier, mark, both)
        refusals = (
            *others_under_way(stack, config, "upgrade"),
            *not_running(stack, (config.running, deployment.running), "a DAG runs at the end"),
        )
        target = replace(target, refusals=(*target.refusals, *refusals))
        teller = session.events(verb, on_event)
        return cls(
            session=session,
            stack=stack,
            target=target,
            deployment=deployment,
            cluster=UpgradeCluster(
                *session.cluster(),
                session.cancellation.clock(session.cancellation.raise_if_cancelled),
                lambda line: teller.tell(EventKind.WAITING, line),
                lambda text: session.masker.text(text),  # which learns more
            ),
            seconds=updates.usual_seconds([updates.history_entry(record) for record in history[:_UPDATES]]),
            on_event=on_event,
            backs_up=backs_up(session),
            charts=both,
            mark=config.upgrade,
        )

    def plan(self) -> UpgradePlan:
        """Return what would be done. The image is tried in a pod, unless the update was begun already."""
        target = self.target
        if target.refusals:
            return self._plan(refusals=target.refusals)
        check_values(self.session, self.values(target.after))
        if target.first > 1:
            return self._plan()
        if target.keeps_image:
            return self._of_the_chart()
        self.note(f"stage 1 of {len(target.stages)}: {target.stages[0].text}")
        found = self._tried() if target.verb == "upgrade" else self._way_back()
        self.found = found
        return found

    def _of_the_chart(self) -> UpgradePlan:
        """Return the plan for the same image: the database does not change, and there is no image to try."""
        self.migrates = False
        return self._plan(
            notes=(*self._of_a_backup(), *self._way_back_of_the_chart()),
            refusals=compatibility.refusals(self.target.after.airflow, self.cluster.version()),
        )

    def _tried(self) -> UpgradePlan:
        kubernetes, after = self.cluster.version(), self.target.after
        before, new = self.cluster.try_image(after.tag)
        self._learn(new, drains=bool(new.drains))
        if not new.done:
            raise NotHealthy(
                "the trial of the new image ended early: its Airflow, or the code of a DAG, ended the process",
                f"try the image by itself: docker run --rm IMAGE:{after.tag} version; then run this again",
            )
        if new.commits:
            self.note(f"the DAGs are those of {', '.join(new.commits)}")
        return self._plan(
            notes=(
                *(f"tasks end first, because of this statement: {each}" for each in new.drains),
                *trial.notes(before, new, after, kubernetes),
                *self._of_a_backup(),
                *self._way_back_of_the_chart(),
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

    def _of_a_backup(self) -> tuple[str, ...]:
        back_up = next((stage for stage in self.target.stages if stage.doing is UpgradeAction.BACK_UP), None)
        return (_NO_BACKUP,) if back_up and self._matters(back_up) and not self.backs_up else ()

    def _way_back_of_the_chart(self) -> tuple[str, ...]:
        target = self.target
        if target.charts is None or target.verb != "upgrade":
            return ()
        back = self.charts.command_to(target.charts[0])
        return (
            f"python -m automation report --base REVISION names what chart {target.charts[1]} rolls, and each field "
            f"that Kubernetes never changes; the way back: {back}; python -m automation rollback {self.stack}",
        )

    def _learn(self, found: Trial, *, drains: bool) -> None:
        self.migrates, self.revision, self.drains = found.migrates, found.revision, drains

    def _plan(self, **more: Any) -> UpgradePlan:
        target = self.target
        before, after = named(target.before, target.after, target.charts)
        stages = tuple(
            PlannedStage(
                text=stage.text,
                rolls=stage.rolls,
                seconds=self.seconds if stage.doing is UpgradeAction.UPDATE else None,
                done=number < target.first,
            )
            for number, stage in enumerate(target.stages, 1)
            if not self.is_needless(stage)
        )
        return UpgradePlan(
            stack=self.stack,
            verb=target.verb,
            before=before,
            after=after,
            resumed=target.resumed,
            migrates=self.migrates,
            stages=stages,
            **more,
        )

    def is_needless(self, stage: UpgradeStage) -> bool:
        return not self._matters(stage) or (stage.doing is UpgradeAction.BACK_UP and not self.backs_up)

    def _matters(self, stage: UpgradeStage) -> bool:
        """Return whether a stage has something to do. A chart touches no data; its backup is for the unforeseen."""
        if stage.doing is UpgradeAction.TRY:
            return not self.target.keeps_image
        if stage.doing is UpgradeAction.BACK_UP and self.target.charts is not None:
            return True
        return not stage.only_migrating or self.migrates is not False

    def note(self, text: str) -> None:
        self.session.events(self.target.verb, self.on_event).note(text)

    @staticmethod
    def values(image: AirflowImage) -> dict[str, str]:
        return {"imageTag": image.tag, "airflowVersion": image.airflow}
