"""What does nothing beside the other values, or in this stack, is refused with what lets it work."""

from __future__ import annotations

from typing import Any, Final

from components.chart_values.chart_defaults import chart_schema, chart_values, merged
from components.chart_values.value_paths import nested
from components.user_values.surroundings import Surroundings
from components.user_values.user_values import problems
from tests import samples
from tests.cases import each

GROOMER: Final = "workers.celery.logGroomerSidecar"
LOAD_BALANCER: Final = {"apiServer": {"service": {"type": "LoadBalancer"}}}
TOKEN_VOLUME: Final = "scheduler.serviceAccount.serviceAccountTokenVolume.enabled"


def found(helm_values: dict[str, Any], surroundings: Surroundings | None = None) -> list[str]:
    return problems(helm_values, chart_values(), chart_schema(), surroundings)


@each(
    ("path", "value", "beside"),
    [
        ("otelCollector.config", "x", {"otelCollector": {"tracesEnabled": True}}),
        ("otelCollector.resources", {"limits": {"memory": "1Gi"}}, {"otelCollector": {"metricsEnabled": True}}),
        ("images.otelCollector.tag", "1.0.0", {"otelCollector": {"metricsEnabled": True}}),
        ("redis.emptyDirConfig", {"sizeLimit": "1Gi"}, {"redis": {"persistence": {"enabled": False}}}),
        ("apiServer.configMapAnnotations", {"a": "b"}, {"apiServer": {"apiServerConfig": "AUTH_TYPE = 1"}}),
        (
            "workers.celery.kerberosSidecar.resources",
            {},
            {"workers": {"celery": {"kerberosSidecar": {"enabled": True}}}, "kerberos": {"enabled": True}},
        ),
        ("workers.celery.kerberosSidecar.enabled", True, {"kerberos": {"enabled": True}}),
        ("apiServer.service.loadBalancerSourceRanges", ["10.0.0.0/8"], LOAD_BALANCER),
        ("apiServer.service.loadBalancerIP", "10.0.0.7", LOAD_BALANCER),
    ],
)
def test_value_that_needs_another_is_refused_without_it(path: str, value: Any, beside: dict[str, Any]) -> None:
    [refused] = found(nested(path, value))
    assert refused.startswith(path)
    assert " has no effect w" in refused
    assert found(merged(nested(path, value), beside)) == [], "the way"


@each(
    ("path", "value"),
    [
        ("redis.persistence.size", "9Gi"),
        ("redis.persistence.storageClassName", "gp3"),
        ("dags.persistence.accessMode", "ReadOnlyMany"),
        ("dags.persistence.annotations", {"a": "b"}),
    ],
)
def test_value_of_a_claim_that_exists_is_refused(path: str, value: Any) -> None:
    own = merged(nested(path, value), {"dags": {"persistence": {"enabled": True}}})
    assert found(own) == []
    claim = nested(f"{path.rpartition('.')[0]}.existingClaim", "team-claim")
    [told] = found(merged(own, claim))
    assert told.startswith(path)
    assert f"has no effect beside {path.rpartition('.')[0]}.existingClaim, which is there already" in told


def test_class_of_the_workers_volumes_is_the_users() -> None:
    """airflow:taskLogsStorageClass is that of the one volume of all pods."""
    users = nested("workers.celery.persistence", {"storageClassName": "gp3", "annotations": {"a": "b"}})
    assert found(users, Surroundings(stateful_workers=True)) == []
    [told] = found(nested("workers.celery.persistence.storageClassName", "gp3"), Surroundings(stateful_workers=False))
    assert told.endswith("because the workers have no volumes; set airflow:taskLogs to worker, or leave it out")
    [size] = found(nested("workers.celery.persistence.size", "9Gi"), Surroundings(stateful_workers=True))
    assert size.endswith("use airflow:taskLogsStorageGib")
    sets = nested("workers.celery.sets", [{"name": "gpu", "persistence": {"storageClassName": "gp3"}}])
    [of_set] = found(sets, Surroundings(stateful_workers=True))
    assert of_set.endswith("use workers.celery.persistence, which holds for all workers")


@each(
    ("path", "surroundings", "elsewhere"),
    [
        ("logs.emptyDirConfig", Surroundings(log_volume=True), Surroundings()),
        (f"{GROOMER}.retentionDays", Surroundings(stateful_workers=False), Surroundings(stateful_workers=True)),
        (TOKEN_VOLUME, Surroundings(), Surroundings(switched_off={"workers.kubernetes": "x"})),
        (
            "workers.celery.podDisruptionBudget.config.maxUnavailable",
            Surroundings(without_budget=frozenset({"workers.celery"})),
            Surroundings(),
        ),
    ],
)
def test_value_that_needs_a_setting_is_refused_without_it(
    path: str, surroundings: Surroundings, elsewhere: Surroundings
) -> None:
    value: Any = {"sizeLimit": "1Gi"} if path.endswith("Config") else True if path.endswith("enabled") else 7
    [refused] = found(nested(path, value), surroundings)
    assert refused.startswith(path)
    assert " has no effect " in refused
    assert found(nested(path, value), elsewhere) == []


