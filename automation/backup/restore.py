"""Restores a backup in stages: finds the next stage, does it and proves it, until all are done.

To resume a restore that was killed, begin it again: the mark in the config names the backup, and the facts say how far
it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from automation.backup import restoring
from automation.backup.backup import chosen_backup
from automation.backup.jobs import BackupJobs, Databases, deployed_outputs
from automation.backup.restoring import (
    ID_FORMAT,
    VERB,
    AirflowFacts,
    RestoreAction,
    RestoreOrder,
    RestoreRun,
    must_continue,
)
from automation.backup.result import Restored, RestorePlan
from automation.backup.stages import DumpFacts, DumpStage, database_name, restore_stages
from automation.engine.events import ignore
from automation.errors import BackupFailed
from automation.results import Changes
from automation.stacks.session import Session
from components.chart_values.running import Running
from components.database.container import NAME
from settings.restoration import Restoration


class _ClusterFacts(AirflowFacts):
    def __init__(self, session: Session, found: Mapping[str, Any], jobs: BackupJobs) -> None:
        super().__init__(session, found)
        self._jobs = jobs

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
    jobs = BackupJobs(session, found, VERB, ignore)
    restoration, resumed = _restoration(session, jobs, name, at)
    facts = _ClusterFacts(session, found, jobs)
    # A restore starts a stopped container database. One that does not run holds nothing from a restore.
    facts.databases = _databases(facts, jobs) or Databases(own=NAME, comments={})
    return _plan(session, restoration, resumed, facts)


def restore(session: Session, order: RestoreOrder) -> Restored:
    """See `backups.restore`."""
    started, found = time.monotonic(), deployed_outputs(session, VERB)
    jobs = BackupJobs(session, found, VERB, order.on_event)
    jobs.end_left_over()
    restoration, resumed = _restoration(session, jobs, order.name, order.at)
    planned = restore_stages(restoration)
    run = _DumpRestore(
        session=session, restoration=restoration, planned=planned, order=order, started=started, jobs=jobs
    )
    run.begin()
    if _databases(_ClusterFacts(session, found, jobs), jobs) is None:
        # A container database of a stopped stack does not run before an update with the mark.
        run.update()
    return run.done(_plan(session, restoration, resumed, run.facts()))


@dataclass(kw_only=True)
class _DumpRestore(RestoreRun[DumpFacts]):
    restoration: Restoration
    jobs: BackupJobs

    def facts(self) -> _ClusterFacts:
        return _ClusterFacts(self.session, deployed_outputs(self.session, VERB), self.jobs)

    @property
    def changes_without_mark(self) -> bool:
        return self.restoration.running is Running.STOPPED  # a container database stops again

    def do(self, stage: DumpStage) -> Changes:
        if stage.doing is RestoreAction.STOP:
            self.write({"running": Running.STOPPED.value})
            return self.update()
        own, id_ = self.facts().name, self.restoration.id
        new = database_name(own, "new", id_)
        if stage.doing is RestoreAction.RESTORE:
            self.jobs.restore(self.restoration.backup, new, self.restoration.comment)
        else:
            self.jobs.swap(new, database_name(own, "old", id_))
        return Changes({})


def _restoration(session: Session, jobs: BackupJobs, name: str | None, at: datetime | None) -> tuple[Restoration, bool]:
    """Return the restore that is under way, or a new one. Raises BackupFailed."""
    config = session.config()
    if config.restore:
        mark = Restoration.of(config.restore)
        must_continue(session, name, at, begun=mark.backup, source=mark.backup)
        return mark, True
    backup = chosen_backup(jobs.backups(), name, at)
    running = Running(config.running or Running.ALL)
    return Restoration(id=datetime.now(UTC).strftime(ID_FORMAT), backup=backup, running=running), False


def _plan(session: Session, restoration: Restoration, resumed: bool, facts: _ClusterFacts) -> RestorePlan:
    return restoring.restore_plan(
        session,
        restore_stages(restoration),
        facts,
        backup=restoration.backup,
        old_database=database_name(facts.name, "old", restoration.id),
        resumed=resumed,
    )


def _databases(facts: _ClusterFacts, jobs: BackupJobs) -> Databases | None:
    """Return the databases, None while they do not run. Raises BackupFailed if they must run and do not answer."""
    try:
        return jobs.databases()
    except BackupFailed:
        if facts.running is not Running.STOPPED:
            raise
        return None
