"""The status of a stack: its lock, what was interrupted, its Helm release, its workloads and pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import compatibility
import outputs
from automation.cluster.client import KubeClient
from automation.cluster.objects import ClusterObjects, Found, ReleaseRecord
from automation.cluster.pods import REVISION
from automation.engine.locks import Holder, Lock
from automation.engine.stack_state import RELEASE, Pending, StackState
from automation.results import Result
from automation.stacks.config import StackConfig
from components.kube.kinds import CLAIM
from components.kube.unready_pods import Cause
from components.kube.workload_states import WorkloadState
from components.release.airflow_release import RELEASE_NAME

_DEPLOYED = "deployed"


@dataclass(frozen=True, kw_only=True)
class UnreadyPod(Result):
    """A pod of no workload that is not ready, such as one that runs a single task."""

    name: str
    reason: str
    """Why, in a word or two of Kubernetes."""
    why: str = ""
    """The same in a sentence, with the pod's name and Kubernetes' messages; "" if no more is known."""


@dataclass(frozen=True, kw_only=True)
class StuckPod(Result):
    """A pod of an old revision that is not ready. Its StatefulSet waits for it, and makes none of the newest revision.

    Kubernetes calls it a known issue: a person must delete the pod.
    """

    name: str
    stateful_set: str
    revision: str
    """The revision of the pod."""
    newest: str
    """The newest revision of its StatefulSet."""
    reason: str
    """Why it is not ready, in a word or two of Kubernetes."""


@dataclass(frozen=True, kw_only=True)
class ClusterStatus(Result):
    """The objects and pods of the stack in its cluster."""

    release: ReleaseRecord | None = None
    """Helm's newest record of the release, None if Helm knows none."""
    release_missing: bool = False
    """The state holds a release of which Helm has no record."""
    workloads: tuple[WorkloadState, ...] = ()
    """The workloads, Jobs and volumes that are not ready, each with the reason of its worst pod."""
    schedules: tuple[WorkloadState, ...] = ()
    """The CronJobs that failed the last time, each with the reason of its pod."""
    unready_pods: tuple[UnreadyPod, ...] = ()
    """Those of no workload."""
    stuck_pods: tuple[StuckPod, ...] = ()
    leftovers: tuple[Found, ...] = ()
    """Objects with the program's labels that the state does not know."""
    kubernetes: str = ""
    """The version of the cluster, "" if it does not tell."""


