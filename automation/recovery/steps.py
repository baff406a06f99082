"""The steps of a recovery: how to repair what an interrupted update left. All are decided before anything is changed.

An interrupted update may leave: a lock; processes of the killed engine that go on; creates whose end was not recorded;
an unfinished record of the Helm release (the update itself repairs that, see `airflow_release`); a pod that cannot
become ready, and for which its StatefulSet waits.

An object whose creation was interrupted either exists, under the name that the state says, or it does not. If it does,
it is taken into the state, so that the next update does not make a second one: two database servers on one volume would
destroy it. Only an object that a later update has made again is deleted, and never one that may hold data.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from automation.cluster.objects import ClusterObjects, Found
from automation.engine.locks import Holder, Lock, seconds_of
from automation.engine.processes import Process, left_behind, orphaned_plugins
from automation.engine.stack_state import NAMESPACE, RELEASE, Pending, StackState
from automation.engine.started_engines import StartedEngine
from automation.errors import RecoveryRefused
from automation.recovery.result import Decisions, RecoveryAction, RecoveryStep
from automation.recovery.status import StuckPod

PLUGIN_SECONDS: Final = 330.0
"""How long a plugin may go on without its engine: it looks for its engine every five minutes."""
_START_SECONDS: Final = 120.0
"""An engine starts its plugins within this time."""
_SKEW_SECONDS: Final = 60.0
"""How far the clocks of this machine and of the cluster may differ."""


def lock_steps(
    stack: str,
    locks: Sequence[Lock] | None,
    running: Iterable[Process],
    decisions: Decisions,
    engines: Sequence[StartedEngine] = (),
    verb: str = "recover",
) -> list[RecoveryStep]:
    """Return the steps that must end before anything else is touched.

    Args:
        stack: The name of the stack.
        locks: None if the backend does not tell who holds one.
        running: The processes of this machine.
        decisions: What a person has decided.
        engines: The engines that were started here for the stack.
        verb: The verb that was asked for, for the remedies.

    Raises:
        RecoveryRefused: An update may be alive.
    """
    if locks is None:
        if not decisions.lock_is_stale:
            raise RecoveryRefused(
                f"the backend does not tell who holds the lock of stack {stack}",
                "make sure that no update of it runs anywhere, then: "
                f"python -m automation {verb} {stack} --lock-is-stale",
            )
        return [
            RecoveryStep(
                doing=RecoveryAction.UNLOCK, text="remove the lock, if there is one: a person says it is stale"
            )
        ]
    everything = tuple(running)
    steps: list[RecoveryStep] = []
    for lock in locks:
        if lock.holder is Holder.ALIVE:
            raise RecoveryRefused(
                f"stack {stack} is {lock}, and that process runs",
                f"wait for it; or let it stop as soon as it can: kill -INT {lock.pid}",
            )
        if lock.holder is Holder.UNKNOWN and not decisions.lock_is_stale:
            raise RecoveryRefused(
                f"stack {stack} is {lock}: whether that process runs cannot be seen from here",
                f"{_where_to_look(lock)}; if no update of {stack} runs there, or the machine is gone: "
                f"python -m automation {verb} {stack} --lock-is-stale",
            )
        if lock.holder is Holder.GONE:
            steps += _process_steps(lock.engine(engines), everything, decisions)
        steps.append(RecoveryStep(doing=RecoveryAction.UNLOCK, text=f"remove the lock that is {lock}"))
    return steps


def _where_to_look(lock: Lock) -> str:
    """Return the command that shows the holder. A lock that names none needs a look at every machine."""
    if not lock.pid:
        return "look at each machine and CI job that may update it"
    return f"look on {lock.host}, also in its containers: ps -o pid,lstart,args -p {lock.pid}"


def _process_steps(
    engine: StartedEngine | None, running: Sequence[Process], decisions: Decisions
) -> list[RecoveryStep]:
    """Return what happens to the processes of a killed engine: a provider could overwrite Helm's next record.

    Only what an engine of this package has left is ended: a lock alone does not prove whose a process is.
    """
    if engine is None:
        return [] if decisions.lock_is_stale else [_wait(item) for item in orphaned_plugins(running)]
    own = left_behind(engine.pid, running, engine.began, _START_SECONDS)
    mine = {process.pid for process in own}
    ends = [
        RecoveryStep(
            doing=RecoveryAction.END,
            text=f"end process {process.pid} ({process.name}), which the killed engine {engine.pid} left",
            pid=process.pid,
        )
        for process in own
    ]
    orphans = orphaned_plugins(running, engine.began, _START_SECONDS, engine.pid)
    return ends + [_wait(process) for process in orphans if process.pid not in mine]


def _wait(process: Process) -> RecoveryStep:
    text = (
        f"wait until process {process.pid} ({process.name}) has noticed that its engine is gone, at most five minutes"
    )
    return RecoveryStep(doing=RecoveryAction.WAIT, text=text, pid=process.pid)


def pending_steps(
    stack: str,
    state: StackState,
    objects: ClusterObjects,
    decisions: Decisions,
    in_aws: Mapping[str, str],
    verb: str = "recover",
) -> list[RecoveryStep]:
    """Return a step for each interrupted one. Raises RecoveryRefused for what only a person can decide.

    `in_aws` has the ids of what was found in AWS, by URN; "" for what need not be in the state. `verb` was asked for.
    """
    steps, open_questions = [], []
    decided: set[str] = set()
    # The newest first: of two interrupted creates of one resource, one at most can be adopted.
    for pending in reversed(state.pending):
        step = _pending_step(pending, state, objects, decisions, in_aws, adopted=pending.urn in decided)
        if step is None:
            open_questions.append(pending)
            continue
        if step.doing is RecoveryAction.ADOPT:
            decided.add(pending.urn)
        steps.append(step)
    if open_questions:
        questions = "; ".join(f"{pending} ({pending.urn})" for pending in reversed(open_questions))
        raise RecoveryRefused(
            f"what became of this cannot be seen from here: {questions}",
            f"look; for each that is there: python -m automation {verb} {stack} --adopt URN=ID, "
            "for each that is not: --forget URN",
        )
    return steps[::-1]


def _pending_step(
    pending: Pending,
    state: StackState,
    objects: ClusterObjects,
    decisions: Decisions,
    in_aws: Mapping[str, str],
    *,
    adopted: bool,
) -> RecoveryStep | None:
    """Return what becomes of an interrupted step, None if only a person can decide."""
    if pending.is_delete:
        return _end_of_delete(pending, objects)
    if not pending.is_create:
        return _forget(pending, "the update looks itself how far it came")
    if pending.urn in decisions.forget:
        return _forget(pending, "a person says that it was not made")
    if pending.urn in decisions.adopt:
        if adopted:
            return _forget(pending, "a person says which one is the right one")
        return _adopt(pending, decisions.adopt[pending.urn], "a person says that it is there")
    if pending.is_of_state_only:
        reason = "the update takes over what Helm has begun" if pending.type == RELEASE else "it is in the state alone"
        return _forget(pending, reason)
    if pending.urn in in_aws:
        return _step_in_aws(pending, in_aws[pending.urn], adopted=adopted)
    if not pending.is_object:
        return None
    found = objects.find(pending.api_version, pending.kind, pending.namespace, pending.object_name)
    if found is None or found.deleting:
        return _forget(pending, "it was not made" if found is None else "it is being deleted")
    current = state.current(pending.urn)
    if current is not None and current.id == found.id:
        return _forget(pending, f"the state has {found}")
    if not _is_own(pending, found, state):
        return None
    if adopted or (current is not None and _is_newer(current.id, pending, found, objects)):
        return _orphan(pending, found, objects)
    return _adopt(pending, found.id, f"{found} is there")


def _end_of_delete(pending: Pending, objects: ClusterObjects) -> RecoveryStep:
    """Return the step that learns whether something is still there. Without it, an update would not make it again."""
    found = None
    if pending.is_object:
        found = objects.find(pending.api_version, pending.kind, pending.namespace, pending.object_name)
    ending = found if found is not None and found.deleting else None
    when = f", once {ending} is gone" if ending else ""
    text = f"look what is left after what was interrupted while {pending}{when}"
    return RecoveryStep(doing=RecoveryAction.REFRESH, text=text, urn=pending.urn, id=pending.id, found=ending)


def _step_in_aws(pending: Pending, found: str, *, adopted: bool) -> RecoveryStep:
    if not found:
        return _forget(pending, "AWS does not have it, or the update writes it over")
    return _forget(pending, f"{found} is taken already") if adopted else _adopt(pending, found, "AWS has it")


def _is_own(pending: Pending, found: Found, state: StackState) -> bool:
    """Return whether the object can only be that of the interrupted update.

    A generated name is unique. But the namespace has the name that the config says, so it must have been made when the
    state was last written: that happens before and after each step, and making a namespace takes no time. A lock also
    says when the update began, but anybody may have written it. A time that cannot be read proves nothing.
    """
    if not found.is_own:
        return False
    if pending.type != NAMESPACE:
        return True
    created, written = seconds_of(found.created), seconds_of(state.written)
    return bool(written) and abs(created - written) <= _SKEW_SECONDS


def _is_newer(current_id: str, pending: Pending, found: Found, objects: ClusterObjects) -> bool:
    """Return whether the object in the state is newer than the pending one; else the pending one was to replace it."""
    namespace, _, name = current_id.rpartition("/")
    other = objects.find(pending.api_version, pending.kind, namespace, name)
    return other is not None and seconds_of(other.created) > seconds_of(found.created)


def _orphan(pending: Pending, found: Found, objects: ClusterObjects) -> RecoveryStep:
    if pending.kind == "PersistentVolumeClaim" and objects.is_bound(found.name):
        text = f"keep {found}: a later update has made another in its place, but it may hold data"
        return RecoveryStep(doing=RecoveryAction.KEEP, text=text, urn=pending.urn, id=found.id, found=found)
    text = f"delete {found}: a later update has made another in its place, and nothing refers to it"
    return RecoveryStep(doing=RecoveryAction.DELETE, text=text, urn=pending.urn, id=found.id, found=found)


def _adopt(pending: Pending, id_: str, why: str) -> RecoveryStep:
    return RecoveryStep(
        doing=RecoveryAction.ADOPT, text=f"take {pending.name} ({id_}) into the state: {why}", urn=pending.urn, id=id_
    )


def _forget(pending: Pending, why: str) -> RecoveryStep:
    return RecoveryStep(
        doing=RecoveryAction.FORGET, text=f"forget what was interrupted while {pending}: {why}", urn=pending.urn
    )


def pod_steps(stuck: Iterable[StuckPod], objects: ClusterObjects, namespace: str) -> list[RecoveryStep]:
    """Return steps that delete stuck pods: their StatefulSets make them anew, of the newest revision."""
    steps = []
    for pod in stuck:
        found = objects.find("v1", "Pod", namespace, pod.name)
        if found is not None and not found.deleting:
            why = f"it waits for the old one, which cannot become ready ({pod.reason})"
            text = f"let {pod.stateful_set} make pod {pod.name} anew: {why}"
            steps.append(RecoveryStep(doing=RecoveryAction.REPLACE_POD, text=text, found=found))
    return steps


def update_step(stack: str) -> RecoveryStep:
    """Return the last step of every recovery."""
    return RecoveryStep(
        doing=RecoveryAction.UPDATE, text=f"update {stack}: it repairs Helm's record, and makes what is missing"
    )
