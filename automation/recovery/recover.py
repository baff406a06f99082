"""Recovery of a stack after an interrupted update, the stack's status, and verbs that continue a killed update."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from automation.cluster import client
from automation.cluster.client import KubeClient
from automation.engine import operations
from automation.engine.events import OnEvent
from automation.engine.locks import Holder, Lock
from automation.engine.opened_stack import OpenedStack
from automation.engine.stack_state import StackState
from automation.errors import AutomationError, NotHealthy, StackUnknown, UpdateFailed
from automation.folder import short_name
from automation.recovery import status as status_module
from automation.recovery.repair import carry_out, cluster_objects, repair_steps
from automation.recovery.result import Decisions, Recovery, RecoveryAction, RecoverySteps
from automation.recovery.status import ClusterStatus, StackStatus
from automation.recovery.steps import pod_steps, update_step
from automation.results import Update
from automation.stacks import updates
from automation.stacks.cluster_tag import cluster_identity, read_tag, require_known
from automation.stacks.config import StackConfig
from automation.stacks.expiry import read_expiry
from automation.stacks.session import Session
from automation.wait import wait_for
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
        carry_out(session, opened, plan, locks, "recover")
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


def resumed_destroy(
    session: Session,
    decisions: Decisions | None,
    on_event: OnEvent,
    worker_seconds: float,
    *,
    remove: bool,
    cluster_gone: bool,
) -> Update:
    """Repair what a killed update left, and destroy. See `Environment.destroy` and `updates.destroy`.

    Nothing is repaired while another update may be alive, unless `decisions` say that it is not.
    """
    if not session.config().protect:
        with session.open_for_update("destroy", on_event, create=False) as opened:
            locks, deployment = _locks_if_told(session), operations.deployment(opened)
            killed = locks is not None and all(lock.holder is Holder.GONE for lock in locks)
            if decisions or (killed and (locks or StackState.of(deployment).pending)):
                decisions = decisions or Decisions()
                steps = repair_steps(
                    session, opened, deployment, decisions, locks, "destroy", cluster_gone=cluster_gone
                )
                # Deleting what is gone does no harm: a destroy need not look for it.
                needed = tuple(step for step in steps if step.doing is not RecoveryAction.REFRESH)
                plan = RecoverySteps(stack=session.name, steps=needed)
                carry_out(session, opened, plan, locks, "destroy")
    return updates.destroy(session, on_event, worker_seconds, remove=remove, cluster_gone=cluster_gone)


def _locks_if_told(session: Session) -> tuple[Lock, ...] | None:
    """Return the stack's locks, None if the backend does not tell: the engine then says what is wrong."""
    try:
        return session.locks()
    except UpdateFailed:
        return None


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
    deployment = operations.deployment(opened)
    steps = repair_steps(session, opened, deployment, decisions or Decisions(), locks, "recover")
    config = session.reached_config()
    stuck = _cluster_status(session, config, StackState.of(deployment)).stuck_pods
    steps += pod_steps(stuck, cluster_objects(config), config.namespace)
    return RecoverySteps(stack=session.name, steps=(*steps, update_step(session.name)))


def _cluster_status(session: Session, config: StackConfig, state: StackState) -> ClusterStatus:
    kube: KubeClient = client.KubeClient(
        config.kube_context, config.namespace, kubeconfig_path=config.kubeconfig, clean=session.clean
    )
    return status_module.cluster_status(kube, cluster_objects(config), state)
