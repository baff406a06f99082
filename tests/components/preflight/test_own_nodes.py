"""Images are pulled on the nodes of a worker group too."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.scale import WorkerAutoscaling
from components.chart_values.values import airflow_values
from components.chart_values.worker_group import WorkerGroup
from components.kube.images import Images
from components.preflight.checks import CheckKind, made, pod_document
from components.preflight.finding import Finding, Verdict
from components.preflight.own_nodes import OwnNodes, own_nodes
from components.preflight.pod_run import ContainerEnd, PodEnd, WaitLimits
from tests import samples

if TYPE_CHECKING:
    from components.kube.client import KubeApi

IMAGES: Final = Images(tag="3.2.2")
GPU: Final[dict[str, Any]] = {
    "nodeSelector": {"pool": "gpu"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
}


def places(*groups: WorkerGroup, **users: Any) -> list[OwnNodes]:
    values = merged(chart_values(), airflow_values(samples.release_inputs(images=IMAGES, worker_groups=groups)))
    return list(own_nodes(merged(values, users), IMAGES, "airflow", {}))


def group(name: str, **changes: Any) -> WorkerGroup:
    return WorkerGroup(**{"name": name, "queues": (name,), **changes})


def test_pods_that_may_run_where_all_others_may_have_no_check_of_their_own() -> None:
    assert places() == []
    assert places(group("large", values={"resources": {}})) == []
    assert places(nodeSelector={"pool": "airflow"}, tolerations=GPU["tolerations"]) == []
    assert places(group("same", values={"nodeSelector": {"a": "b"}}), nodeSelector={"a": "b"}) == []
    scaled = group("gpu", replicas=0, autoscaling=WorkerAutoscaling(max_workers=3), values=GPU)
    assert places(scaled) == [], "its nodes may have to be made first, and cost money"


def test_each_placement_has_one_pod_with_the_images_of_its_components() -> None:
    first, second = places(
        group("gpu", values=GPU),
        group("gpu-too", values=GPU),
        group("spot", values={"nodeSelector": {"pool": "spot"}}),
        workers={"celery": {"nodeSelector": {"disk": "fast"}}},
        redis={"nodeSelector": {"disk": "fast"}},
    )[1:]
    assert (first.name, first.components) == ("worker-group-gpu", ("worker group gpu", "worker group gpu-too"))
    spec = first.pod["spec"]
    assert spec["nodeSelector"] == {"pool": "gpu"}, "a group's replaces that of the default workers"
    assert spec["tolerations"] == GPU["tolerations"]
    assert "affinity" not in spec, "this pod is none of the group's"
    assert [item["name"] for item in spec["containers"]] == ["airflow", "gitsync"]
    assert second.pod["spec"]["nodeSelector"] == {"pool": "spot"}
    [both, *_] = places(
        workers={"celery": {"nodeSelector": {"disk": "fast"}}}, redis={"nodeSelector": {"disk": "fast"}}
    )
    assert both.components == ("workers.celery", "redis")
    assert [item["name"] for item in both.pod["spec"]["containers"]] == ["airflow", "gitsync", "redis"]


def told(end: PodEnd) -> list[Finding]:
    """What an update is told of the end of a group's pod, through the whole check."""
    [place] = places(group("gpu", values=GPU))
    text, seen = json.dumps(pod_document(CheckKind.NODES, place.pod, place.about)), list[WaitLimits]()

    def run(_api: Any, _namespace: str, _pod: Any, limits: WaitLimits, **_: Any) -> PodEnd:
        seen.append(limits)
        return end

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("components.preflight.checks.run_pod", run)
        findings = made(cast("KubeApi", None), "airflow", text, "dev", str)
    assert seen[0].node_seconds < 5, "a node that is made on demand is not waited for"
    return list(findings)


def ended(**changes: Any) -> PodEnd:
    item = ContainerEnd(**{"name": "airflow", "image": "apache/airflow:3.2.2", "pulled": True, **changes})
    return PodEnd(containers={"airflow": item})


def test_only_an_image_that_the_group_s_nodes_cannot_pull_or_run_ends_the_update_and_it_says_where() -> None:
    for end, what in (
        (ended(pulled=False, reason="ErrImagePull", message="not found"), "found no apache/airflow:3.2.2"),
        (ended(exit_code=255, message="exec format error"), "for the processor of the nodes, found it for another one"),
    ):
        [found] = told(end)
        assert found.verdict is Verdict.FAILED
        assert found.what.startswith("airflow:imageTag: expected ")
        assert what in found.what
        assert found.what.endswith("(on the nodes of worker group gpu)")
    [found] = told(ended(exit_code=0))
    assert (found.verdict, found.check) == (
        Verdict.PASSED,
        "image apache/airflow:3.2.2 on the nodes of worker group gpu",
    )
    # Nodes that are not there yet, and a quota, end no update.
    unplaced = replace(ended(pulled=False), waits="a node with room for it (0/3 nodes are available)")
    for end in (unplaced, PodEnd(refused="exceeded quota: small, requested: pods=1")):
        [found] = told(end)
        assert found.verdict is Verdict.SKIPPED, found
        assert "on the nodes of worker group gpu" in found.check
