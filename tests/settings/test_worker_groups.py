"""Worker groups and the rights of tasks in the config: what is accepted, and each mistake by its place and its fix."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.scale import WorkerAutoscaling
from tests.cases import each
from tests.samples import external, prod

SALES: Final = "arn:aws:iam::123456789012:policy/airflow-tasks/sales"
GROUP: Final[dict[str, Any]] = {"name": "gpu"}


def problems(*groups: Any, **changes: Any) -> tuple[str, ...]:
    return prod().with_({"workerGroups": list(groups), **changes}).problems()


def test_group_has_defaults_of_the_default_workers() -> None:
    (group,) = external().with_({"workerGroups": [GROUP], "workerConcurrency": 7}).parse().platform.worker_groups
    assert (group.name, group.queues, group.replicas, group.concurrency) == ("gpu", ("gpu",), 1, 7)
    assert (group.autoscaling, group.policy_arns, dict(group.values)) == (None, None, {})


def test_group_is_read_whole() -> None:
    chart = {"nodeSelector": {"pool": "gpu"}, "env": [{"name": "A", "value": "b"}]}
    given = {"queues": ["a", "b"], "replicas": 0, "maxReplicas": 4, "concurrency": 2, "taskPolicyArns": [SALES]}
    config = prod().with_({"workerGroups": [{"name": "gpu", **given, **chart}], "kedaNamespace": "scaling"})
    platform = config.parse().platform
    (group,) = platform.worker_groups
    assert (group.queues, group.replicas, group.concurrency, group.policy_arns) == (("a", "b"), 0, 2, (SALES,))
    assert group.autoscaling == WorkerAutoscaling(max_workers=4, keda_namespace="scaling")
    assert group.values == chart
    assert platform.keda_namespace == "scaling"
    assert platform.autoscaling is None, "the number of default workers is still fixed"


BAD: Final[list[tuple[list[Any], str, str]]] = [
    # groups, what the message says, the fix
    (["gpu"], "entry 0: expected a map, found", "in Pulumi.prod.yaml"),
    ([{}], "[0].name: expected a text, found null", "--path 'airflow:workerGroups[0].name' VALUE"),
    ([{"name": 7}], "[0].name: expected a text, found 7", "workerGroups[0].name'"),
    ([{"name": "GPU"}], "[0].name: expected a name: at most 30 of a-z", "workerGroups[0].name'"),
    ([{"name": "g" * 31}], "[0].name: expected a name: at most 30", "workerGroups[0].name'"),
    ([{"name": "default"}], "[0].name: expected another name, found default", "workerGroups[0].name'"),
    ([{"name": "kubernetes"}], "[0].name: expected another name", "workerGroups[0].name'"),
    ([GROUP, GROUP], "[1].name: expected a name of its own, found gpu, which is also [0].name", "edit it"),
    ([GROUP, {"name": "b", "queues": ["gpu"]}], "[1].queues: expected a queue of its own, found gpu", "edit it"),
    ([{**GROUP, "queues": ["a", "a"]}], "[0].queues: expected a queue of its own, found a", "edit it"),
    ([{**GROUP, "queues": ["default"]}], "found default, which the default workers serve", "edit it"),
    ([{**GROUP, "queues": []}], "[0].queues: expected one queue or more, found none", "workerGroups[0].queues'"),
    ([{**GROUP, "queues": "a"}], "[0].queues: expected a list of texts", "workerGroups[0].queues'"),
    ([{**GROUP, "queues": ["a,b"]}], "[0].queues[0]: expected queues: at most 100", "workerGroups[0].queues[0]'"),
    ([{**GROUP, "queues": ["a'b"]}], "[0].queues[0]: expected queues", "workerGroups[0].queues[0]'"),
    ([{**GROUP, "queues": ["a; rm"]}], "[0].queues[0]: expected queues", "workerGroups[0].queues[0]'"),
    ([{**GROUP, "replicas": 0}], "[0].replicas: expected 1 or more without maxReplicas", "workerGroups[0].replicas'"),
    ([{**GROUP, "replicas": "two"}], "[0].replicas: expected a whole number from 0 to 1000", "replicas' VALUE"),
    ([{**GROUP, "replicas": True}], "[0].replicas: expected a whole number", "replicas' VALUE"),
    ([{**GROUP, "replicas": 5, "maxReplicas": 4}], "[0].maxReplicas: expected at least replicas, 5", "maxReplicas'"),
    ([{**GROUP, "concurrency": 0}], "[0].concurrency: expected a whole number from 1 to 1000", "concurrency'"),
    ([{**GROUP, "queue": "a"}], "[0].queue: is not an entry of a group; use queues", "workerGroups[0].queue'"),
    ([{**GROUP, "keda": {"enabled": True}}], "[0].keda: is not an entry of a group; use maxReplicas", ""),
    ([{**GROUP, "args": ["x"]}], "[0].args: is not an entry of a group; use queues and concurrency", ""),
    ([{**GROUP, "nodeSelectors": {}}], "[0].nodeSelectors: is not an entry of a group; did you mean nodeSelector?", ""),
    ([{**GROUP, "taskPolicyArns": ["x"]}], "[0].taskPolicyArns[0]: expected ARNs of IAM policies", ""),
    ([{**GROUP, "taskPolicyArns": [SALES, SALES]}], "[0].taskPolicyArns: expected each policy once", ""),
    # What the chart takes, and this program does not.
    ([{**GROUP, "terminationGracePeriodSeconds": 7}], "[0].terminationGracePeriodSeconds is set by the program", ""),
    ([{**GROUP, "persistence": {"enabled": True}}], "[0].persistence is set by the program", ""),
    ([{**GROUP, "labels": {"component": "scheduler"}}], "[0].labels.component is set by the chart", ""),
    ([{**GROUP, "labels": {"worker-set": "b"}}], "[0].labels.worker-set is set by the chart", ""),
    ([{**GROUP, "serviceAccount": {"name": "airflow-scheduler"}}], "[0].serviceAccount.name: rights are bound", ""),
    ([{**GROUP, "serviceAccount": {"create": False}}], "[0].serviceAccount.create: rights are bound", ""),
    (
        [{**GROUP, "serviceAccount": {"automountServiceAccountToken": True}}],
        "[0].serviceAccount.automountServiceAccountToken is set by the program",
        "",
    ),
    (
        [{**GROUP, "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}}],
        "would take the role that the program gives to these pods; use airflow:taskPolicyArns",
        "",
    ),
    ([{**GROUP, "env": [{"name": "AIRFLOW_CONN_AIRFLOW_DB", "value": "x"}]}], "[0].env may not set AIRFLOW_CONN", ""),
    ([{**GROUP, "env": [{"name": "AIRFLOW__CELERY__WORKER_CONCURRENCY", "value": "9"}]}], "use that", ""),
    ([{**GROUP, "env": [{"name": "AIRFLOW__CELERY__WORKER_AUTOSCALE", "value": "9,1"}]}], "use that", ""),
    ([{**GROUP, "env": {"A": "b"}}], "[0].env: expected a list", ""),
    (
        [{**GROUP, "extraVolumes": [{"name": "a", "secret": {"secretName": "airflow-database-metadata-1a2b"}}]}],
        "refers to a Secret of the stack itself",
        "",
    ),
    ([{**GROUP, "securityContexts": {"container": {"privileged": True}}}], "Pod Security Standard restricted", ""),
    ([{**GROUP, "tolerations": "all"}], "[0].tolerations: ", ""),
]


def test_each_mistake_is_one_problem_with_its_place_and_its_fix() -> None:
    for groups, text, fix in BAD:
        found = problems(*groups)
        assert len(found) == 1, (groups, found)
        assert found[0].startswith("airflow:workerGroups: "), found
        assert text in found[0], found
        assert fix in found[0].partition(". Fix: ")[2], found
        assert "workers.celery.sets" not in found[0], found


def test_mistakes_of_several_groups_are_told_at_once() -> None:
    assert len(problems({"name": "A"}, {"name": "b", "replicas": -1}, {"name": "c", "queue": "x"})) == 3


def test_way_that_a_problem_names_is_accepted() -> None:
    for group in (
        {**GROUP, "queues": ["a", "B.c_d-1"]},
        {**GROUP, "replicas": 0, "maxReplicas": 1},
        {**GROUP, "labels": {"team": "data"}, "podAnnotations": {"a": "b"}, "runtimeClassName": "nvidia"},
        {**GROUP, "serviceAccount": {"annotations": {"iam.gke.io/gcp-service-account": "a@b.iam"}}},
        {**GROUP, "taskPolicyArns": []},
        {**GROUP, "taskPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]},
        {**GROUP, "replicas": 2, "podDisruptionBudget": {"config": {"maxUnavailable": 1}}},
    ):
        assert problems(group) == (), group


def test_sets_and_no_default_workers_are_refused_beside_groups() -> None:
    for celery, text in (
        ({"sets": [{"name": "b"}]}, "workers.celery.sets may not be set beside airflow:workerGroups"),
        ({"enableDefault": False}, "workers.celery.enableDefault may not be false beside airflow:workerGroups"),
    ):
        (found,) = problems(GROUP, helmValues={"workers": {"celery": celery}})
        assert text in found


def test_no_worker_at_all_is_refused() -> None:
    alone = {"enableDefault": False}
    (found,) = problems(helmValues={"workers": {"celery": alone}})
    assert "workers.celery.enableDefault: no worker is left" in found
    (other,) = problems(helmValues={"workers": {"celery": alone}}, executor="KubernetesExecutor")
    assert "has no effect" in other
    for celery in ({**alone, "sets": [{"name": "b"}]}, {"sets": [{"name": "b"}]}):
        assert problems(helmValues={"workers": {"celery": celery}}) == (), celery


def test_queue_of_tasks_that_name_none_is_served() -> None:
    """Otherwise they would wait for ever."""

    def problems_of(celery: dict[str, Any], default: str | None = None, **changes: Any) -> tuple[str, ...]:
        config = {"config": {"operators": {"default_queue": default}}} if default else {}
        values = {"workers": {"celery": celery}, **config}
        return external().with_({"helmValues": values, **changes}).problems()

    for celery, default, changes in (
        ({"queue": "etl"}, None, {}),
        ({"queue": "etl,bulk"}, "reports", {}),
        ({"queue": "etl"}, None, {"workerGroups": [{"name": "gpu"}]}),
        ({"enableDefault": False, "sets": [{"name": "gpu", "queue": "gpu"}]}, None, {}),
    ):
        [told] = problems_of(celery, default, **changes)
        assert f"no worker serves {default or 'default'}, the queue of tasks that name none" in told
        assert "or set config.operators.default_queue to one of" in told
    for served, own, others in (
        ({"queue": "etl,default"}, None, {}),
        ({"queue": "etl"}, "etl", {}),
        ({"queue": "etl"}, "gpu", {"workerGroups": [{"name": "gpu"}]}),
        ({"enableDefault": False, "sets": [{"name": "all", "queue": "gpu,default"}]}, None, {}),
        ({"enableDefault": False, "sets": [{"name": "all"}]}, None, {}),
        ({"queue": "etl"}, None, {"executor": "KubernetesExecutor,CeleryExecutor"}),
    ):
        assert problems_of(served, own, **others) == (), served


def test_queues_in_a_list_are_refused_as_no_text() -> None:
    [told] = external().with_({"helmValues": {"workers": {"celery": {"queue": ["default", "etl"]}}}}).problems()
    assert "workers.celery.queue: expected a text, found a list" in told


def test_executor_without_celery_workers_is_refused() -> None:
    (found,) = problems(GROUP, executor="KubernetesExecutor")
    assert "expected airflow:executor with CeleryExecutor beside it, found KubernetesExecutor" in found
    assert "pulumi config set --stack prod airflow:executor CeleryExecutor" in found
    assert problems(GROUP, executor="KubernetesExecutor,CeleryExecutor") == ()


def test_autoscaled_group_needs_pgbouncer() -> None:
    config = external().with_({"workerGroups": [{**GROUP, "maxReplicas": 2}], "pgbouncerEnabled": False})
    (found,) = config.problems()
    assert "[0].maxReplicas: expected airflow:pgbouncerEnabled true with it" in found


def test_queue_of_the_default_workers_is_the_one_that_helm_values_name() -> None:
    users = {"config": {"operators": {"default_queue": "main"}}}
    (found,) = problems({**GROUP, "queues": ["main"]}, helmValues=users)
    assert "found main, which the default workers serve" in found
    assert problems({**GROUP, "queues": ["default"]}, helmValues=users) == ()


@each("key,value", [("taskPolicyArns", [SALES]), ("workerGroups", [{**GROUP, "taskPolicyArns": [SALES]}])])
def test_rights_need_a_cluster_in_aws(key: str, value: Any) -> None:
    (found,) = external().with_({key: value}).problems()
    assert f"airflow:{key}: expected airflow:eksCluster beside it" in found


def test_policies_are_of_the_account_or_aws_s_own() -> None:
    for arn in ("arn:aws:iam::999999999999:policy/a", "arn:aws-cn:iam::123456789012:policy/a"):
        for change in ({"taskPolicyArns": [arn]}, {"workerGroups": [{**GROUP, "taskPolicyArns": [arn]}]}):
            (found,) = prod().with_(change).problems()
            assert "expected a policy that begins with arn:aws:iam::123456789012:policy/" in found


@each("arn", ["arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::aws:policy/IAMFullAccess"])
def test_policy_for_the_whole_account_is_refused(arn: str) -> None:
    (found,) = prod().with_({"taskPolicyArns": [arn]}).problems()
    assert "each author of a DAG would own the account" in found


def test_annotation_of_a_role_is_refused_where_tasks_have_one() -> None:
    users = {"workers": {"celery": {"serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:x"}}}}}
    volume = {"taskLogs": "volume", "podIdentity": "irsa", "helmValues": users}
    assert prod().with_(volume).problems() == ()
    (found,) = prod().with_({**volume, "taskPolicyArns": [SALES]}).problems()
    assert "use airflow:taskPolicyArns for what tasks need" in found


def test_keda_of_each_group_counts_in_the_connection_budget() -> None:
    def clients(*groups: dict[str, Any]) -> int:
        pooler = prod().with_({"workerGroups": list(groups)}).parse().platform.pgbouncer
        assert pooler is not None
        return pooler.max_client_connections

    scaled = [{"name": f"g{number}", "maxReplicas": 2} for number in range(8)]
    assert clients(*({"name": group["name"]} for group in scaled)) == clients()
    assert clients(*scaled) - clients() == 20, "two for each, and a quarter more"
