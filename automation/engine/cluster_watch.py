"""Watches the cluster while the engine waits for a release, a Job or a volume, and ends a wait that is hopeless.

The engine gets the signal of a Ctrl-C. It passes the cancel on to the Kubernetes provider, which ends the wait, records
what is there, and releases the lock. The next update takes over what was left (ADR 25).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from automation.engine.command import Engine
from automation.engine.progress import Progress, last_words_of_jobs
from automation.engine.stack_state import RELEASE
from components.kube.kinds import CLAIM, JOB, STATEFUL_SET
from components.kube.kubeconfig import KubeUnreachable
from components.kube.look import Look
from components.kube.rest import KubeRequestFailed
from components.kube.unready_pods import Cause
from components.kube.watch import Watch
from components.kube.workload_states import WorkloadState
from components.release.ready_watch import of_release

_RELEASE_NAME: Final = "airflow"
"""`components.release.airflow_release.RELEASE_NAME` (tested). Importing that would load the Kubernetes SDK."""
_KINDS: Final = {
    "kubernetes:batch/v1:Job": JOB,
    "kubernetes:apps/v1:StatefulSet": STATEFUL_SET,
    "kubernetes:core/v1:PersistentVolumeClaim": CLAIM,
}
"""The program's own resources for which the provider waits, by Pulumi type."""
_CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"
"""Type of the resources whose hooks make the checks of the preflight."""
_TOLD: Final = frozenset({Cause.PULLING, Cause.IMAGE, Cause.SCHEDULING, Cause.DENIED})
"""What a pod of the preflight may wait for longer than a moment."""


def waited_for(types: Iterable[str], seen: Look) -> tuple[WorkloadState, ...]:
    """Return the workloads for which steps of these types wait."""
    types = frozenset(types)
    kinds = {kind for type_, kind in _KINDS.items() if type_ in types}
    own = [state for state in seen.workloads if not state.release and state.kind in kinds and not state.is_check]
    release = of_release(seen.workloads, _RELEASE_NAME) if RELEASE in types else ()
    return (*(state for state in own if state not in release), *release)


def checks(types: Iterable[str], seen: Look) -> tuple[WorkloadState, ...]:
    """Return the Jobs of the preflight that wait for something, if steps of these types may make one."""
    if _CONFIG_MAP not in types:
        return ()
    return tuple(item for item in seen.workloads if item.is_check and item.unready and item.unready.cause in _TOLD)


def said_at_the_end(look: Callable[[], Look] | None, progress: Progress) -> dict[str, str]:
    """Return the last words of the pods of Jobs, by the names of the Jobs: as they are now, or were seen last."""
    with suppress(KubeRequestFailed, KubeUnreachable):
        if look is not None:
            return {**progress.said, **last_words_of_jobs(look().workloads)}
    return progress.said


def cluster_watch(look: Callable[[], Look], progress: Progress, engine: Engine) -> Watch:
    """Return a watch of an update that the engine runs."""

    def give_up(states: tuple[WorkloadState, ...]) -> None:
        if not engine.interrupted:
            progress.given_up = states
            engine.cancel()

    return Watch(
        look,
        waited_for=lambda seen: waited_for(progress.waits_for, seen),
        on_look=lambda seen, states: progress.see(states),
        on_hopeless=give_up,
        active=lambda: bool(progress.waits_for & {RELEASE, _CONFIG_MAP, *_KINDS}),
        beside=lambda seen: checks(progress.waits_for, seen),
    )
