"""Restores a managed database: the stack moves to another instance, which is made from a snapshot or a moment.

RDS restores into a new instance only. The mark in the config names both. With it, the program registers the present
instance as retained, so that the engine forgets it and does not delete it, and the new one as made from its source.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from automation.backup import restoring
from automation.backup.restoring import ID_FORMAT, VERB, RestoreAction, RestoreOrder, RestoreRun, again, must_continue
from automation.backup.result import Restored, RestorePlan
from automation.decided import decide
from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.locks import Holder
from automation.engine.stack_state import StackState
from automation.errors import BackupFailed
from automation.folder import short_name
from automation.recovery.aws_creates import INSTANCE
from automation.recovery.recover import resumed_update
from automation.recovery.result import Decisions
from automation.results import Changes
from automation.snapshots.drill import delete_left
from automation.snapshots.facts import INSTANCE_NAME, StateFacts
from automation.snapshots.model import Source, check_snapshot, check_storage, chosen_source, next_identifier, of_stack
from automation.snapshots.rds import Rds
from automation.snapshots.stages import InstanceFacts, InstanceStage, restore_stages
from automation.stacks import updates
from automation.stacks.session import Session
from components.chart_values.running import Running
from components.database.rds_existing import RESTORED_FROM_TAG, made_by
from components.database.rds_settings import Move
from settings.restoration import InstanceRestoration, restoration_of

_UPDATES: Final = 5


def restore_plan(session: Session, name: str | None, at: datetime | None, on_event: OnEvent) -> RestorePlan:
    """See `Environment.restoration`."""
    facts = StateFacts(session, VERB)
    restoration, resumed = _restoration(session, Rds(session, VERB, on_event), facts, name, at)
    return _plan(session, restoration, resumed, facts)


def restore(session: Session, order: RestoreOrder) -> Restored:
    """See `backups.restore`."""
    started, facts, rds = time.monotonic(), StateFacts(session, VERB), Rds(session, VERB, order.on_event)
    restoration, resumed = _restoration(session, rds, facts, order.name, order.at)
    delete_left(session, rds, order.on_event)
    planned = restore_stages(restoration)
    run = _InstanceRestore(
        session=session, restoration=restoration, planned=planned, order=order, started=started, rds=rds
    )
    plan = _plan(session, restoration, resumed, facts)
    run.begin()
    run.decide()
    return run.done(plan)


@dataclass(kw_only=True)
class _InstanceRestore(RestoreRun[InstanceFacts]):
    restoration: InstanceRestoration
    rds: Rds

    @property
    def move(self) -> Move:
        return self.restoration.move

    def facts(self) -> StateFacts:
        return StateFacts(self.session, VERB)

    @property
    def changes_without_mark(self) -> bool:
        return True  # the new instance loses the tag that names its source

    def do(self, stage: InstanceStage) -> Changes:
        if stage.doing is RestoreAction.STOP and self._forget_lost():
            # The engine would make a lost instance anew, and empty.
            self.write({"running": Running.STOPPED.value, **self._moved})
        else:
            self.write({"running": Running.STOPPED.value} if stage.doing is RestoreAction.STOP else self._moved)
        return self.update()

    @property
    def _moved(self) -> dict[str, Any]:
        return {"databaseIdentifier": self.move.new, "databaseSnapshotIdentifier": None}

    def decide(self) -> None:
        """Let a reviewer's report know that the instance is replaced on purpose."""
        session = self.session
        if session.place.settings is None and session.config().protect:
            text = f"restore of {self.move.source}"
            decide(session.place.project_dir, short_name(session.name), INSTANCE_NAME, text)

    def update(self) -> Changes:
        """Update the stack, after what a killed update has left in AWS was found out."""
        session, facts = self.session, self.facts()
        if any(lock.holder is not Holder.GONE for lock in session.locks() or ()):
            return super().update()  # waits, or refuses
        if facts.instance != self.move.new:
            self._delete_unfinished()
        # It is gone now: nobody could know whether it had its password yet.
        gone = frozenset(item.urn for item in StackState.of(facts.deployment).pending if item.type == INSTANCE)
        order, known = self.order, Decisions(forget=gone)
        return resumed_update(session, VERB, order.timeout_seconds, order.on_event, known).changes

    def _delete_unfinished(self) -> None:
        """Delete a new instance that a killed update was making. It holds nothing but what it was made from."""
        identifier = self.move.new
        found = self.rds.instance(identifier)
        if found is None:
            return
        if found.tags.get(RESTORED_FROM_TAG) != made_by(self.move):
            raise BackupFailed(
                f"{identifier}: expected no instance of RDS, found one that this restore has not made",
                f"delete it if nobody needs it; then {again(self.session)}",
            )
        self.session.events(VERB, self.order.on_event).note(f"deleting {identifier}, whose creation was interrupted")
        if found.status != "deleting":
            self.rds.until_available(identifier)
            self.rds.unprotect(identifier)
            self.rds.delete(identifier)
        self.rds.until_gone(identifier)

    def _forget_lost(self) -> bool:
        """Take an instance that does not exist any more out of the state. Return whether it does not."""
        if self.rds.instance(self.move.old) is not None:
            return False
        urn = self.facts().urn
        if urn:
            with self.session.open_for_update(VERB, self.order.on_event, create=False) as opened:
                updates.run(self.session, VERB, opened, lambda: operations.refresh(opened, targets=[urn]), identity="")
        return True


