"""The repair of what a killed update left: its lock, its processes, and what it was making."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from automation.cluster import objects
from automation.cluster.objects import ClusterObjects, Found
from automation.engine import operations, processes, started_engines
from automation.engine.forgetting import without_kubernetes
from automation.engine.locks import Holder, Lock
from automation.engine.opened_stack import OpenedStack
from automation.engine.stack_state import NAMESPACE, StackState, with_created
from automation.errors import RecoveryRefused, StackLocked, from_text
from automation.recovery.aws_creates import what_became
from automation.recovery.result import Decisions, RecoveryAction, RecoveryStep, RecoverySteps
from automation.recovery.steps import PLUGIN_SECONDS, lock_steps, pending_steps
from automation.stacks.cluster_tag import require_its_cluster
from automation.stacks.config import StackConfig
from automation.stacks.session import Session
from automation.wait import wait_for
from components.aws.client import AwsError

_DELETE_SECONDS: Final = 600.0
"""How long an object may take to end, a namespace with all its pods too."""


def repair_steps(
    session: Session,
    opened: OpenedStack,
    deployment: Mapping[str, Any],
    decisions: Decisions,
    locks: tuple[Lock, ...] | None,
    verb: str,
    *,
    cluster_gone: bool = False,
) -> list[RecoveryStep]:
    """Return the steps of the repair.

    Args:
        session: The stack.
        opened: The same, opened for an update or for reading.
        deployment: Its state, as exported.
        decisions: What a person has decided.
        locks: None if the backend does not tell who holds one.
        verb: The verb that was asked for, and that takes decisions.
        cluster_gone: The cluster will never answer again. Nothing in it is looked for.

    Raises:
        RecoveryRefused: An update may be alive, or only a person knows what became of something.
    """
    engines = started_engines.noted(session.work_dir)
    steps = lock_steps(session.name, locks, processes.processes(), decisions, engines, verb)
    if cluster_gone:
        config = session.config()
        deployment, _ = without_kubernetes(deployment)
    else:
        config = session.reached_config()
        require_its_cluster(session, opened)
    in_aws = _in_aws(config, deployment, decisions)
    state = StackState.of(deployment)
    return steps + pending_steps(session.name, state, cluster_objects(config), decisions, in_aws, verb)


def cluster_objects(config: StackConfig) -> ClusterObjects:
    """Return the objects of the stack's namespace."""
    return objects.ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)


def _in_aws(config: StackConfig, deployment: Mapping[str, Any], decisions: Decisions) -> dict[str, str]:
    """Return what interrupted creates have made in AWS. Raises RecoveryRefused if AWS does not say."""
    if config.eks is None:
        return {}
    try:
        return what_became(deployment, config.eks[1], {*decisions.adopt, *decisions.forget})
    except AwsError as error:
        raise from_text(RecoveryRefused, str(error)) from None


def carry_out(
    session: Session, opened: OpenedStack, plan: RecoverySteps, locks: tuple[Lock, ...] | None, verb: str
) -> None:
    """Take the steps, once all of them are told. Raises RecoveryRefused, StackLocked, Interrupted.

    `locks` are those that the plan was made with. `verb` is the one that was asked for.
    """
    for step in plan.steps:
        opened.teller.note(f"will {step.text}")
    _end_processes(session, plan, verb)
    if plan.of(RecoveryAction.UNLOCK):
        _unlock(session, opened, locks or ())
        session.cancellation.record("the lock was removed")
    session.cancellation.raise_if_cancelled()
    _settle_state(session, opened, plan)
    _delete_objects(session, plan)


