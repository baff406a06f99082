"""The workloads of a namespace as a person looks at them: how many pods are ready, and why the worst one is not.

Pure functions on what the Kubernetes API returns. Everything that says why something is not ready goes through them:
the progress of an update, the hook of a failed release, `status`, and the checks of `verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from components.kube.container_states import short
from components.kube.denied_pods import denied, refused
from components.kube.kinds import CLAIM, DEPLOYMENT, JOB, STATEFUL_SET
from components.kube.rollout import Rollout
from components.kube.unready_pods import Cause, KubeEvent, Unready, why_ending, why_unready

CHECK_JOB: Final = "airflow-preflight-"
"""Beginning of the names of the preflight's Jobs (`components.preflight.pod_run.LABEL`, tested)."""

_WORST: Final = (
    *(Cause.DENIED, Cause.CONFIG, Cause.IMAGE, Cause.CRASH, Cause.SCHEDULING, Cause.VOLUME, Cause.INIT),
    *(Cause.HELD, Cause.PROBE, Cause.PULLING, Cause.STARTING, Cause.RUNNING, Cause.ENDING),
)
"""The worst comes first: what does not pass by itself."""
_VOLATILE: Final = frozenset({Cause.IMAGE, Cause.CONFIG, Cause.CRASH, Cause.HELD})
"""The texts of these change with every attempt, without saying anything new."""


@dataclass(frozen=True, kw_only=True)
class WorkloadState:
    """A workload, a Job or a volume, and why it is not ready."""

    kind: str
    """`Deployment`, `StatefulSet`, `Job`, `PersistentVolumeClaim`; `CronJob` in `Look.schedules` alone."""
    name: str
    """Name of the object."""
    ready: int
    """Number of ready pods; of a Job, those that have succeeded; of a volume, whether it is bound."""
    wanted: int
    """Number that it should have."""
    unready: Unready | None = None
    """Why the worst of its pods is not ready; None if all is well, or nothing is known."""
    current: bool = True
    """Whether its controller has seen the newest template, and every pod is made from it."""
    failed: str = ""
    """Why Kubernetes does not try a Job again, in a word; "" for anything else."""
    release: str = ""
    """The Helm release that it belongs to; "" if it belongs to none."""

    @property
    def well(self) -> bool:
        """It has all that it should have, and a Job has succeeded."""
        return self.ready >= self.wanted and self.current and not self.failed

    def is_of(self, type_: str) -> bool:
        """Return whether a resource of this Pulumi type made it: the release, or the program itself."""
        kind = type_.rpartition(":")[2]
        if kind == "Release":
            return bool(self.release)
        # The hook of a ConfigMap makes it.
        own = "ConfigMap" if self.is_check else self.kind
        return not self.release and own == kind

    @property
    def is_check(self) -> bool:
        """It is a Job of the preflight, which judges its pod itself."""
        return self.kind == JOB and self.name.startswith(CHECK_JOB)

    @property
    def says(self) -> str:
        """The state on one line: `airflow-scheduler 0/1 ready: git-sync-init: couldn't find remote ref main`."""
        count = f"{self.name} {self.ready}/{self.wanted} {'done' if self.kind == JOB else 'ready'}"
        why = self.failed and f"failed ({self.failed})"
        if self.unready is not None and not (self.well and self.unready.cause is Cause.STARTING):
            # While as many pods are ready as there should be, the one that is not is a new one.
            is_new = self.ready >= self.wanted > 0 and self.unready.cause is not Cause.ENDING
            short = f"new pod: {self.unready.short}" if is_new else self.unready.short
            why = f"{why}, {short}" if why else short
        elif not why and self.ready >= self.wanted and not self.current:
            why = "old pods are replaced"
        return f"{count}: {why}" if why else count

    @property
    def sentence(self) -> str:
        """A sentence with names and messages that says why it is not well. Ask only one that is not."""
        done = "has not ended" if self.kind == JOB else f"has {self.ready} of {self.wanted} pods ready"
        done = f"has failed ({self.failed})" if self.failed else "is not bound" if self.kind == CLAIM else done
        if self.ready >= self.wanted and not self.failed:
            done = "has old pods that are not replaced yet"
        return f"{self.kind} {self.name} {done}" + (f": {self.unready.sentence}" if self.unready else "")

    @property
    def key(self) -> tuple[object, ...]:
        """The part of the state whose change is worth a new line."""
        found, why = self.unready, ("", "", "")
        if found is not None:
            why = (found.cause, found.container, "" if found.cause in _VOLATILE else found.detail)
            if found.cause is Cause.STARTING or (found.cause is Cause.INIT and not found.tries):
                why = (Cause.STARTING, "", "")  # what every pod goes through
        return (self.ready, self.wanted, self.current, self.failed, why)


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """The objects of a namespace, as the Kubernetes API returns it."""

    pods: Sequence[Mapping[str, Any]] = ()
    deployments: Sequence[Mapping[str, Any]] = ()
    stateful_sets: Sequence[Mapping[str, Any]] = ()
    jobs: Sequence[Mapping[str, Any]] = ()
    claims: Sequence[Mapping[str, Any]] = ()
    events: Sequence[KubeEvent] = ()


