"""What is wrong with a stack, by name: its lock, what was interrupted, its Helm release, its workloads and pods."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from automation.cluster.client import REVISION, Kube, Pod, Workload
from automation.cluster.objects import FailedJob, Found, Objects, ReleaseRecord
from automation.engine.locks import Holder, Lock
from automation.engine.stack_state import RELEASE, Pending, StackState
from automation.results import Result
from components.release.airflow_release import RELEASE_NAME

_DEPLOYED = "deployed"
_POD_NAMES: Final = {"Deployment": r"-[^-]+-[^-]{5}", "StatefulSet": r"-\d+"}
"""What Kubernetes adds to a workload's name for those of its pods."""


@dataclass(frozen=True, kw_only=True)
class UnhealthyPod(Result):
    """reason: why it is not ready, in a word or two of Kubernetes."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class StuckPod(Result):
    """A StatefulSet waits for this pod to become ready, and makes none of its newest revision before.

    revision, newest: of the pod, and of its StatefulSet. Kubernetes calls it a known issue: a person must delete it.
    """

    name: str
    stateful_set: str
    revision: str
    newest: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ShortWorkload(Result):
    """A Deployment or StatefulSet that lacks pods, of which none that is there says why.

    ready, desired: numbers of pods. reason: in Kubernetes' own words, "" where it says none.
    """

    kind: str
    name: str
    ready: int
    desired: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ClusterStatus(Result):
    """What the cluster has of the stack. release: None where Helm knows none.

    release_missing: and the state holds one. leftovers: objects with the program's labels that the state does not know.
    """

    release: ReleaseRecord | None = None
    release_missing: bool = False
    short_workloads: tuple[ShortWorkload, ...] = ()
    unhealthy_pods: tuple[UnhealthyPod, ...] = ()
    stuck_pods: tuple[StuckPod, ...] = ()
    failed_jobs: tuple[FailedJob, ...] = ()
    leftovers: tuple[Found, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Status(Result):
    """problems: a sentence each; none where all is well. A stack that is not there is not healthy.

    exists: the backend knows the stack. deployed: its state holds something.
    locks: None where the backend does not tell who holds one. pending: operations that were interrupted.
    cluster: None where nothing is deployed, or where it could not be looked at: then cluster_error says why.
    """

    stack: str
    exists: bool
    deployed: bool = False
    locks: tuple[Lock, ...] | None = ()
    pending: tuple[Pending, ...] = ()
    cluster: ClusterStatus | None = None
    cluster_error: str = ""

    SHOWN = ("healthy", "problems")

    @property
    def healthy(self) -> bool:
        """All runs, and nothing is half done. An object that is left over disturbs nobody."""
        return not self._unhealthy()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, the cause before what follows from it; then what is left over."""
        left = self.cluster.leftovers if self.cluster else ()
        return (*self._unhealthy(), *(f"{leftover} is left over: the state does not know it" for leftover in left))

    def _unhealthy(self) -> list[str]:
        found = [] if self.exists else [f"there is no stack {self.stack}"]
        found += [f"locked: {_held(lock)}" for lock in self.locks or ()]
        found += [f"interrupted while {pending}" for pending in self.pending]
        if self.cluster_error:
            found.append(self.cluster_error)
        if self.cluster is not None:
            found += _cluster_problems(self.cluster)
        return found


def cluster_status(kube: Kube, objects: Objects, state: StackState) -> ClusterStatus:
    """Looks at the namespace of a stack. Raises ClusterUnreachable, ClusterRequestFailed."""
    # The pods first: one that becomes ready meanwhile then counts in its workload.
    pods, workloads, stuck = kube.pods({}), kube.workloads({}), []
    by_name = {pod.name: pod for pod in pods}
    for workload in workloads:
        for number in range(workload.desired if workload.ordered else 0):
            pod = by_name.get(f"{workload.name}-{number}")
            if pod is None or pod.ready or not workload.revision:
                continue
            revision = pod.labels.get(REVISION, workload.revision)
            if revision != workload.revision:
                stuck.append(
                    StuckPod(
                        name=pod.name,
                        stateful_set=workload.name,
                        revision=revision,
                        newest=workload.revision,
                        reason=pod.reason,
                    )
                )
    names = {pod.name for pod in stuck}
    release = objects.release(RELEASE_NAME)
    return ClusterStatus(
        release=release,
        release_missing=release is None and _holds_release(state),
        short_workloads=tuple(
            ShortWorkload(
                kind=workload.kind,
                name=workload.name,
                ready=workload.ready,
                desired=workload.desired,
                reason=objects.replica_failure(workload.kind, workload.name),
            )
            for workload in workloads
            if workload.ready < workload.desired and not _has_unready(workload, pods)
        ),
        unhealthy_pods=tuple(
            UnhealthyPod(name=pod.name, reason=pod.reason)
            for pod in sorted(pods, key=lambda pod: pod.name)
            if not pod.ready and pod.name not in names
        ),
        stuck_pods=tuple(stuck),
        failed_jobs=objects.failed_jobs(),
        leftovers=leftovers(objects.owned(), state),
    )


def _holds_release(state: StackState) -> bool:
    return any(resource.type == RELEASE and not resource.being_replaced for resource in state.resources)


def _has_unready(workload: Workload, pods: Sequence[Pod]) -> bool:
    own = re.compile(re.escape(workload.name) + _POD_NAMES[workload.kind])
    return any(not pod.ready and own.fullmatch(pod.name) for pod in pods)


def leftovers(owned: Sequence[Found], state: StackState) -> tuple[Found, ...]:
    """Objects that carry the program's labels, and that the state has never heard of."""
    return tuple(
        found
        for found in owned
        if found.is_own and not found.deleting and not state.knows(f"kubernetes:{_group(found)}", found.id)
    )


def _group(found: Found) -> str:
    """`core/v1:Secret`, `apps/v1:StatefulSet`: as in Pulumi's types."""
    group, _, version = found.api_version.rpartition("/")
    return f"{group or 'core'}/{version}:{found.kind}"


def _held(lock: Lock) -> str:
    known = {
        Holder.ALIVE: "that process runs",
        Holder.GONE: "that process does not run any more",
        Holder.UNKNOWN: "whether that process runs cannot be seen from here",
    }
    return f"{lock}; {known[lock.holder]}"


def _cluster_problems(cluster: ClusterStatus) -> list[str]:
    found = []
    if cluster.release_missing:
        found.append(
            f"Helm release {RELEASE_NAME} is gone: the state holds it, and the cluster has no record of it; "
            "refresh and up make it again"
        )
    if cluster.release is not None and cluster.release.status != _DEPLOYED:
        found.append(f"Helm release {RELEASE_NAME}: revision {cluster.release.revision} is {cluster.release.status}")
    found += [f"Job {job.name} has failed ({job.reason})" for job in cluster.failed_jobs]
    found += [
        f"{item.kind} {item.name} has {item.ready} of {item.desired} pods ready, and no other to blame"
        f"{f' ({item.reason})' if item.reason else ''}"
        for item in cluster.short_workloads
    ]
    found += [
        f"StatefulSet {pod.stateful_set} is stuck: pod {pod.name} is of revision {pod.revision} "
        f"and not ready ({pod.reason}), the newest is {pod.newest}"
        for pod in cluster.stuck_pods
    ]
    found += [f"pod {pod.name} is not ready ({pod.reason})" for pod in cluster.unhealthy_pods]
    return found