def _restoration(
    session: Session, rds: Rds, facts: StateFacts, name: str | None, at: datetime | None
) -> tuple[InstanceRestoration, bool]:
    """Return the restore that is under way, or a new one. Raises BackupFailed."""
    config = session.config()
    if config.restore:
        mark = restoration_of(config.restore)
        assert isinstance(mark, InstanceRestoration)
        must_continue(session, name, at, begun=mark.move.snapshot, source=mark.move.source)
        return mark, True
    identifier = config.database_identifier
    facts.must_be_current(identifier)
    facts.must_not_be_left()
    facts.must_be_finished()
    everything = rds.snapshots()
    own = tuple(item for item in everything if of_stack(item.instance, identifier))
    if name is not None and name not in [item.name for item in own]:
        named = rds.snapshot(name)
        if named is not None:
            own = (replace(named, name=name),)  # by its ARN, if that was given
    source = chosen_source(own, rds.window(identifier), name, at, facts.key)
    used = {item.instance for item in everything} | {item.identifier for item in rds.instances()}
    new = next_identifier(identifier, used)
    if source.snapshot:
        eks = config.eks
        assert eks is not None
        [snapshot] = [item for item in own if item.name == source.snapshot]
        check_snapshot(snapshot, key=facts.key, username=config.database_user, region=eks[1], copy=f"{new}-copy")
        check_storage(snapshot, config.database_storage_gib, session.name)
    return _begun(source, identifier, new, Running(config.running or Running.ALL)), False


def _begun(source: Source, old: str, new: str, running: Running) -> InstanceRestoration:
    move = Move(
        id=datetime.now(UTC).strftime(ID_FORMAT), old=old, new=new, snapshot=source.snapshot, moment=source.moment
    )
    return InstanceRestoration(move=move, running=running)


def _plan(session: Session, restoration: InstanceRestoration, resumed: bool, facts: StateFacts) -> RestorePlan:
    with session.open_for_reading(VERB) as opened:
        history = [updates.history_entry(record) for record in operations.history(opened, _UPDATES)]
    usual = updates.usual_seconds(history)
    return restoring.restore_plan(
        session,
        restore_stages(restoration),
        facts,
        backup=restoration.move.source,
        old_database=restoration.move.old,
        resumed=resumed,
        # RDS takes as long as the database is large.
        seconds=lambda stage: None if stage.doing is RestoreAction.MOVE else usual,
    )