def kube_event(item: Mapping[str, Any]) -> KubeEvent:
    """Return an event of the Kubernetes API as a `KubeEvent`."""
    about, metadata = item.get("involvedObject") or {}, item["metadata"]
    return KubeEvent(
        uid=str(about.get("uid") or ""),
        kind=str(about.get("kind") or ""),
        name=str(about.get("name") or ""),
        reason=str(item.get("reason") or ""),
        message=" ".join(str(item.get("message") or "").split()),
        last=str(item.get("lastTimestamp") or item.get("eventTime") or metadata.get("creationTimestamp") or ""),
        sign=f"{metadata.get('uid')}:{metadata.get('resourceVersion')}",
    )


def workload_states(found: Namespace, log: Callable[[Unready], str] = lambda unready: "") -> tuple[WorkloadState, ...]:
    """Return the workloads by kind and name.

    Args:
        found: What was read.
        log: Returns the end of the log of the container that is to blame. It is asked once for each workload.
    """
    about: dict[str, list[KubeEvent]] = {}
    for event in found.events:
        about.setdefault(event.uid, []).append(event)
    pods: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for pod in found.pods:
        pods.setdefault(owner(pod), []).append(pod)

    def worst(kind: str, name: str) -> Unready | None:
        own = pods.get((kind, name), ())
        reasons = [
            # A pod that failed as a whole, such as one that was evicted, stays beside its successor.
            (kind != JOB and (pod.get("status") or {}).get("phase") == "Failed", _WORST.index(reason.cause), reason)
            for pod in own
            if (reason := why_unready(pod, about.get(str(pod["metadata"].get("uid")), ()))) is not None
        ]
        worst = min(reasons, key=lambda item: (*item[:2], item[2].pod), default=None)
        return worst[2] if worst else why_ending(own)

    states = [
        *(_replicated(DEPLOYMENT, item, worst, found.events) for item in found.deployments),
        *(_replicated(STATEFUL_SET, item, worst, found.events) for item in found.stateful_sets),
        # The Jobs of a CronJob come and go by themselves.
        *(_job(item, worst, pods, found.events) for item in found.jobs if not item["metadata"].get("ownerReferences")),
        *(_claim(item, found.events) for item in found.claims),
    ]
    return tuple(_with_log(state, log) for state in sorted(states, key=lambda state: (state.kind, state.name)))


def all_say(states: Iterable[WorkloadState]) -> str:
    """Return what workloads say of themselves on one line, with a reason that several have said once."""
    by_reason: dict[str, list[str]] = {}
    for state in states:
        count, _, why = state.says.partition(": ")
        by_reason.setdefault(why, []).append(count)
    return "; ".join(", ".join(counts) + (f": {why}" if why else "") for why, counts in by_reason.items())


def loose_pods(found: Namespace) -> tuple[Unready, ...]:
    """Return why pods that belong to nothing are not ready, by name."""
    loose = sorted((pod for pod in found.pods if owner(pod) == ("", "")), key=lambda pod: str(pod["metadata"]["name"]))
    about = ([event for event in found.events if event.uid == str(pod["metadata"].get("uid"))] for pod in loose)
    reasons = (why_unready(pod, events) for pod, events in zip(loose, about, strict=True))
    return tuple(reason for reason in reasons if reason is not None)


