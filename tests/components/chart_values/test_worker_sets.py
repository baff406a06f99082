"""Sets of Celery workers: what the program owns, and what it puts into each."""

from __future__ import annotations

import json
from typing import Any, Final

from components.chart_values.availability import component_labels
from components.chart_values.chart_defaults import chart_schema, chart_values, schema_problems
from components.chart_values.release_inputs import DagAccess
from components.chart_values.scale import Scale
from components.chart_values.size_preset import SizePreset
from components.chart_values.value_paths import at, without_nulls
from components.chart_values.values import airflow_values
from components.chart_values.worker_groups import default_budget
from components.release.airflow_release import RELEASE_NAME
from components.task_logs.store import TaskLogStore
from components.user_values.user_values import problems, with_helm_values
from tests import samples
from tests.cases import each
from tests.chart import rendering

ACCESS: Final = DagAccess(
    env=({"name": "AIRFLOW_CONN_GIT_DAGS", "value": "own"},),
    volumes=({"name": "git-ssh-key", "secret": {"secretName": "own"}},),
    volume_mounts=({"name": "git-ssh-key", "mountPath": "/own"},),
)
PATH: Final = "workers.celery.sets[0]"


def sets(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"workers": {"celery": {"sets": list(elements), **more}}}


def found(helm_values: dict[str, Any]) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema())


def merged_set(element: dict[str, Any], **more: Any) -> dict[str, Any]:
    values = airflow_values(samples.release_inputs(dag_access=ACCESS, store=TaskLogStore.S3))
    merged: dict[str, Any] = at(with_helm_values(values, sets(element, **more)), "workers.celery.sets")[0]
    return merged


@each(
    "key,value,instead",
    [
        ("keda", {"enabled": True}, "use its replicas"),
        ("hpa", {"enabled": True}, "use its replicas"),
        ("persistence", {"enabled": True}, "use workers.celery.persistence"),
        ("safeToEvict", True, "leave it out, because an eviction must not kill a task"),
        ("terminationGracePeriodSeconds", 7, "use airflow:workerGraceSeconds"),
        ("waitForMigrations", {"enabled": True}, "leave it out, because the program migrates"),
        ("serviceAccount", {"name": "own"}, "use workers.celery.serviceAccount.annotations"),
    ],
)
def test_owned_value_is_refused_in_each_element(key: str, value: Any, instead: str) -> None:
    refused = found(sets({"name": "a"}, {"name": "b", key: value}))
    assert len(refused) == 1, refused
    assert refused[0].startswith(f"workers.celery.sets[1].{key} is set by the program; {instead}")


