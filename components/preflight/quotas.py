"""Whether the pods of a release fit into the quotas of its namespace. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from components.preflight.finding import Finding, failed, passed

CHECK: Final = "quota"
LESS: Final = (
    "raise the quota, or ask for less: airflow:size, airflow:workerReplicas and the other numbers of pods; for Jobs "
    "migrateDatabaseJob.resources in airflow:helmValues"
)
"""What to do about a quota without room."""
_MIB: Final = 1 << 20
_ALIASES: Final = {"cpu": "requests.cpu", "memory": "requests.memory"}


def quota_findings(
    quotas: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    needs: Sequence[Mapping[str, Any]],
) -> Iterator[Finding]:
    """Yield a finding for each quota without scopes. The release's own pods count as gone: new ones replace them.

    Args:
        quotas: ResourceQuotas.
        pods: The pods of the namespace.
        needs: The pods of the release (`needs.release_pods`), and those of Jobs, of which one runs `alone` beside them.
    """
    wanted = _sum((need["pod"], need["pods"]) for need in needs if not need.get("alone"))
    jobs = [_sum([(need["pod"], need["pods"])]) for need in needs if need.get("alone")]
    for key in {key for job in jobs for key in job}:
        wanted[key] = wanted.get(key, Decimal(0)) + max(job.get(key, Decimal(0)) for job in jobs)
    release = needs[0]["pod"]["metadata"]["labels"]["release"] if needs else ""
    own = _sum(
        (pod, 1)
        for pod in pods
        if (pod["metadata"].get("labels") or {}).get("release") == release
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    )
    for quota in quotas:
        if (quota.get("spec") or {}).get("scopes") or (quota.get("spec") or {}).get("scopeSelector"):
            continue
        name, status = quota["metadata"]["name"], quota.get("status") or {}
        short = []
        for resource, hard in (status.get("hard") or (quota.get("spec") or {}).get("hard") or {}).items():
            key = _ALIASES.get(resource, resource)
            if key not in wanted:
                continue
            others = max(Decimal(0), quantity((status.get("used") or {}).get(resource, 0)) - own.get(key, Decimal(0)))
            if wanted[key] + others > quantity(hard):
                short.append(f"{resource} {shown(wanted[key], key)} and {shown(others, key)} of others, of {hard}")
        if short:
            yield failed(
                CHECK,
                f"airflow:size: expected room for all pods in quota {name} of the namespace, found: {'; '.join(short)}",
                LESS,
            )
        else:
            yield passed(CHECK, f"all pods fit into quota {name}")


def _sum(pods: Iterable[tuple[Mapping[str, Any], int]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}

    def add(key: str, amount: Decimal) -> None:
        total[key] = total.get(key, Decimal(0)) + amount

    for pod, number in pods:
        add("pods", Decimal(number))
        add("count/pods", Decimal(number))
        for container in pod["spec"].get("containers") or ():
            resources = container.get("resources") or {}
            for kind in ("requests", "limits"):
                for name, amount in (resources.get(kind) or {}).items():
                    add(f"{kind}.{name}", quantity(amount) * number)
    return total


def quantity(amount: object) -> Decimal:
    """Return a quantity of Kubernetes as a number."""
    from kubernetes.utils import quantity as client

    module: Any = client  # it has no types
    return Decimal(module.parse_quantity(amount))


def shown(amount: Decimal, resource: str) -> str:
    """Return an amount as a person would write it: memory in Mi, CPU in cores."""
    if "memory" in resource or "storage" in resource:
        return f"{(amount / _MIB).quantize(Decimal(1))}Mi"
    return f"{amount.normalize():f}"
