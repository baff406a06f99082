"""Updates of an opened stack: its cluster is stored, a lock is waited for, and the result is typed."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from automation.cluster.worker_stop import (
    StoppedPods,
    resume_scaling,
    start_after_killed_destroy,
    start_workers,
    stop_workers,
)
from automation.engine import operations
from automation.engine.events import OnEvent, ignore
from automation.engine.failures import unprotect
from automation.engine.forgetting import without_kubernetes
from automation.engine.opened_stack import OpenedStack
from automation.engine.operations import EngineResult
from automation.engine.stack_state import StackState, protected
from automation.errors import ClusterUnreachable, FileInvalid, Protected, UpdateFailed
from automation.results import Changes, HistoryEntry, Update
from automation.stacks.cluster_tag import cluster_to_store, read_tag, require_gone, store_tag
from automation.stacks.session import Session
from automation.stacks.stack_locks import retry_while_locked
from components.chart_values.running import PAUSED, Running
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from settings import PROJECT


def up(session: Session, verb: str, on_event: OnEvent, update_plan: Path | None = None) -> Update:
    """Make the stack as its config says.

    Args:
        session: The stack.
        verb: What was asked for: `up`, or a verb that ends with one.
        on_event: Receives the events.
        update_plan: The engine's saved plan, which the update must not leave (PlanViolated).
    """
    path = None if update_plan is None else str(update_plan.resolve())
    if path is not None and not os.path.isfile(path):
        raise FileInvalid(f"the plan {path} cannot be read", "save one: preview --save-plan FILE")
    with session.open_for_update(verb, on_event) as opened:
        identity = cluster_to_store(session, opened)
        return run(session, verb, opened, lambda: _up(session, opened, path), identity)


def _up(session: Session, opened: OpenedStack, plan: str | None) -> EngineResult:
    """Let the engine update, and stop the workers before it if none of them should run afterwards.

    Tasks then end while the API server, the broker and the database still answer.
    """
    config = session.config()
    halted = config.running in (Running.FROZEN, Running.STOPPED)
    if halted and not _may_be_locked(session):
        _stop_workers(session, opened, config.worker_grace_seconds)
    result = operations.up(opened, plan=plan)
    if not halted and any(PAUSED in path for step in result.steps for path in step.properties):
        # The engine takes out only what it alone has written, and `_stop_workers` has written the annotation too.
        resume_scaling(*session.cluster())
    if not halted:
        with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
            start_after_killed_destroy(*session.cluster())
    return result


def refresh(session: Session, on_event: OnEvent, *, new_cluster: bool) -> Update:
    """Make the state as the cluster is. With `new_cluster` it may be another cluster than the stack was in."""
    with session.open_for_update("refresh", on_event, create=False) as opened:
        identity = cluster_to_store(session, opened, may_be_new=new_cluster)
        return run(session, "refresh", opened, lambda: operations.refresh(opened), identity)


def destroy(
    session: Session, on_event: OnEvent, worker_seconds: float, *, remove: bool, cluster_gone: bool = False
) -> Update:
    """Delete what the stack owns. Raises Protected before anything is deleted if config or state protects something.

    Args:
        session: The stack.
        on_event: Receives the events.
        worker_seconds: How long the workers' tasks may take to end, before anything else is deleted.
        remove: Also remove the stack itself.
        cluster_gone: The cluster will never answer again: forget what was in it. Raises Protected if it answers.
    """
    if session.config().protect:
        raise Protected(
            f"stack {session.name} is protected: its destroy removes data and keys", unprotect(session.name)
        )
    with session.open_for_update("destroy", on_event, create=False) as opened:
        kept = protected(StackState.of(operations.deployment(opened)).resources)
        if kept:
            names = ", ".join(sorted(resource.name for resource in kept))
            raise Protected(f"stack {session.name} still protects {names}", unprotect(session.name))
        if cluster_gone:
            require_gone(session)
            done = run(session, "destroy", opened, lambda: _destroy_the_rest(opened), "")
        else:
            identity = _identity(session, opened)
            done = run(session, "destroy", opened, lambda: _destroy(session, opened, worker_seconds), identity)
    if remove:
        remove_state(session)
    return done


def _destroy_the_rest(opened: OpenedStack) -> EngineResult:
    """Forget what was in a cluster that is gone, and delete everything else."""
    left, forgotten = without_kubernetes(operations.deployment(opened))
    if forgotten:
        operations.replace_deployment(opened, left)
        opened.teller.note(f"forgotten: {len(forgotten)} objects of the cluster that is gone")
    return operations.destroy(opened)


def _identity(session: Session, opened: OpenedStack) -> str:
    try:
        return cluster_to_store(session, opened)
    except ClusterUnreachable as error:
        gone = f"if the cluster is gone for good: python -m automation destroy {session.name} --cluster-gone"
        raise ClusterUnreachable(error.what, f"{error.remedy}; {gone}") from None


def remove_state(session: Session, *, force: bool = False) -> tuple[str, ...]:
    """Remove the stack itself, with its history and work directory. Return the stacks that the backend still has.

    `force` also removes a stack whose state holds something.
    """
    with session.open_for_update("remove", ignore, create=False) as opened:
        left = operations.remove(opened, force=force)
        session.forget_opened()
        shutil.rmtree(session.work_dir, ignore_errors=True)
    return left


def _destroy(session: Session, opened: OpenedStack, worker_seconds: float) -> EngineResult:
    """Stop all pods, and let the engine delete everything. If it does not come to its end, they start again."""
    if _may_be_locked(session):
        return operations.destroy(opened)  # says who has the lock; until then, nothing is touched
    stopped = _stop_workers(session, opened, worker_seconds, whole=True)
    try:
        return operations.destroy(opened)
    except BaseException:
        with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
            start_workers(*session.cluster(), stopped)
        raise


def _may_be_locked(session: Session) -> bool:
    try:
        return bool(session.locks())
    except UpdateFailed:
        return True  # the backend does not answer; the engine says so too


def _stop_workers(session: Session, opened: OpenedStack, seconds: float, *, whole: bool = False) -> StoppedPods:
    """Stop the workers. The destroy does without it where that is not possible: it only takes longer."""
    try:
        return stop_workers(
            *session.cluster(),
            seconds=seconds,
            on_line=opened.teller.note,
            clock=session.cancellation.clock(),
            whole=whole,
        )
    except (KubeRequestFailed, KubeUnreachable) as error:
        opened.teller.note(f"the workers were not stopped first ({error.what}): their end may take long")
        return StoppedPods(replicas={})


def run(
    session: Session, verb: str, opened: OpenedStack, engine_run: Callable[[], EngineResult], identity: str
) -> Update:
    """Run the engine once no other update has the lock.

    Args:
        session: The stack.
        verb: What was asked for.
        opened: The stack, opened for an update.
        engine_run: Runs the engine.
        identity: The cluster's identity if it must be stored, else "".
    """
    started = 0.0

    def attempt() -> EngineResult:
        nonlocal started
        started = time.monotonic()
        store_first_cluster(opened, identity)
        return engine_run()

    result = retry_while_locked(attempt, opened.teller, session.cancellation, session.limits.lock_seconds)
    session.cancellation.record("the engine did its work")
    seconds = round(time.monotonic() - started, 1)
    if identity:
        store_tag(opened, identity)
    return Update(
        stack=session.name,
        verb=verb,
        changes=result.changes,
        steps=result.steps,
        seconds=seconds,
        outputs={} if verb == "destroy" else operations.stack_outputs(opened),
    )


def store_first_cluster(opened: OpenedStack, identity: str) -> None:
    """Store the cluster of a stack that has none yet, before anything is made there: a failed update makes things too.

    The identity of a new cluster is stored only after a success: until then the state tells of the old one.
    """
    if identity and not read_tag(opened):
        store_tag(opened, identity)


def history_entry(record: Mapping[str, Any]) -> HistoryEntry:
    """Return one update from the JSON of `pulumi stack history`."""
    image = (record.get("config") or {}).get(f"{PROJECT}:imageTag") or {}
    return HistoryEntry(
        version=int(record.get("version") or 0),
        kind=str(record.get("kind") or ""),
        result=str(record.get("result") or ""),
        started=str(record.get("startTime") or ""),
        ended=str(record.get("endTime") or ""),
        changes=Changes({str(kind): int(count) for kind, count in (record.get("resourceChanges") or {}).items()}),
        image_tag="" if image.get("secret") else str(image.get("value") or ""),
    )


def usual_seconds(history: Sequence[HistoryEntry]) -> float | None:
    """Return the median duration of those updates that changed something; None without any."""
    seconds = [
        (datetime.fromisoformat(entry.ended) - datetime.fromisoformat(entry.started)).total_seconds()
        for entry in history
        if entry.kind == "update"
        and entry.result == "succeeded"
        and entry.changes.any
        and entry.started
        and entry.ended
    ]
    return round(statistics.median(seconds), 0) if seconds else None
