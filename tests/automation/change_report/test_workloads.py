"""Which pods are replaced, and when none of them serves."""

from __future__ import annotations

from typing import Any

from automation.change_report.assemble import object_changes
from automation.change_report.workloads import rolls_between
from tests.cases import each


def workload(image: str, kind: str = "Deployment", **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"component": "c"}}, "spec": {"containers": [{"image": image}]}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "w"}, "spec": {"template": template, **spec}}


def rolling(surge: Any, unavailable: Any) -> dict[str, Any]:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


@each(
    ("kind", "spec", "interrupts"),
    [
        ("Deployment", {}, False),  # a new pod comes first: 25 % of one, rounded up
        ("Deployment", {"replicas": 1, "strategy": {"type": "Recreate"}}, True),
        ("Deployment", {"replicas": 3, "strategy": {"type": "Recreate"}}, True),
        ("Deployment", {"replicas": 1, "strategy": rolling("0%", 1)}, True),
        ("Deployment", {"replicas": 1, "strategy": rolling("100%", "50%")}, False),
        ("Deployment", {"replicas": 2, "strategy": rolling("100%", "50%")}, False),
        ("Deployment", {"replicas": 2, "strategy": rolling(1, "100%")}, True),
        ("Deployment", {"replicas": 1, "strategy": rolling(0, 0)}, True),
        ("Deployment", {"replicas": 0}, False),
        ("StatefulSet", {"replicas": 1}, True),
        ("StatefulSet", {"replicas": 2}, False),
    ],
)
def test_interruption_is_when_no_pod_is_left(kind: str, spec: dict[str, Any], interrupts: bool) -> None:
    (roll,) = rolls_between([workload("a:1", kind, **spec)], [workload("a:2", kind, **spec)])
    assert roll.interrupts is interrupts


def test_only_another_pod_rolls() -> None:
    assert rolls_between([workload("a:1", replicas=1)], [workload("a:1", replicas=2)]) == ()
    assert rolls_between([workload("a:1")], []) == ()
    assert rolls_between([], [workload("a:1")]) == ()
    assert (
        rolls_between([{"kind": "Service", "spec": {"template": 1}}], [{"kind": "Service", "spec": {"template": 2}}])
        == ()
    )


def test_what_a_roll_tells() -> None:
    (roll,) = rolls_between([workload("a:1")], [workload("a:2", replicas=3)])
    assert (roll.component, roll.kind, roll.replicas, roll.grace_seconds) == ("c", "Deployment", 3, 30)


@each("kind", ["Deployment", "StatefulSet"])
def test_labels_of_a_later_chart_are_told_as_a_roll_and_in_a_selector_as_a_refusal(kind: str) -> None:
    """The chart after 1.22.0 puts the recommended labels on all objects (apache/airflow #71987)."""
    old, new = {"component": "c"}, {"component": "c", "app.kubernetes.io/name": "airflow"}

    def with_labels(labels: dict[str, str], selector: dict[str, str]) -> dict[str, Any]:
        made = workload("a:1", kind, selector={"matchLabels": selector})
        made["metadata"]["labels"] = made["spec"]["template"]["metadata"]["labels"] = labels
        return made

    before = with_labels(old, old)
    for after, immutable in ((with_labels(new, old), ()), (with_labels(new, new), ("spec.selector",))):
        assert [roll.component for roll in rolls_between([before], [after])] == ["c"]
        (change,) = object_changes([before], [after])
        assert change.refused == immutable
