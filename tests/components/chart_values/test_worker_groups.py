"""Worker groups: what each has of its own, what it shares with the default workers, and what the chart makes of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from components.aws.pod_identity import ROLE_ANNOTATION
from components.chart_values.chart_defaults import schema_problems
from components.chart_values.executor import Executor
from components.chart_values.release_inputs import DagAccess, ReleaseInputs
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset, worker_resources
from components.chart_values.value_paths import at, nested, without_nulls
from components.chart_values.values import airflow_values
from components.chart_values.worker_group import WorkerGroup
from components.chart_values.worker_groups import CONCURRENCY_VARIABLE
from components.release.airflow_release import AirflowRelease, AirflowReleaseArgs
from components.task_logs.store import TaskLogStore
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.cases import pairwise
from tests.chart import rendering

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

ACCESS: Final = DagAccess(
    env=({"name": "AIRFLOW_CONN_GIT_DAGS", "value": "own"},),
    volumes=({"name": "git-ssh-key", "secret": {"secretName": "own"}},),
    volume_mounts=({"name": "git-ssh-key", "mountPath": "/own"},),
)
GPU: Final = WorkerGroup(
    name="gpu",
    queues=("gpu", "gpu-long"),
    replicas=3,
    concurrency=2,
    values={
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClassName": "high",
        "env": [{"name": "CUDA_VISIBLE_DEVICES", "value": "0"}],
        "extraVolumes": [{"name": "models", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "models", "mountPath": "/models"}],
    },
)
ONE: Final = WorkerGroup(name="one", queues=("one",))
SCALED: Final = WorkerGroup(name="scaled", queues=("scaled",), replicas=0, autoscaling=WorkerAutoscaling(max_workers=5))
GROUPS: Final = (GPU, ONE, SCALED)
BUDGET: Final = "kubernetes:policy/v1:PodDisruptionBudget"


def inputs(**changes: Any) -> ReleaseInputs:
    given: dict[str, Any] = {"worker_groups": GROUPS, "dag_access": ACCESS, "scale": Scale(worker=4)}
    return samples.release_inputs(**given | changes)


def merged(users: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return with_helm_values(airflow_values(inputs(**changes)), users or {})


def element(name: str, users: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    found: list[dict[str, Any]] = at(merged(users, **changes), "workers.celery.sets")
    return next(each for each in found if each["name"] == name)


def variables(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {entry["name"]: entry.get("value") for entry in values["env"]}
    assert len(found) == len(values["env"]), "no variable twice"
    return found


def test_group_serves_its_queues_with_its_workers_and_tasks() -> None:
    found = element("gpu")
    assert (found["queue"], found["replicas"]) == ("gpu,gpu-long", 3)
    assert variables(found)[CONCURRENCY_VARIABLE] == "2"
    assert element("scaled")["replicas"] == 0, "its smallest number; KEDA does the rest"


def test_group_keeps_what_pods_need_and_adds_its_own() -> None:
    users = {"workers": {"celery": {"env": [{"name": "TEAM", "value": "data"}]}}}
    found = element("gpu", users, store=TaskLogStore.S3)
    assert (
        variables(found).items()
        >= {
            "AIRFLOW_CONN_GIT_DAGS": "own",
            "AIRFLOW_CONN_AWS_TASK_LOGS": "aws://",
            "TEAM": "data",
            "CUDA_VISIBLE_DEVICES": "0",
        }.items()
    )
    assert [volume["name"] for volume in found["extraVolumes"]] == ["git-ssh-key", "models"]
    assert [mount["mountPath"] for mount in found["extraVolumeMounts"]] == ["/own", "/models"]


def test_group_s_variable_takes_the_place_of_one_of_all_workers() -> None:
    users = {"workers": {"celery": {"env": [{"name": "CUDA_VISIBLE_DEVICES", "value": "none"}]}}}
    assert variables(element("gpu", users))["CUDA_VISIBLE_DEVICES"] == "0"
    assert variables(element("one", users))["CUDA_VISIBLE_DEVICES"] == "none"


def test_resources_follow_the_group_s_own_number_of_tasks() -> None:
    assert element("gpu", size=SizePreset.SMALL)["resources"] == worker_resources(SizePreset.SMALL, 2)
    assert "resources" not in element("one", size=SizePreset.SMALL), "as the default workers"
    given = {"limits": {"nvidia.com/gpu": 1}}
    group = WorkerGroup(name="x", queues=("x",), concurrency=1, values={"resources": given})
    assert element("x", size=SizePreset.SMALL, worker_groups=(group,))["resources"] != given, "Helm merges maps"


def test_budget_of_a_group_counts_its_own_workers() -> None:
    assert element("gpu")["podDisruptionBudget"]["enabled"] is True
    assert element("scaled")["podDisruptionBudget"]["enabled"] is True, "it may have five"
    assert element("one")["podDisruptionBudget"] == {"enabled": False}, "one worker could never be drained"
    group = WorkerGroup(
        name="x", queues=("x",), replicas=4, values={"podDisruptionBudget": {"config": {"minAvailable": 3}}}
    )
    found = element("x", worker_groups=(group,))["podDisruptionBudget"]
    assert found == {"enabled": True, "config": {"minAvailable": 3}}, "Kubernetes takes one limit"


def test_workers_of_a_group_are_spread_among_themselves() -> None:
    for constraint in element("gpu")["topologySpreadConstraints"]:
        assert (
            constraint["labelSelector"]["matchLabels"].items() >= {"component": "worker", "worker-set": "gpu"}.items()
        )
    (label,) = {
        label
        for constraint in element("gpu", store=TaskLogStore.WORKER)["topologySpreadConstraints"]
        for label in constraint["matchLabelKeys"]
    }
    assert label == "controller-revision-hash"


def test_account_has_the_group_s_role_and_the_user_s_annotations() -> None:
    users = {"workers": {"celery": {"serviceAccount": {"annotations": {"a.b/c": "d"}}}}}
    annotations = element("gpu", users, store=TaskLogStore.S3)["serviceAccount"]["annotations"]
    assert annotations == {"a.b/c": "d", ROLE_ANNOTATION: "arn:aws:iam::123456789012:role/airflow-worker-gpu"}
    assert "serviceAccount" not in element("gpu"), "the chart makes an account for each set"


def release(record: Record, users: Mapping[str, Any] | None = None, **changes: Any) -> Recorder:
    args = AirflowReleaseArgs(
        namespace="ns",
        chart=samples.CHART,
        inputs=inputs(**changes),
        helm_values=users or {},
        timeout_seconds=600,
        kubeconfig=None,
        kube_context="ctx",
    )
    return record(lambda: AirflowRelease("airflow", args))


def test_default_workers_keep_a_budget_that_does_not_select_groups(record: Record) -> None:
    """Kubernetes evicts no pod that has two budgets, and the chart's would select all workers."""
    spec = release(record).one(BUDGET).inputs["spec"]
    assert spec["maxUnavailable"] == "25%"
    assert spec["selector"]["matchExpressions"] == [{"key": "worker-set", "operator": "DoesNotExist"}]
    assert at(merged(), "workers.celery.podDisruptionBudget.enabled") is False
    assert release(record, worker_groups=()).every(BUDGET) == [], "without groups it is the chart's"
    assert release(record, scale=Scale(worker=1)).every(BUDGET) == []