def test_way_that_the_refusal_names_works() -> None:
    deployment = Surroundings(stateful_workers=False)
    assert (
        found(
            {"workers": {"celery": {"logGroomerSidecar": {"retentionDays": 7, "requirePersistence": False}}}},
            deployment,
        )
        == []
    )
    own = {"automountServiceAccountToken": False, "serviceAccountTokenVolume": {"enabled": True}}
    assert found({"scheduler": {"serviceAccount": own}}) == []
    [told] = found(nested("workers.kubernetes.serviceAccount.annotations", {"a": "b"}))
    assert told.endswith("use workers.celery.serviceAccount.annotations")
    assert found(nested("workers.celery.serviceAccount.annotations", {"a": "b"})) == []


@each(
    ("element", "says"),
    [
        (
            {"logGroomerSidecar": {"retentionDays": 7}},
            "sets[0].logGroomerSidecar.requirePersistence to false beside it",
        ),
        ({"volumeClaimTemplates": [{"metadata": {"name": "x"}}]}, "the workers are a Deployment"),
        ({"updateStrategy": {"type": "OnDelete"}}, "the workers are a Deployment"),
        ({"kerberosSidecar": {"resources": {"limits": {}}}}, "sets[0].kerberosSidecar.enabled is false"),
    ],
)
def test_value_of_a_set_that_does_nothing_is_refused_there(element: dict[str, Any], says: str) -> None:
    values = nested("workers.celery.sets", [{"name": "gpu", "queue": "gpu", **element}])
    [told] = found(values, Surroundings(stateful_workers=False))
    assert told.startswith(f"workers.celery.sets[0].{next(iter(element))}")
    assert says in told
    [group] = samples.prod().with_({"workerGroups": [{"name": "gpu", **element}]}).problems()
    assert group.startswith(f"airflow:workerGroups: [0].{next(iter(element))}")


def test_budget_of_a_set_or_a_group_that_is_off_is_refused() -> None:
    budget = {"config": {"minAvailable": 1}}
    assert found(nested("workers.celery.sets", [{"name": "gpu", "podDisruptionBudget": budget}])) == []
    one = {"name": "gpu", "replicas": 1, "podDisruptionBudget": budget}
    [told] = found(nested("workers.celery.sets", [one]))
    assert told.endswith("no effect without workers.celery.sets[0].podDisruptionBudget.enabled; set that to true")
    on = {**budget, "enabled": True}
    assert found(nested("workers.celery.sets", [{**one, "podDisruptionBudget": on}])) == [], "the way"
    both = {"enabled": True, "config": {"minAvailable": 1, "maxUnavailable": 1}}
    [told] = found(nested("workers.celery.sets", [{"name": "gpu", "podDisruptionBudget": both}]))
    assert told == "workers.celery.sets[0].podDisruptionBudget.config: give one of minAvailable and maxUnavailable"
    for given, replicas, says in ((budget, 1, "with one worker"), (budget, 2, ""), (on, 1, ""), (both, 2, "give one")):
        group = {"name": "gpu", "replicas": replicas, "podDisruptionBudget": given}
        problems_of = samples.prod().with_({"workerGroups": [group]}).problems()
        assert len(problems_of) == bool(says), problems_of
        assert says in "".join(problems_of)


def test_switch_of_all_workers_holds_for_sets() -> None:
    celery = {"kerberosSidecar": {"enabled": True}, "logGroomerSidecar": {"requirePersistence": False}}
    sets = [{"name": "gpu", "kerberosSidecar": {"resources": {}}, "logGroomerSidecar": {"retentionDays": 7}}]
    values = {"kerberos": {"enabled": True}, **nested("workers.celery", {**celery, "sets": sets})}
    assert found(values, Surroundings(stateful_workers=False)) == []


@each("path", ["otelCollector.tracesEnabled", f"{GROOMER}.enabled", TOKEN_VOLUME, "redis.persistence.enabled"])
def test_value_that_says_what_is_so_is_accepted(path: str) -> None:
    assert found(nested(path, False), Surroundings(stateful_workers=False)) == []


@each(
    ("changes", "path", "says"),
    [
        ({"executor": "KubernetesExecutor"}, "images.redis.tag", "no pod has this image; use airflow:executor"),
        ({"executor": "KubernetesExecutor"}, "workers.celery.priorityClassName", "there are no workers of Celery; use"),
        ({"executor": "CeleryExecutor"}, "podTemplate", "there are no task pods; use airflow:executor"),
        ({"executor": "CeleryExecutor"}, "workers.kubernetes.priorityClassName", "there are no task pods; use"),
        ({"pgbouncerEnabled": False}, "images.pgbouncerExporter.tag", "no pod has this image; use airflow:pgbouncer"),
        ({"pgbouncerEnabled": False}, "pgbouncer.priorityClassName", "pgbouncer is not deployed; use airflow:pgb"),
        ({"dagsDelivery": "git-bundle"}, "images.gitSync.tag", "no pod has this image; use airflow:dagsDelivery"),
        ({"metadataRetentionDays": 0}, "databaseCleanup.schedule", "databaseCleanup is not deployed; use airflow:meta"),
    ],
)
def test_what_a_stack_does_not_deploy_is_named(changes: dict[str, Any], path: str, says: str) -> None:
    [refused] = samples.external().with_({**changes, "helmValues": nested(path, "x")}).problems()
    assert f"airflow:helmValues: {path} has no effect, because {says}" in refused


