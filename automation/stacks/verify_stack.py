"""Verification of a stack's deployment, which a cancel ends."""

from __future__ import annotations

from dataclasses import replace

from automation.cluster.deployment import Deployment
from automation.engine import operations
from automation.engine.events import EventKind, OnEvent
from automation.errors import Interrupted, NotHealthy
from automation.stacks.session import Session
from automation.verification import verify as verification
from automation.verification.result import Status, Verification


class _Cancelled(BaseException):
    """Ends a verification. Not an Exception: a check takes every Exception for its own failure."""


def verify_stack(session: Session, dag_id: str | None, timeout_seconds: float, on_event: OnEvent) -> Verification:
    """See `Environment.verify`."""
    config = session.reached_config()
    with session.open_for_reading("outputs") as opened:
        outputs = operations.stack_outputs(opened)
    teller, cancelled = session.events("verify", on_event), session.cancellation.watcher()

    def stop_if_cancelled() -> None:
        if cancelled():
            raise _Cancelled

    def tell(line: str) -> None:
        teller.tell(EventKind.WAITING, line)
        stop_if_cancelled()

    try:
        found = verification.verify(
            outputs,
            kube_context=Deployment.of(outputs).kube_context,
            kubeconfig_path=config.kubeconfig,
            dag_id=dag_id,
            timeout_seconds=timeout_seconds,
            clock=session.cancellation.clock(stop_if_cancelled),
            on_progress=tell,
        )
    except _Cancelled:
        raise Interrupted(f"verify of stack {session.name} was interrupted", "run it again") from None
    # The details quote pods, Airflow and the logs of tasks.
    return Verification(tuple(replace(check, detail=session.clean(check.detail)) for check in found.checks))


def verified_stack(session: Session, timeout_seconds: float, on_event: OnEvent, remedy: str) -> Verification:
    """Verify a stack as the last stage of a verb. Raises NotHealthy with the checks that failed, and this remedy."""
    found = verify_stack(session, None, timeout_seconds, on_event)
    failed = [f"{check.name}: {check.detail}" for check in found.checks if check.status is Status.FAILED]
    if failed:
        raise NotHealthy(f"the stack is not verified: {'; '.join(failed)}", remedy)
    return found
