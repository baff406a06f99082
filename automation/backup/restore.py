"""Restore of a backup: the next stage is found, done and proved, until none lacks anything.

A restore that was killed is resumed by beginning it again: the mark in the config names the backup, and the facts say
how far it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

import outputs
from automation.backup.backup import chosen_backup
from automation.backup.jobs import BackupJobs, Databases, deployed_outputs
from automation.backup.result import Restored, RestorePlan, RestoreStage
from automation.backup.stages import Doing, Stage, database_name, next_stage, restore_stages
from automation.cluster.client import cluster_errors
from automation.engine.events import EventKind, OnEvent
from automation.errors import BackupFailed, NotHealthy
from automation.folder import short_name
from automation.recovery.recover import resumed_update, wait_until_healthy
from automation.stacks.config import Keep
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config
from automation.stacks.verify_stack import verify_stack
from automation.verification.result import Status, Verification
from automation.wait import wait_for
from components.kube.workload_states import owner
from components.release.running import Running
from settings.restoration import Restoration

VERB: Final = "restore"
_AIRFLOW: Final = {"tier": "airflow", "release": "airflow"}
_ENDED: Final = ("Succeeded", "Failed")
_INTERVAL_SECONDS: Final = 3.0
_ID: Final = "%Y%m%d%H%M%S"


class _ClusterFacts:
    """The `Facts` of a deployment, each looked up once: make another one to look again."""

    def __init__(self, session: Session, found: Mapping[str, Any], jobs: BackupJobs) -> None:
        self._session, self._jobs = session, jobs
        self.running = Running(found.get(outputs.RUNNING) or Running.ALL)

    @cached_property
    def pods(self) -> tuple[str, ...]:
        with cluster_errors():
            api, namespace = self._session.cluster()
            pods = api.items("v1", "Pod", namespace, labels=_AIRFLOW)
        # Pods of single tasks end by themselves, and write only through the API server.
        return tuple(
            pod["metadata"]["name"]
            for pod in pods
            if (pod.get("status") or {}).get("phase") not in _ENDED and owner(pod)[1]
        )

    @cached_property
    def databases(self) -> Databases:
        return self._jobs.databases()

    @property
    def comments(self) -> Mapping[str, str]:
        return self.databases.comments

    @property
    def name(self) -> str:
        return self.databases.own


def restore_plan(session: Session, name: str | None, at: datetime | None) -> RestorePlan:
    """See `Environment.restoration`."""
    found = deployed_outputs(session, VERB)
    jobs = BackupJobs(session, found, VERB)
    restoration, resumed = _restoration(session, jobs, name, at)
    return _plan(session, restoration, resumed, _ClusterFacts(session, found, jobs))


def restore(
    session: Session,
    name: str | None,
    at: datetime | None,
    timeout_seconds: float,
    keep: Keep,
    on_event: OnEvent,
) -> Restored:
    """See `Environment.restore`."""
    started, teller = time.monotonic(), session.events(VERB, on_event)
    jobs = BackupJobs(session, deployed_outputs(session, VERB), VERB)
    jobs.end_left_over()
    restoration, resumed = _restoration(session, jobs, name, at)
    stages, done = restore_stages(restoration), list[RestoreStage]()
    _write(session, {"restore": str(restoration)}, keep)
    if not _database_answers(session, jobs):
        # A container database of a stopped stack does not run before an update with the mark.
        resumed_update(session, VERB, timeout_seconds, on_event)
    plan = _plan(session, restoration, resumed, _facts(session, jobs))
    last, verification = 0, Verification(())
    while (found := next_stage(stages, _facts(session, jobs))) is not None:
        number, stage = found
        if number <= last:
            raise NotHealthy(f"stage {number} was done, and does not hold any more", _again(session))
        teller.note(f"stage {number} of {len(stages)}: {stage.text}")
        begun = time.monotonic()
        if stage.doing is not Doing.START:
            _do(session, jobs, restoration, stage, timeout_seconds, keep, on_event)
        else:
            verification = _start(session, restoration, timeout_seconds, keep, on_event)
        last, seconds = number, round(time.monotonic() - begun, 1)
        done.append(RestoreStage(text=stage.text, done=True, seconds=seconds))
        teller.note(f"stage {number} of {len(stages)} is done and proved ({seconds:.0f} s)")
        session.cancellation.record(f"stage {number} of the restore", _again(session))
        session.cancellation.raise_if_cancelled()
    if not verification.checks:
        verification = _start(session, restoration, timeout_seconds, keep, on_event)
    _write(session, {"restore": None}, keep)
    if restoration.running is Running.STOPPED:
        resumed_update(session, VERB, timeout_seconds, on_event)  # a container database stops again
    return Restored(
        plan=plan, stages=tuple(done), seconds=round(time.monotonic() - started, 1), verification=verification
    )


def _restoration(session: Session, jobs: BackupJobs, name: str | None, at: datetime | None) -> tuple[Restoration, bool]:
    """Return the restore that is under way, or a new one. Raises BackupFailed."""
    config = session.config()
    if config.restore:
        mark = Restoration.of(config.restore)
        if name not in (None, mark.backup) or (name is None and at is not None):
            raise BackupFailed(f"the restore of {mark.backup} is not finished", _again(session))
        return mark, True
    backup = chosen_backup(jobs.backups(), name, at)
    running = Running(config.running or Running.ALL)
    return Restoration(id=datetime.now(UTC).strftime(_ID), backup=backup, running=running), False


def _plan(session: Session, restoration: Restoration, resumed: bool, facts: _ClusterFacts) -> RestorePlan:
    stages = restore_stages(restoration)
    following = next_stage(stages, facts) if resumed else (1, stages[0])
    first = following[0] if following else len(stages) + 1
    return RestorePlan(
        stack=short_name(session.name),
        backup=restoration.backup,
        resumed=resumed,
        stages=tuple(RestoreStage(text=stage.text, done=number < first) for number, stage in enumerate(stages, 1)),
        old_database=database_name(facts.name, "old", restoration.id),
    )


def _do(
    session: Session,
    jobs: BackupJobs,
    restoration: Restoration,
    stage: Stage,
    timeout_seconds: float,
    keep: Keep,
    on_event: OnEvent,
) -> None:
    """Do a stage and prove it. Raises NotHealthy if its postcondition does not come to hold in time."""
    name = _facts(session, jobs).name if stage.doing is not Doing.STOP else ""
    new = database_name(name, "new", restoration.id)
    if stage.doing is Doing.STOP:
        _write(session, {"running": Running.STOPPED.value}, keep)
        resumed_update(session, VERB, timeout_seconds, on_event)
    elif stage.doing is Doing.RESTORE:
        jobs.restore(restoration.backup, new, restoration.comment)
    else:
        jobs.swap(new, database_name(name, "old", restoration.id))
    teller = session.events(VERB, on_event)

    def lacks() -> str:
        session.cancellation.raise_if_cancelled()
        lacking = stage.lacks(_facts(session, jobs))
        if lacking:
            teller.tell(EventKind.WAITING, f"waiting: {lacking}")
        return lacking

    # A worker that is ending may take so long for its tasks.
    seconds = timeout_seconds + session.config().worker_grace_seconds
    clock = session.cancellation.clock()
    lacking = wait_for(lacks, lambda text: not text, seconds=seconds, interval=_INTERVAL_SECONDS, clock=clock)
    if lacking:
        raise NotHealthy(f"the restore is not done: {lacking}", _again(session))


def _start(
    session: Session, restoration: Restoration, timeout_seconds: float, keep: Keep, on_event: OnEvent
) -> Verification:
    """Let run what ran before, and verify it. Raises NotHealthy."""
    running = restoration.running
    _write(session, {"running": None if running is Running.ALL else running.value}, keep)
    resumed_update(session, VERB, timeout_seconds, on_event)
    wait_until_healthy(session, timeout_seconds)
    verification = verify_stack(session, None, timeout_seconds, on_event)
    if not verification.ok:
        failed = [f"{check.name}: {check.detail}" for check in verification.checks if check.status is Status.FAILED]
        raise NotHealthy(f"the restored stack is not verified: {'; '.join(failed)}", _again(session))
    return verification


def _write(session: Session, changed: Mapping[str, Any], keep: Keep) -> None:
    """Write down what the next stage needs, before anything uses it."""
    with session.open_for_update(VERB, lambda event: None, create=False) as opened:
        values = {key: value for key, value in changed.items() if value is not None or getattr(session.config(), key)}
        if values:
            change_config(session, opened, values)
    session.keep_settings(keep)
    session.cancellation.record("the config was changed", _again(session))


def _database_answers(session: Session, jobs: BackupJobs) -> bool:
    """Return whether the database can be asked. Raises BackupFailed if it cannot, though the stack is not stopped."""
    stopped = deployed_outputs(session, VERB).get(outputs.RUNNING) == Running.STOPPED.value
    try:
        jobs.databases()
    except BackupFailed:
        if not stopped:
            raise
        return False
    return True


def _facts(session: Session, jobs: BackupJobs) -> _ClusterFacts:
    """Return the facts as they are now."""
    return _ClusterFacts(session, deployed_outputs(session, VERB), jobs)


def _again(session: Session) -> str:
    return f"python -m automation restore {session.name} continues it"
