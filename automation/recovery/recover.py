"""Recovery of a stack after an interrupted update, and the stack's status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from automation.cluster import client, objects
from automation.cluster.client import KubeClient
from automation.cluster.objects import ClusterObjects
from automation.engine import operations, processes, started_engines
from automation.engine.events import OnEvent
from automation.engine.locks import Holder, Lock
from automation.engine.opened_stack import OpenedStack
from automation.engine.stack_state import StackState, with_created
from automation.errors import AutomationError, NotHealthy, RecoveryRefused, StackLocked, StackUnknown, from_text
from automation.folder import short_name
from automation.lifetime.expiry import read_expiry
from automation.recovery import status as status_module
from automation.recovery.aws_creates import what_became
from automation.recovery.result import Decisions, Doing, Recovery, RecoverySteps
from automation.recovery.status import ClusterStatus, StackStatus
from automation.recovery.steps import PLUGIN_SECONDS, lock_steps, pending_steps, pod_steps, update_step
from automation.results import Update
from automation.stacks import updates
from automation.stacks.cluster_tag import cluster_identity, read_tag, require_its_cluster, require_known
from automation.stacks.config import StackConfig
from automation.stacks.session import Session
from automation.wait import wait_for
from components.aws.client import AwsError
from components.chart_values.running import Running
from settings.restoration import restoration_of
from settings.rotation import Mark
from settings.upgrade import UpgradeMark

_HEALTH_INTERVAL_SECONDS: Final = 3.0


def recovery_steps(session: Session, decisions: Decisions | None) -> RecoverySteps:
    """See `Environment.recovery`."""
    try:
        with session.open_for_reading("recover") as opened:
            return _steps(session, opened, decisions, session.locks())
    except StackUnknown:
        return RecoverySteps(stack=session.name, steps=(update_step(session.name),))


def recover(session: Session, decisions: Decisions | None, timeout_seconds: float, on_event: OnEvent) -> Recovery:
    """See `Environment.recover`."""
    # Creates the stack if there is none: the update may have been killed before it did.
    with session.open_for_update("recover", on_event) as opened:
        locks = session.locks()
        plan = _steps(session, opened, decisions, locks)
        for step in plan.steps:
            opened.teller.note(f"will {step.text}")
        _end_processes(session, plan)
        if plan.of(Doing.UNLOCK):
            _unlock(session, opened, locks or ())
            session.cancellation.record("the lock was removed")
        session.cancellation.raise_if_cancelled()
        _settle_state(session, opened, plan)
        _delete_objects(session, plan)
    update = updates.up(session, "recover", on_event)
    return Recovery(plan=plan, update=update, status=wait_until_healthy(session, timeout_seconds))


def stack_status(session: Session) -> StackStatus:
    """See `Environment.status`."""
    locks = session.locks()
    try:
        with session.open_for_reading("status") as opened:
            state = StackState.of(operations.deployment(opened))
            known, expires = read_tag(opened), read_expiry(opened)
    except StackUnknown:
        return StackStatus(stack=session.name, exists=False, locks=locks)
    status = StackStatus(
        stack=session.name,
        exists=True,
        deployed=bool(state.resources),
        locks=locks,
        pending=state.pending,
        restoration=_told(session, lambda config, stack: config.restore and restoration_of(config.restore).told(stack)),
        halted=_told(session, lambda config, stack: Running(config.running or Running.ALL).told(stack)),
        rotation=_told(session, lambda config, stack: config.rotation and Mark.of(config.rotation).told(stack)),
        upgrade=_told(session, lambda config, stack: config.upgrade and UpgradeMark.of(config.upgrade).told(stack)),
        airflow=_told(session, lambda config, stack: config.airflow_version),
        dags=status_module.dags_place(state.outputs),
        expires=expires,
        authority=_told(session, status_module.ending_authority),
    )
    if not state.resources and not state.pending:
        return status
    try:
        config = session.reached_config()
        require_known(session.name, config, cluster_identity(config), known)
        return replace(status, cluster=_cluster_status(session, config, state))
    except AutomationError as error:
        return replace(status, cluster_error=error.what)


def _told(session: Session, tell: Callable[[StackConfig, str], str]) -> str:
    """Return what the config says of a stack; "" if it is not valid."""
    try:
        return tell(session.config(), short_name(session.name))
    except (AutomationError, ValueError):
        return ""


def resumed_update(
    session: Session, verb: str, timeout_seconds: float, on_event: OnEvent, decisions: Decisions | None = None
) -> Update:
    """Run `up`, or `recover` if an earlier run was killed in an update.

    Args:
        session: The stack.
        verb: What was asked for.
        timeout_seconds: How long to wait for all pods to be ready after a recovery.
        on_event: Receives the events.
        decisions: What is known of interrupted creates.
    """
    if stack_status(session).killed:
        return recover(session, decisions, timeout_seconds, on_event).update
    return updates.up(session, verb, on_event)


def wait_until_healthy(session: Session, timeout_seconds: float) -> StackStatus:
    """Wait for a healthy status after an update, and return it. Raises NotHealthy, Interrupted."""

    def look() -> StackStatus:
        session.cancellation.raise_if_cancelled()
        return stack_status(session)

    status = wait_for(
        look,
        lambda current: current.healthy,
        seconds=timeout_seconds,
        interval=_HEALTH_INTERVAL_SECONDS,
        clock=session.cancellation.clock(),
    )
    if not status.healthy:
        raise NotHealthy(
            f"stack {session.name} was updated, but is not healthy: {'; '.join(status.problems)}",
            f"repair that; python -m automation status {session.name} says when it is gone",
        )
    return status


def _steps(
    session: Session, opened: OpenedStack, decisions: Decisions | None, locks: tuple[Lock, ...] | None
) -> RecoverySteps:
    decisions = decisions or Decisions()
    engines = started_engines.noted(session.work_dir)
    steps = lock_steps(session.name, locks, processes.processes(), decisions, engines)
    config = session.reached_config()
    require_its_cluster(session, opened)
    deployment = operations.deployment(opened)
    state = StackState.of(deployment)
    cluster = _objects(config)
    steps += pending_steps(session.name, state, cluster, decisions, _in_aws(config, deployment, decisions))
    steps += pod_steps(_cluster_status(session, config, state).stuck_pods, cluster, config.namespace)
    return RecoverySteps(stack=session.name, steps=(*steps, update_step(session.name)))


def _in_aws(config: StackConfig, deployment: Mapping[str, Any], decisions: Decisions) -> dict[str, str]:
    """Return what interrupted creates have made in AWS. Raises RecoveryRefused if AWS does not say."""
    if config.eks is None:
        return {}
    try:
        return what_became(deployment, config.eks[1], {*decisions.adopt, *decisions.forget})
    except AwsError as error:
        raise from_text(RecoveryRefused, str(error)) from None


def _end_processes(session: Session, plan: RecoverySteps) -> None:
    """End, or wait for, what the killed engine left running. Raises RecoveryRefused if something does not end."""
    running = {process.pid: process for process in processes.processes()}
    doomed = [running[step.pid] for step in plan.of(Doing.END) if step.pid in running]
    session.cancellation.raise_if_cancelled()
    processes.end(doomed)
    if doomed:
        session.cancellation.record("what the killed engine left was ended")
    awaited = [running[step.pid] for step in plan.of(Doing.WAIT) if step.pid in running]
    left = processes.until_gone(awaited, PLUGIN_SECONDS, session.cancellation.clock())
    if left:
        pids = " ".join(str(process.pid) for process in left)
        raise RecoveryRefused(
            f"what a killed engine left still runs: process {pids}",
            f"if it is of this stack: kill {pids}; if it is not: "
            f"python -m automation recover {session.name} --lock-is-stale",
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
    """Enter what interrupted creates have made into the state, and let the engine clear every other pending create."""
    created = {step.urn: step.id for step in plan.of(Doing.ADOPT)}
    if not created and not any(plan.of(doing) for doing in (Doing.FORGET, Doing.DELETE, Doing.KEEP)):
        return
    deployment = operations.deployment(opened)
    if created:
        operations.replace_deployment(opened, with_created(deployment, created))
        session.cancellation.record("the state was put right")
        session.cancellation.raise_if_cancelled()
    # Every refresh reads resources. The stack itself is none that a provider would have to read.
    stack_urn = StackState.of(deployment).stack_urn
    targets = sorted(created) or ([stack_urn] if stack_urn else None)
    operations.refresh(opened, targets=targets, clear_pending_creates=True)
    if not created:
        session.cancellation.record("the state was put right")
    session.cancellation.raise_if_cancelled()


def _delete_objects(session: Session, plan: RecoverySteps) -> None:
    cluster = _objects(session.reached_config())
    for step in (*plan.of(Doing.DELETE), *plan.of(Doing.REPLACE_POD)):
        assert step.found is not None
        session.cancellation.raise_if_cancelled()
        cluster.delete(step.found)
        session.cancellation.record(f"{step.found} was deleted")


def _objects(config: StackConfig) -> ClusterObjects:
    return objects.ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig)


def _cluster_status(session: Session, config: StackConfig, state: StackState) -> ClusterStatus:
    kube: KubeClient = client.KubeClient(
        config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig, clean=session.clean
    )
    return status_module.cluster_status(kube, _objects(config), state)