def test_user_s_budget_of_the_default_workers_holds_beside_groups(record: Record) -> None:
    path = "workers.celery.podDisruptionBudget"
    fewest = release(record, nested(path, {"config": {"minAvailable": 3}})).one(BUDGET).inputs["spec"]
    assert fewest["minAvailable"] == 3
    assert "maxUnavailable" not in fewest
    assert release(record, nested(path, {"enabled": False})).every(BUDGET) == []


@rendering.needs_chart
def test_rendered_group_is_a_worker_like_the_default_ones() -> None:
    cases = pairwise(
        (Executor.CELERY, Executor.CELERY_AND_KUBERNETES),
        TaskLogStore,
        (SizePreset.NONE, SizePreset.SMALL),
        allowed=lambda executor, store, _: not (executor.kubernetes and store is TaskLogStore.WORKER),
    )
    for executor, store, size in cases:
        values = merged(executor=executor, store=store, size=size)
        assert schema_problems(without_nulls(values)) == []
        objects = rendering.objects(values)
        pods = dict(rendering.pod_templates(objects))
        default = worker(pods["airflow-worker"])
        for group in GROUPS:
            pod = pods[f"airflow-worker-{group.name}"]
            container = worker(pod)
            assert variables(default).keys() <= variables(container).keys()
            assert pod["spec"]["serviceAccountName"] == f"airflow-worker-{group.name}"
            assert pod["spec"]["terminationGracePeriodSeconds"] == 600
            assert pod["metadata"]["labels"].items() >= {"component": "worker", "worker-set": group.name}.items()
            assert "SQL_ALCHEMY_CONN" not in json.dumps(pod)
            assert {mount["mountPath"] for mount in default["volumeMounts"]} <= {
                mount["mountPath"] for mount in container["volumeMounts"]
            }
            assert f"-q {','.join(group.queues)}" in container["args"][-1]
        accounts = {found["metadata"]["name"]: found for found in rendering.of_kind(objects, "ServiceAccount")}
        for pod in pods.values():
            if pod["metadata"]["labels"].get("component") == "worker":
                assert accounts[pod["spec"]["serviceAccountName"]]["automountServiceAccountToken"] is False
        kind = "StatefulSet" if store is TaskLogStore.WORKER else "Deployment"
        assert {f"airflow-worker-{group.name}" for group in GROUPS} <= {
            found["metadata"]["name"] for found in rendering.of_kind(objects, kind)
        }
        gpu = pods["airflow-worker-gpu"]["spec"]
        assert gpu["nodeSelector"] == {"pool": "gpu"}
        assert gpu["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
        assert gpu["priorityClassName"] == "high"


@rendering.needs_chart
def test_no_pod_has_two_budgets() -> None:
    users = nested("workers.celery.podDisruptionBudget", {"enabled": True})
    objects = rendering.objects(merged(users))
    budgets = rendering.of_kind(objects, "PodDisruptionBudget")
    for name, pod in rendering.pod_templates(objects):
        labels = pod["metadata"]["labels"].items()
        selecting = [found for found in budgets if found["spec"]["selector"]["matchLabels"].items() <= labels]
        wanted = 1 if name in ("airflow-worker-gpu", "airflow-worker-scaled") else 0
        if "worker" in name:
            assert len(selecting) == wanted, name


@rendering.needs_chart
def test_every_pod_with_the_logs_variables_runs_as_an_account_with_a_role() -> None:
    """Rights follow the accounts that pods really have."""
    for executor, groups in itertools.product((Executor.CELERY, Executor.KUBERNETES_AND_CELERY), ((), GROUPS)):
        given = inputs(executor=executor, worker_groups=groups, store=TaskLogStore.S3)
        objects = rendering.objects(with_helm_values(airflow_values(given), {}))
        running = {
            pod["spec"]["serviceAccountName"]
            for _, pod in rendering.pod_templates(objects)
            if "AIRFLOW_CONN_AWS_TASK_LOGS" in json.dumps(pod)
        }
        assert running == {f"airflow-{account}" for account in given.pod_roles}
        for found in rendering.of_kind(objects, "ServiceAccount"):
            account = found["metadata"]["name"].removeprefix("airflow-")
            arn = (found["metadata"].get("annotations") or {}).get(ROLE_ANNOTATION)
            assert arn == (given.pod_roles[account].arn if account in given.pod_roles else None)


def worker(pod: Mapping[str, Any]) -> dict[str, Any]:
    return next(found for found in rendering.containers(pod) if found["name"] == "worker")