def owner(pod: Mapping[str, Any]) -> tuple[str, str]:
    """Return kind and name of the workload that a pod belongs to; empty texts for one that belongs to none."""
    metadata = pod["metadata"]
    reference: Mapping[str, Any] = next(iter(metadata.get("ownerReferences") or ()), {})
    kind, name = str(reference.get("kind") or ""), str(reference.get("name") or "")
    if kind == "ReplicaSet":
        return DEPLOYMENT, name.removesuffix(f"-{(metadata.get('labels') or {}).get('pod-template-hash')}")
    return kind, name


def _replicated(
    kind: str, item: Mapping[str, Any], worst: Callable[[str, str], Unready | None], events: Sequence[KubeEvent]
) -> WorkloadState:
    metadata, found = item["metadata"], Rollout.of(kind, item)
    name = str(metadata["name"])
    unready = worst(kind, name)
    lacks = found.ready < found.wanted or not found.current
    if lacks and min(found.replicas, found.updated) < found.wanted:
        unready = denied(kind, name, events) or refused(item) or unready
    return WorkloadState(
        kind=kind,
        name=name,
        ready=found.ready,
        wanted=found.wanted,
        unready=unready if lacks else None,
        current=found.current,
        release=str((metadata.get("labels") or {}).get("release") or ""),
    )


def _job(
    item: Mapping[str, Any],
    worst: Callable[[str, str], Unready | None],
    pods: Mapping[tuple[str, str], Sequence[Mapping[str, Any]]],
    events: Sequence[KubeEvent],
) -> WorkloadState:
    metadata, status = item["metadata"], item.get("status") or {}
    name = str(metadata["name"])
    wanted = int((item.get("spec") or {}).get("completions") or 1)
    done = int(status.get("succeeded") or 0)
    conditions = [entry for entry in status.get("conditions") or () if entry.get("status") == "True"]
    failed = next((str(entry.get("reason") or "Failed") for entry in conditions if entry.get("type") == "Failed"), "")
    running = [pod for pod in pods.get((JOB, name), ()) if (pod.get("status") or {}).get("phase") == "Running"]
    unready = worst(JOB, name)
    if not pods.get((JOB, name)):
        unready = denied(JOB, name, events) or unready
    if running and (unready is None or unready.cause in (Cause.STARTING, Cause.PROBE)):
        own = running[0]["metadata"]
        unready = Unready(
            "runs",
            f"pod {own['name']} runs",
            cause=Cause.RUNNING,
            container=str(running[0]["spec"]["containers"][0]["name"]),
            pod=str(own["name"]),
            sign=str(own.get("uid") or ""),
        )
    return WorkloadState(
        kind=JOB,
        name=name,
        ready=done,
        wanted=wanted,
        unready=None if done >= wanted else unready,
        failed="" if done >= wanted else failed,
    )


def _claim(item: Mapping[str, Any], events: Sequence[KubeEvent]) -> WorkloadState:
    metadata = item["metadata"]
    bound = (item.get("status") or {}).get("phase") == "Bound"
    own = [event for event in events if event.kind == CLAIM and event.name == metadata["name"]]
    newest = max(own, key=lambda event: event.last, default=None)
    unready = None
    if not bound and newest is not None:
        unready = Unready(
            newest.reason,
            f"volume claim {metadata['name']} is not bound: {short(newest.message)}",
            cause=Cause.VOLUME if newest.reason == "ProvisioningFailed" else Cause.STARTING,
            detail=short(newest.message),
            sign=newest.sign,
        )
    labels = metadata.get("labels") or {}
    return WorkloadState(
        kind=CLAIM,
        name=str(metadata["name"]),
        ready=int(bound),
        wanted=1,
        unready=unready,
        release=str(labels.get("release") or ""),
    )


def _with_log(state: WorkloadState, log: Callable[[Unready], str]) -> WorkloadState:
    found = state.unready
    if found is None or not found.container or found.cause not in (Cause.INIT, Cause.CRASH):
        return state
    return replace(state, unready=found.with_log(log(found)))
