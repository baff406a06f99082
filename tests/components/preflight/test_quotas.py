"""Whether pods fit into a quota."""

from __future__ import annotations

from typing import Any

from components.preflight.finding import Verdict
from components.preflight.quotas import quantity, quota_findings


def pod(cpu: str, memory: str, release: str = "airflow") -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu, "memory": memory}}
    return {"metadata": {"labels": {"release": release}}, "spec": {"containers": [{"resources": resources}]}}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used or {}}}


NEEDS = [
    {"component": "scheduler", "pods": 2, "pod": pod("500m", "1Gi")},
    {"component": "redis", "pods": 1, "pod": pod("1", "512Mi")},
]


def found(hard: dict[str, str], used: dict[str, str] | None = None, pods: tuple[Any, ...] = (), **spec: Any) -> str:
    findings = list(quota_findings([quota(hard, used, **spec)], pods, NEEDS))
    return " ".join(item.what for item in findings if item.verdict is Verdict.FAILED)


def test_all_pods_of_a_release_count() -> None:
    assert found({"requests.cpu": "2", "requests.memory": "2560Mi", "pods": "3"}) == ""
    assert "requests.cpu 2 and 0 of others, of 1999m" in found({"requests.cpu": "1999m"})
    assert "memory 2560Mi and 0Mi of others, of 2Gi" in found({"memory": "2Gi"})
    assert "pods 3 and 0 of others, of 2" in found({"pods": "2"})


def test_the_largest_job_counts_beside_the_release() -> None:
    """The Jobs run one after the other, and the first of them beside the pods of before."""
    jobs = [
        {"component": "the migration", "pods": 1, "alone": True, "pod": pod("100m", "512Mi")},
        {"component": "the admin user's Job", "pods": 1, "alone": True, "pod": pod("200m", "256Mi")},
    ]
    hard = {"requests.cpu": "2200m", "requests.memory": "3Gi", "pods": "4"}
    assert [item.verdict for item in quota_findings([quota(hard)], (), [*NEEDS, *jobs])] == [Verdict.PASSED]
    for name, short in (("requests.cpu", "2199m"), ("requests.memory", "3071Mi"), ("pods", "3")):
        [item] = quota_findings([quota({**hard, name: short})], (), [*NEEDS, *jobs])
        assert item.verdict is Verdict.FAILED, name


def test_pods_of_others_count_and_the_release_s_own_do_not() -> None:
    own = {**pod("500m", "1Gi"), "status": {"phase": "Running"}}
    ended = {**pod("500m", "1Gi"), "status": {"phase": "Succeeded"}}
    assert found({"cpu": "2"}, {"cpu": "500m"}, (own,)) == ""
    assert "2 and 0.5 of others" in found({"cpu": "2"}, {"cpu": "1"}, (own,))
    assert found({"cpu": "2"}, {"cpu": "500m"}, (own, ended)) == ""


def test_quota_of_something_else_is_left_alone() -> None:
    assert found({"services": "0"}) == ""
    assert found({"pods": "0"}, scopes=["BestEffort"]) == ""


def test_quantities_are_those_of_kubernetes() -> None:
    assert [quantity(text) for text in ("100m", "1", "1Ki", 2)] == [quantity("0.1"), 1, 1024, 2]