@each(
    "element",
    [
        {"name": "gpu", "queue": "gpu", "replicas": 3, "resources": {"limits": {"nvidia.com/gpu": 1}}},
        {"name": "big", "nodeSelector": {"pool": "big"}, "tolerations": [{"key": "big"}], "priorityClassName": "high"},
        {"name": "c", "env": [{"name": "A", "value": "b"}], "hostAliases": [{"ip": "10.0.0.7", "hostnames": ["x"]}]},
        {
            "name": "v",
            "extraVolumes": [{"name": "x", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
        },
        {"name": "d", "labels": {"team": "data"}, "args": ["bash", "-c", "exec airflow celery worker -c 1 -q d"]},
        {"name": "e", "podDisruptionBudget": {"enabled": True, "config": {"maxUnavailable": 2}}},
    ],
)
def test_what_makes_a_set_of_its_own_is_accepted(element: dict[str, Any]) -> None:
    assert found(sets(element)) == []
    values = with_helm_values(airflow_values(samples.release_inputs()), sets(element))
    assert schema_problems(without_nulls(values)) == []


@each("element", [{"name": "a", "kede": {}}, {"name": "a", "resource": {}}, {"name": "a", "sets": []}])
def test_unknown_value_of_a_set_is_refused(element: dict[str, Any]) -> None:
    [refused] = found(sets(element))
    assert refused == f"{PATH}.{list(element)[1]} is not a value of the chart"


@each("names", [("default",), ("a", "a"), ("",), (None,), (7,)])
def test_name_must_be_its_own(names: tuple[Any, ...]) -> None:
    [refused] = found(sets(*({"name": name} for name in names)))
    assert "expected a name of its own" in refused


@each("name", ["AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__CELERY__BROKER_URL_CMD", "AIRFLOW_CONN_AIRFLOW_DB"])
def test_managed_variable_is_refused_in_a_set(name: str) -> None:
    [refused] = found(sets({"name": "a", "env": [{"name": name, "value": "x"}]}))
    assert refused.startswith(f"{PATH}.env may not set {name}: the program does")


@each("users", [[{"name": "a"}], [{"name": "a"}, {"name": "b"}], [], None])
@each("key", ["env", "extraVolumes", "extraVolumeMounts"])
def test_set_keeps_the_program_s_entries(key: str, users: list[Any] | None) -> None:
    own = at(airflow_values(samples.release_inputs(dag_access=ACCESS, store=TaskLogStore.S3)), f"workers.celery.{key}")
    assert own
    assert merged_set({"name": "gpu", key: users})[key] == [*own, *(users or [])]
    assert key not in merged_set({"name": "gpu"}), "the chart takes those of the default workers"


def test_sets_run_as_the_workers_account_that_has_the_log_role() -> None:
    assert merged_set({"name": "gpu"})["serviceAccount"] == {"create": False, "name": f"{RELEASE_NAME}-worker"}
    alone = merged_set({"name": "gpu"}, enableDefault=False)["serviceAccount"]
    assert alone == {"create": True, "name": f"{RELEASE_NAME}-worker"}, "the account of no default workers"


@rendering.needs_chart
@each("alone", [False, True])
def test_rendered_set_has_everything_that_the_default_workers_have(alone: bool) -> None:
    element = {"name": "gpu", "queue": "gpu", "env": [{"name": "CUDA", "value": "0"}]}
    element |= {
        "extraVolumes": [{"name": "m", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "m", "mountPath": "/m"}],
    }
    inputs = samples.release_inputs(dag_access=ACCESS, store=TaskLogStore.S3, size=SizePreset.SMALL)
    users = sets(element, {"name": "big", "queue": "big"}, enableDefault=not alone)
    objects = rendering.objects(with_helm_values(airflow_values(inputs), users))
    pods = {name: pod for name, pod in rendering.pod_templates(objects) if name.startswith("airflow-worker")}
    assert set(pods) == {"airflow-worker-gpu", "airflow-worker-big", *(() if alone else ("airflow-worker",))}
    for name, pod in pods.items():
        container = next(found for found in rendering.containers(pod) if found["name"] == "worker")
        names = {variable["name"] for variable in container["env"]}
        assert {"AIRFLOW_CONN_GIT_DAGS", "AIRFLOW_CONN_AWS_TASK_LOGS", "AWS_DEFAULT_REGION"} <= names, name
        assert "/own" in {mount["mountPath"] for mount in container["volumeMounts"]}, name
        assert "SQL_ALCHEMY_CONN" not in json.dumps(pod), name
        assert pod["spec"]["serviceAccountName"] == "airflow-worker", name
        assert pod["metadata"]["labels"]["component"] == "worker", name
    accounts = [
        found for found in rendering.of_kind(objects, "ServiceAccount") if "worker" in found["metadata"]["name"]
    ]
    assert [found["metadata"]["name"] for found in accounts] == ["airflow-worker", "airflow-worker-kubernetes"][:1]
    assert accounts[0]["automountServiceAccountToken"] is False
    assert accounts[0]["metadata"]["annotations"]


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a budget holds for a pod."""
    absent = {item["key"] for item in selector.get("matchExpressions", ()) if item["operator"] == "DoesNotExist"}
    return selector["matchLabels"].items() <= labels.items() and not absent & labels.keys()


@rendering.needs_chart
@each(
    "element,budget,wanted",
    [
        ({"replicas": 3}, {}, {"maxUnavailable": "25%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
        ({"replicas": 3}, {"enabled": True, "config": {"minAvailable": 1}}, {"minAvailable": 1}),
        ({}, {}, {"maxUnavailable": "25%", "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
        ({"replicas": 1}, {}, None),
        ({"replicas": 3}, {"enabled": False}, None),
        ({"replicas": 3, "podDisruptionBudget": {"enabled": False}}, {"enabled": True}, None),
        (
            {"replicas": 1, "podDisruptionBudget": {"enabled": True, "config": {"minAvailable": 1}}},
            {},
            {"minAvailable": 1},
        ),
    ],
)
def test_each_set_of_several_workers_has_one_budget(
    element: dict[str, Any], budget: dict[str, Any], wanted: dict[str, Any] | None
) -> None:
    """No pod has two, with which Kubernetes would not evict it. The program makes that of the default workers."""
    users = {"workers": {"celery": {"podDisruptionBudget": budget, "sets": [{"name": "large", **element}]}}}
    inputs = samples.release_inputs(scale=Scale(worker=2))
    objects = rendering.objects(with_helm_values(airflow_values(inputs), users))
    labels = component_labels(RELEASE_NAME, "worker")
    default = default_budget(airflow_values(inputs), users, labels)
    assert (default is None) == (budget.get("enabled") is False)
    of_sets = [item["spec"] for item in rendering.of_kind(objects, "PodDisruptionBudget")]
    found = {
        name: [
            spec
            for spec in (*of_sets, *([default] if default else ()))
            if selects(spec["selector"], template["metadata"]["labels"])
        ]
        for name, template in rendering.pod_templates(objects)
        if "worker" in name
    }
    assert found.keys() == {"airflow-worker", "airflow-worker-large"}
    assert found["airflow-worker"] == ([default] if default else [])
    specs = [{key: value for key, value in spec.items() if key != "selector"} for spec in found["airflow-worker-large"]]
    assert specs == ([wanted] if wanted else [])