def _end_processes(session: Session, plan: RecoverySteps, verb: str) -> None:
    """End, or wait for, what the killed engine left running. Raises RecoveryRefused if something does not end."""
    running = {process.pid: process for process in processes.processes()}
    doomed = [running[step.pid] for step in plan.of(RecoveryAction.END) if step.pid in running]
    session.cancellation.raise_if_cancelled()
    processes.end(doomed)
    if doomed:
        session.cancellation.record("what the killed engine left was ended")
    awaited = [running[step.pid] for step in plan.of(RecoveryAction.WAIT) if step.pid in running]
    left = processes.until_gone(awaited, PLUGIN_SECONDS, session.cancellation.clock())
    if left:
        pids = " ".join(str(process.pid) for process in left)
        raise RecoveryRefused(
            f"what a killed engine left still runs: process {pids}",
            f"if it is of this stack: kill {pids}; if it is not: "
            f"python -m automation {verb} {session.name} --lock-is-stale",
        )
    session.cancellation.raise_if_cancelled()


def _unlock(session: Session, opened: OpenedStack, planned: tuple[Lock, ...]) -> None:
    """Remove the locks, but never one that has come since `planned`: the engine can only remove all of them.

    Raises StackLocked.
    """
    for lock in session.locks() or ():
        if lock not in planned or lock.holder is Holder.ALIVE:
            raise StackLocked(f"stack {session.name} is {lock}, which has just begun", "wait for it")
    operations.cancel(opened)
    started_engines.forget_all(session.work_dir)


def _settle_state(session: Session, opened: OpenedStack, plan: RecoverySteps) -> None:
    """Enter what interrupted creates have made into the state, and let the engine clear every other pending create.

    What was being deleted is looked for, and everything if it was a namespace, which takes all in it along.
    """
    created = {step.urn: step.id for step in plan.of(RecoveryAction.ADOPT)}
    ends = plan.of(RecoveryAction.REFRESH)
    if (
        not created
        and not ends
        and not any(plan.of(doing) for doing in (RecoveryAction.FORGET, RecoveryAction.DELETE, RecoveryAction.KEEP))
    ):
        return
    deployment = operations.deployment(opened)
    if created:
        operations.replace_deployment(opened, with_created(deployment, created))
        session.cancellation.record("the state was put right")
        session.cancellation.raise_if_cancelled()
    _until_deleted(session, ends)
    # Every refresh reads resources. The stack itself is none that a provider would have to read.
    state = StackState.of(deployment)
    targets = sorted({*created, *(step.urn for step in ends)}) or ([state.stack_urn] if state.stack_urn else None)
    namespaces = {pending.urn for pending in state.pending if pending.type == NAMESPACE}
    if any(step.urn in namespaces for step in ends):
        targets = None
    operations.refresh(opened, targets=targets, clear_pending_creates=True)
    if not created:
        session.cancellation.record("the state was put right")
    session.cancellation.raise_if_cancelled()


def _until_deleted(session: Session, ends: Sequence[RecoveryStep]) -> None:
    """Wait until objects that are being deleted are gone. Raises RecoveryRefused if one stays."""
    left = [step.found for step in ends if step.found is not None]
    if not left:
        return
    cluster = cluster_objects(session.reached_config())

    def still_there() -> list[Found]:
        session.cancellation.raise_if_cancelled()
        found = [(item, cluster.find(item.api_version, item.kind, item.namespace, item.name)) for item in left]
        return [item for item, now in found if now is not None and now.uid == item.uid]

    staying = wait_for(
        still_there, lambda found: not found, seconds=_DELETE_SECONDS, interval=1.0, clock=session.cancellation.clock()
    )
    if staying:
        raise RecoveryRefused(
            f"{', '.join(map(str, staying))}: expected the end of its deletion within {_DELETE_SECONDS:.0f} s",
            f"kubectl describe {staying[0].kind} {staying[0].name} says what it waits for; then "
            f"python -m automation recover {session.name}",
        )


def _delete_objects(session: Session, plan: RecoverySteps) -> None:
    cluster = cluster_objects(session.reached_config())
    for step in (*plan.of(RecoveryAction.DELETE), *plan.of(RecoveryAction.REPLACE_POD)):
        assert step.found is not None
        session.cancellation.raise_if_cancelled()
        cluster.delete(step.found)
        session.cancellation.record(f"{step.found} was deleted")
