"""Finds what Kubernetes would refuse around pods: numbers, strategies, scalers, budgets and schedules. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.kube.any_form import entries, mapping
from components.kube.names import DNS_NAME, qualified
from components.kube.schedules import is_schedule
from policy.model import RenderedObject, get
from policy.pods import pod_of

QUANTITY: Final = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?")
"""An amount (kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity)."""
_NOT_NEGATIVE: Final = (
    *("minReadySeconds", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit"),
    *("failedJobsHistoryLimit", "startingDeadlineSeconds", "successfulJobsHistoryLimit"),
)
_KINDS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "Deployment": ("strategy", ("RollingUpdate", "Recreate")),
    "StatefulSet": ("updateStrategy", ("RollingUpdate", "OnDelete")),
}
"""Workloads, each with the field of its strategy and the types that it knows."""
_MOST_PERCENT: Final = 100
_CLASS: Final = "kubernetes.io/ingress.class"
"""What the class of an Ingress was before it became a field; Kubernetes takes one of the two."""


def workload_problems(rendered: RenderedObject) -> Iterator[str]:
    """Yield what is wrong with an object, its pod left aside."""
    spec = mapping(rendered.body.get("spec"))
    yield from _metadata_problems(rendered)
    claims = [mapping(claim.get("spec")) for claim in entries(spec.get("volumeClaimTemplates"))]
    for claim in [*claims, *([spec] if rendered.kind == "PersistentVolumeClaim" else [])]:
        yield from claim_problems(claim)
    for field in _NOT_NEGATIVE:
        number = spec.get(field)
        if isinstance(number, int) and number < 0:
            yield f"has {field} {number}: write 0 or more"
    grace = get(pod_of(rendered), "spec.terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace < 0:
        yield f"has terminationGracePeriodSeconds {grace}: write 0 or more"
    if rendered.kind in _KINDS:
        yield from _strategy_problems(spec, *_KINDS[rendered.kind])
    if rendered.kind == "HorizontalPodAutoscaler":
        least, most = spec.get("minReplicas"), spec.get("maxReplicas")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield f"has minReplicas {least} above maxReplicas {most}: raise the second, or lower the first"
    if rendered.kind == "PodDisruptionBudget":
        if None not in (spec.get("minAvailable"), spec.get("maxUnavailable")):
            yield "has minAvailable and maxUnavailable: give one of the two"
        for field in ("minAvailable", "maxUnavailable"):
            if _no_share(spec.get(field)):
                yield f"has {field} {spec.get(field)}: write a number of pods, or a share such as 50%"
    if rendered.kind == "Ingress" and spec.get("ingressClassName") and _CLASS in _annotations(rendered):
        yield f"has the annotation {_CLASS} beside ingressClassName: leave it out, and use airflow:ingressClass"
    schedule = spec.get("schedule")
    if rendered.kind == "CronJob" and isinstance(schedule, str) and not is_schedule(schedule):
        yield f"has the schedule {schedule}: write five fields such as 30 1 * * *, each within its bounds, or @daily"


def claim_problems(claim: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the spec of a claim."""
    size, storage_class = get(claim, "resources.requests.storage"), claim.get("storageClassName")
    if isinstance(size, str | int | float) and not QUANTITY.fullmatch(str(size)):
        yield f"has a claim of {size}: write an amount of Kubernetes, such as 8Gi"
    if isinstance(storage_class, str) and storage_class and not DNS_NAME.fullmatch(storage_class):
        yield f"has the storageClassName {storage_class}: write the name of one, which has a-z, 0-9, - and . alone"


def _metadata_problems(rendered: RenderedObject) -> Iterator[str]:
    # The pod of a task has no name yet, and those of roles may have capitals and colons.
    if rendered.kind != "Pod" and "Role" not in rendered.kind and not DNS_NAME.fullmatch(rendered.name):
        yield "has a bad name: name it by at most 253 of a-z, 0-9, - and ., with a letter or digit at both ends"
    for key in mapping(rendered.body.get("data")) if rendered.kind in ("ConfigMap", "Secret") else ():
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", key):
            yield f"has the key {key}: name it by A-Z, a-z, 0-9 and ._- alone"
    for name in {**_annotations(rendered), **mapping(get(pod_of(rendered), "metadata.annotations"))}:
        if not qualified(name.lower()):
            yield f"has an annotation {name}: name it as in example.com/owner, by A-Z, a-z, 0-9 and _.- alone"


def _annotations(rendered: RenderedObject) -> Mapping[str, Any]:
    return mapping(get(rendered.body, "metadata.annotations"))


def _strategy_problems(spec: Mapping[str, Any], field: str, types: tuple[str, ...]) -> Iterator[str]:
    strategy = mapping(spec.get(field))
    given, rolling = strategy.get("type"), mapping(strategy.get("rollingUpdate"))
    if isinstance(given, str) and given not in types:
        yield f"has the {field} {given}: write {' or '.join(types)}"
    elif given not in (None, "RollingUpdate") and rolling:
        yield f"has the {field} {given}, and rollingUpdate beside it: set that to null"
    shares = {name: rolling[name] for name in ("maxSurge", "maxUnavailable") if rolling.get(name) is not None}
    for name, share in shares.items():
        if _no_share(share):
            yield f"has {name} {share}: write a number of pods, or a share such as 25%"
    if len(shares) > 1 and all(str(share) in ("0", "0%") for share in shares.values()):
        yield "has maxSurge 0 and maxUnavailable 0, so that no pod could be replaced: raise one of them"


def _no_share(value: Any) -> bool:
    """Return whether a value is neither a number of pods nor a share of them."""
    if isinstance(value, bool):
        return True
    if isinstance(value, int):
        return value < 0
    if not isinstance(value, str):
        return False
    return re.fullmatch(r"\d{1,3}%", value) is None or int(value.rstrip("%")) > _MOST_PERCENT