def test_key_with_dots_is_refused_with_what_was_meant() -> None:
    for key in ("config.core.parallelism", "scheduler.nodeSelector.pool"):
        [told] = found({key: "3"})
        assert told == f"{key} is one key with dots in it, and not a value of the chart; write a map for each part"
        assert found(nested(key, "3")) == [], "the way"
    assert found({"config": {"common.io": {"xcom_objectstorage_threshold": "3"}}, "labels": {"a.b/c": "d"}}) == []


def test_metrics_that_nobody_receives_are_refused() -> None:
    without = {"statsd": {"enabled": False}}
    [told] = found({**without, "config": {"metrics": {"statsd_on": "True"}}})
    assert told.startswith("config.metrics.statsd_on has no effect while statsd.enabled is false")
    assert found({**without, "config": {"metrics": {"statsd_on": "False"}}}) == []
    assert found({**without, "config": {"metrics": {"statsd_on": "True", "statsd_host": "datadog.monitoring"}}}) == []
    node = "{name: AIRFLOW__METRICS__STATSD_HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}"
    on = {**without, "config": {"metrics": {"statsd_on": "True", "statsd_port": 8125}}, "extraEnv": f"- {node}\n"}
    assert found(on) == [], "an agent on each node, by a variable"


def test_option_of_a_sender_of_logs_is_refused_while_logs_stay_in_the_cluster() -> None:
    for option, value in (("delete_local_logs", "True"), ("remote_task_handler_kwargs", '{"delete_local_copy": true}')):
        users = nested(f"config.logging.{option}", value)
        for inside in (Surroundings(log_volume=True), Surroundings(stateful_workers=True)):
            [told] = found(users, inside)
            assert told.startswith(f"config.logging.{option} has no effect while task logs stay in the cluster")
            assert found(merged(users, {"elasticsearch": {"enabled": True}}), inside) == []
        assert found(users, Surroundings(stateful_workers=False)) == [], "the way"
    assert found(nested("config.logging.delete_local_logs", "False"), Surroundings(log_volume=True)) == []


def test_option_of_what_the_stack_lacks_is_refused_wherever_it_is_set() -> None:
    both = samples.external().with_({"executor": "CeleryExecutor,KubernetesExecutor"})
    for option, executor, why in (
        ("kubernetes_executor.worker_pods_creation_batch_size", "CeleryExecutor", "there are no task pods"),
        ("celery.worker_prefetch_multiplier", "KubernetesExecutor", "there are no workers of Celery"),
        ("celery_broker_transport_options.visibility_timeout", "KubernetesExecutor", "there are no workers of Celery"),
    ):
        stack = samples.external().with_({"executor": executor})
        name = f"AIRFLOW__{option.replace('.', '__')}".upper()
        for values in (nested(f"config.{option}", 86400), {"env": [{"name": name, "value": "86400"}]}):
            [told] = stack.with_({"helmValues": values}).problems()
            assert f" has no effect, because {why}; use airflow:executor with " in told
            assert both.with_({"helmValues": values}).problems() == (), "the way"
    for option in ("tcp_keep_idle", "verify_ssl", "logs_task_metadata"):
        values = nested(f"config.kubernetes_executor.{option}", 1)
        assert samples.external().with_({"helmValues": values}).problems() == (), "operators read it too"


def test_option_of_flower_or_a_search_engine_that_is_not_there_is_refused() -> None:
    [told] = found(nested("config.celery.flower_url_prefix", "/flower"))
    assert told == "config.celery.flower_url_prefix has no effect without flower.enabled; leave it out"
    for section in ("elasticsearch", "opensearch_configs"):
        [told] = found(nested(f"config.{section}.http_compress", "True"))
        name = section.partition("_")[0]
        assert told.endswith(f"has no effect without {name}.enabled; set that to true, or leave it out")
        on = merged(nested(f"config.{section}.http_compress", "True"), nested(f"{name}.enabled", True))
        assert found(on) == [], "the way"


def test_search_engine_beside_remote_logs_is_refused() -> None:
    """Airflow reads logs from the first place that it is told, and that is the folder."""
    engine = {"helmValues": {"elasticsearch": {"enabled": True, "secretName": "search"}}}
    egress = [{"components": ["api-server"], "cidrs": ["10.0.0.0/24"], "ports": [9200]}]
    stack = samples.external().with_({**engine, "extraEgress": egress})
    assert stack.problems() == ()
    [told] = stack.with_({"taskLogs": "remote", "taskLogsUrl": "s3://logs/airflow"}).problems()
    assert "because task logs are written to and read from another place; use airflow:taskLogs volume" in told