@dataclass(frozen=True, kw_only=True)
class StackStatus(Result):
    """What is wrong with a stack. A stack that does not exist is not healthy."""

    stack: str
    exists: bool
    """The backend knows the stack."""
    deployed: bool = False
    """Its state holds something."""
    locks: tuple[Lock, ...] | None = ()
    """None if the backend does not tell who holds one."""
    pending: tuple[Pending, ...] = ()
    """The steps that were interrupted."""
    cluster: ClusterStatus | None = None
    """None if nothing is deployed, or if the cluster could not be looked at."""
    cluster_error: str = ""
    """Why the cluster could not be looked at."""
    restoration: str = ""
    """What is restored and not finished, and what continues it; "" if there is none."""
    halted: str = ""
    """What runs, and what brings the rest back; "" if everything runs."""
    rotation: str = ""
    """How far a rotation is that was not finished, and what continues it; "" if there is none."""
    upgrade: str = ""
    """The same of an upgrade or a rollback."""
    dags: str = ""
    """Where the DAGs come from; "" if nothing is deployed."""
    airflow: str = ""
    """Airflow in the config; "" if the config is not valid."""
    expires: str = ""
    """Until when the stack is kept, as `2026-01-31T10:45:00Z`; "" if for ever."""
    authority: str = ""
    """That the authority of the database ends soon, and what helps; "" if it does not."""

    SHOWN = ("healthy", "running", "problems", "notes")

    @property
    def running(self) -> bool:
        """An update runs now: a process of this machine that lives holds the lock."""
        return any(lock.holder is Holder.ALIVE for lock in self.locks or ())

    @property
    def killed(self) -> bool:
        """An update left a lock whose process is gone, or steps that were begun, and none runs now."""
        gone = any(lock.holder is Holder.GONE for lock in self.locks or ())
        return not self.running and (gone or bool(self.pending))

    @property
    def interrupted(self) -> bool:
        """An update did not come to its end, or left what only `recover` repairs."""
        release, stuck = (self.cluster.release, self.cluster.stuck_pods) if self.cluster else (None, ())
        return bool(self.locks or self.pending or stuck or (release is not None and release.status != _DEPLOYED))

    @property
    def healthy(self) -> bool:
        """All runs, and no update is half done. What is left over does no harm, nor do unfinished stages.

        A stack that is frozen or stopped on purpose is healthy too, and so is one of which a CronJob failed: it may be
        right again, which only the next time shows.
        """
        return not self._unhealthy()

    @property
    def problems(self) -> tuple[str, ...]:
        """The problems, a sentence each: first causes, then what follows from them, last what is left over."""
        left = self.cluster.leftovers if self.cluster else ()
        known = [text for text in (self.restoration, self.halted, self.rotation, self.upgrade) if text]
        failed = [item.sentence for item in self.cluster.schedules] if self.cluster else []
        leftovers = [f"{leftover} is left over: the state does not know it" for leftover in left]
        return (*self._unhealthy(), *failed, *known, *leftovers)

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings of what works now: it will end, or its versions are untested together or get no fixes."""
        ends = (f"python -m automation expire removes the stack after {self.expires}",) if self.expires else ()
        return (*ends, *([self.authority] if self.authority else []), *self._versions())

    def _versions(self) -> tuple[str, ...]:
        if not self.airflow:
            return ()
        kubernetes = self.cluster.kubernetes if self.cluster else ""
        refused = compatibility.refusals(self.airflow, kubernetes=kubernetes)
        return (*refused, *compatibility.notes(self.airflow, kubernetes=kubernetes))

    def _unhealthy(self) -> list[str]:
        problems = [] if self.exists else [f"there is no stack {self.stack}"]
        problems += map(_held, self.locks or ())
        holders = {lock.holder for lock in self.locks or ()}
        # The state of a running update looks like that of a killed one.
        word = "interrupted while"
        if Holder.ALIVE in holders:
            word = "under way:"
        elif Holder.UNKNOWN in holders:
            word = "under way, or interrupted while"
        problems += [f"{word} {pending}" for pending in self.pending]
        if self.cluster_error:
            problems.append(self.cluster_error)
        if self.cluster is not None:
            problems += _cluster_problems(self.cluster)
        return problems


def ending_authority(config: StackConfig, stack: str) -> str:
    """Return that the authority in a config ends within 30 days, and what helps; "" if it does not."""
    if not config.database_ca:
        return ""
    # Imported here: the parser of certificates loads slowly.
    from components.database.rds_certificates import soon_ended

    end = soon_ended(config.database_ca, now=datetime.now(UTC))
    if end is None:
        return ""
    fix = f"python -m automation rotate ca {stack} --from FILE replaces it"
    return f"airflow:databaseCaCertificate: the database's authority ends on {end:%Y-%m-%d}; {fix}"


def dags_place(found: Mapping[str, Any]) -> str:
    """Return where the DAGs of a stack with these outputs come from; "" if they do not say."""
    delivery = found.get(outputs.DAGS_DELIVERY)
    if not delivery:
        return ""
    if delivery == "image":
        return f"in the image {found.get(outputs.IMAGE)}"
    several = found.get(outputs.DAG_BUNDLES) or {}
    places = ", ".join(f"{name} from {url}" for name, url in sorted(several.items()))
    return f"{places or found.get(outputs.DAGS_REPOSITORY)} by {delivery}"


def cluster_status(kube: KubeClient, objects: ClusterObjects, state: StackState) -> ClusterStatus:
    """Look at the namespace of a stack. Raises ClusterUnreachable, ClusterRequestFailed."""
    # The pods first: a pod that becomes ready meanwhile then counts in its workload.
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
    stuck_sets = {pod.stateful_set for pod in stuck}
    release = objects.release(RELEASE_NAME)
    seen = kube.look()
    known = {unready.pod: unready.sentence for unready in seen.loose}
    return ClusterStatus(
        release=release,
        release_missing=release is None and _holds_release(state),
        workloads=tuple(item for item in seen.workloads if _is_unready(item) and item.name not in stuck_sets),
        schedules=seen.schedules,
        unready_pods=tuple(
            UnreadyPod(name=pod.name, reason=pod.reason, why=known.get(pod.name, ""))
            for pod in sorted(pods, key=lambda pod: pod.name)
            if not pod.ready and not pod.workload
        ),
        stuck_pods=tuple(stuck),
        leftovers=leftovers(objects.owned(), state),
        kubernetes=kube.version(),
    )


def _holds_release(state: StackState) -> bool:
    return any(resource.type == RELEASE and not resource.being_replaced for resource in state.resources)


def _is_unready(item: WorkloadState) -> bool:
    """Return whether something is wrong with a workload. A volume may wait for the first pod that uses it."""
    if item.kind == CLAIM:
        return item.unready is not None and item.unready.cause is Cause.VOLUME
    return not item.well


def leftovers(owned: Sequence[Found], state: StackState) -> tuple[Found, ...]:
    """Return the objects with the program's labels that the state does not know."""
    return tuple(
        item
        for item in owned
        if item.is_own and not item.deleting and not state.knows(f"kubernetes:{_group(item)}", item.id)
    )


def _group(item: Found) -> str:
    """Return group, version and kind as in Pulumi's types: `core/v1:Secret`, `apps/v1:StatefulSet`."""
    group, _, version = item.api_version.rpartition("/")
    return f"{group or 'core'}/{version}:{item.kind}"


def _held(lock: Lock) -> str:
    if lock.holder is Holder.ALIVE:
        return f"an update is running ({lock})"
    known = {
        Holder.GONE: "that process does not run any more",
        Holder.UNKNOWN: "whether that process runs cannot be seen from here",
    }
    return f"locked: {lock}; {known[lock.holder]}"


def _cluster_problems(cluster: ClusterStatus) -> list[str]:
    problems = []
    if cluster.release_missing:
        problems.append(
            f"Helm release {RELEASE_NAME} is gone: the state holds it, and the cluster has no record of it; "
            "refresh and up make it again"
        )
    if cluster.release is not None and cluster.release.status != _DEPLOYED:
        problems.append(f"Helm release {RELEASE_NAME}: revision {cluster.release.revision} is {cluster.release.status}")
    problems += [item.sentence for item in cluster.workloads]
    problems += [
        f"StatefulSet {pod.stateful_set} is stuck: pod {pod.name} is of revision {pod.revision} "
        f"and not ready ({pod.reason}), the newest is {pod.newest}"
        for pod in cluster.stuck_pods
    ]
    problems += [pod.why or f"pod {pod.name} is not ready ({pod.reason})" for pod in cluster.unready_pods]
    return problems
