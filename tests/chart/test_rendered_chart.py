"""What the pinned chart makes of the values: the objects that a cluster would get."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from components.aws_access import READERS, TASKS
from components.chart_values.executor import Executor
from components.chart_values.ingress import CLOSED_PORT, Ingress, alb_annotations
from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.values import airflow_values
from components.database.connection import CA_FOLDER
from components.database.pgbouncer import PgBouncer
from components.kube.images import Images
from components.kube.pod_security_standard import violations
from components.task_logs.remote import CONNECTION_VARIABLE, REMOTE_CONNECTION_VARIABLE
from components.task_logs.store import TaskLogStore
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.cases import each, pairwise
from tests.chart import rendering

pytestmark = rendering.needs_chart

TWO_OF_EACH: Final = Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=2)
SEVERAL: Final = Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=4)
EVERYTHING: Final[dict[str, Any]] = {
    "scale": SEVERAL,
    "autoscaling": WorkerAutoscaling(max_workers=20),
    "metadata_retention_days": 90,
    "ingress": Ingress(host="airflow.example.com", class_name="alb", annotations={"a.b/c": "d"}),
    "database_ca": "database-ca-1",
    "worker_grace_seconds": 1234,
}


def deployment(size: SizePreset, executor: Executor, pooler: PgBouncer | None, store: TaskLogStore) -> ReleaseInputs:
    options = {} if size is SizePreset.NONE else EVERYTHING
    return samples.release_inputs(size=size, executor=executor, pgbouncer=pooler, store=store, **options)


MATRIX: Final[dict[str, ReleaseInputs]] = {
    f"{size} {executor.value} {'pooled' if pooler else 'direct'} {store}": deployment(size, executor, pooler, store)
    for size, executor, pooler, store in pairwise(
        SizePreset,
        Executor,
        (PgBouncer(replicas=2), None),
        TaskLogStore,
        # The settings refuse task pods whose logs would go with them.
        allowed=lambda _, executor, __, store: not (executor.kubernetes and store is TaskLogStore.WORKER),
    )
}
every_deployment = each("inputs", MATRIX.values(), ids=MATRIX.keys())

DATABASE: Final = re.compile(r"SQL_ALCHEMY_CONN|AIRFLOW_CONN_AIRFLOW_DB|KEDA_DB_CONN|metadata-1|PGSSL|database-ca-1")


def rendered(inputs: ReleaseInputs, users: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    return rendering.objects(with_helm_values(airflow_values(inputs), users or {}))


def templates(inputs: ReleaseInputs) -> dict[str, dict[str, Any]]:
    return dict(rendering.pod_templates(rendered(inputs)))


def labels(template: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = template["metadata"]["labels"]
    return found


def selects(selector: Mapping[str, Any], template: Mapping[str, Any]) -> bool:
    assert set(selector) == {"matchLabels"}
    return bool(selector["matchLabels"].items() <= labels(template).items())


@every_deployment
def test_chart_accepts_the_values_and_deploys_what_is_wanted(inputs: ReleaseInputs) -> None:
    wanted = {"airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer", "airflow-statsd"}
    wanted |= {"airflow-worker", "airflow-redis"} if inputs.executor.celery else set()
    wanted |= {"task pod"} if inputs.executor.kubernetes else set()
    wanted |= {"airflow-pgbouncer"} if inputs.pgbouncer else set()
    wanted |= {"airflow-database-cleanup"} if inputs.metadata_retention_days else set()
    assert set(templates(inputs)) == wanted


@each("executor", [executor for executor in Executor if executor.celery])
def test_broker_outside_leaves_no_redis_and_is_read_from_its_secret(executor: Executor) -> None:
    inputs = replace(samples.release_inputs(executor=executor), own_redis=False)
    found = rendered(inputs)
    assert [item["metadata"]["name"] for item in found if "redis" in item["metadata"]["name"]] == []
    assert not [item["metadata"]["name"] for item in found if item["kind"] == "Secret"]
    for name in ("airflow-scheduler", "airflow-worker"):
        [container] = [item for item in templates(inputs)[name]["spec"]["containers"] if item["name"] in name]
        given = {entry["name"]: entry.get("valueFrom") for entry in container["env"]}
        for variable, secret in (("BROKER_URL", "broker-1"), ("RESULT_BACKEND", "result-backend-1")):
            assert given[f"AIRFLOW__CELERY__{variable}"] == {"secretKeyRef": {"name": secret, "key": "connection"}}
    [config] = [item for item in found if item["metadata"]["name"] == "airflow-config"]
    assert "socket_timeout = 10" in config["data"]["airflow.cfg"]


@every_deployment
def test_every_pod_passes_the_restricted_standard(inputs: ReleaseInputs) -> None:
    for name, template in templates(inputs).items():
        assert violations(template["spec"]) == [], name


def test_chart_s_own_pods_do_not_pass_it() -> None:
    """Or the test above would prove nothing."""
    own = dict(rendering.pod_templates(rendering.objects({})))
    failing = {name for name, template in own.items() if violations(template["spec"])}
    assert failing == set(own) - {"airflow-postgresql"}, "that one is of another chart"
    assert len(failing) >= 9


@each("executor", Executor)
def test_two_renders_are_one(executor: Executor) -> None:
    """A key that the chart made anew each time would roll every pod at every update."""
    inputs = deployment(SizePreset.MEDIUM, executor, PgBouncer(replicas=2), TaskLogStore.S3)
    first = rendering.manifest(airflow_values(inputs))
    rendering.forget()
    assert rendering.manifest(airflow_values(inputs)) == first


def test_chart_alone_makes_new_keys_each_time() -> None:
    """Or the test above would prove nothing."""
    first = rendering.manifest({})
    rendering.forget()
    assert rendering.manifest({}) != first


@every_deployment
def test_pods_that_run_tasks_know_nothing_of_the_database(inputs: ReleaseInputs) -> None:
    for name in {"airflow-worker", "task pod"} & set(templates(inputs)):
        template = templates(inputs)[name]
        assert not DATABASE.search(json.dumps(template)), name
        assert CA_FOLDER not in json.dumps(template), name
        assert template["spec"]["terminationGracePeriodSeconds"] == inputs.worker_grace_seconds


@every_deployment
def test_pods_that_connect_to_the_database_verify_it(inputs: ReleaseInputs) -> None:
    found = templates(inputs)
    direct = [name for name in found if name.removeprefix("airflow-") in ("api-server", "scheduler", "triggerer")]
    direct += ["airflow-dag-processor", *(name for name in found if name == "airflow-database-cleanup")]
    for name in direct:
        (main,) = [
            container for container in rendering.containers(found[name]) if f"airflow-{container['name']}" == name
        ]
        variables = {entry["name"] for entry in main["env"]}
        assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" in variables, name
        assert ("PGSSLROOTCERT" in variables) is (inputs.database_ca is not None and not inputs.pgbouncer), name
    if inputs.pgbouncer and inputs.database_ca:
        pooler = rendering.containers(found["airflow-pgbouncer"])[0]
        assert CA_FOLDER in [mount["mountPath"] for mount in pooler["volumeMounts"]]


@every_deployment
def test_no_container_has_a_variable_or_a_mount_twice(inputs: ReleaseInputs) -> None:
    for name, template in templates(inputs).items():
        for container in rendering.containers(template):
            variables = [entry["name"] for entry in container.get("env") or []]
            assert len(variables) == len(set(variables)), (name, container["name"], sorted(variables))
            mounts = [mount["mountPath"] for mount in container.get("volumeMounts") or []]
            assert len(mounts) == len(set(mounts)), (name, container["name"])
        volumes = [volume["name"] for volume in template["spec"].get("volumes") or []]
        assert len(volumes) == len(set(volumes)), name


@every_deployment
def test_every_container_has_its_size_or_none_has(inputs: ReleaseInputs) -> None:
    for name, template in templates(inputs).items():
        for container in rendering.containers(template):
            sized = bool(container.get("resources"))
            assert sized is (inputs.size is not SizePreset.NONE), (name, container["name"])


@every_deployment
def test_no_pod_that_runs_tasks_is_evicted_for_what_they_write(inputs: ReleaseInputs) -> None:
    for name in {"airflow-worker", "task pod"} & set(templates(inputs)):
        for container in rendering.containers(templates(inputs)[name]):
            assert "ephemeral-storage" not in container.get("resources", {}).get("limits", {}), container["name"]


@every_deployment
def test_scheduler_asks_celery_with_a_fixed_number_of_processes(inputs: ReleaseInputs) -> None:
    (parallelism,) = re.findall(r"sync_parallelism = (\d+)", rendering.airflow_cfg(rendered(inputs)))
    # 0 is a process for every CPU of the node; a laptop's stack leaves that as it is.
    assert (int(parallelism) > 0) is (inputs.size is not SizePreset.NONE and inputs.executor.celery)


# Disruption budgets and spread


def budgets(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from rendering.of_kind(objects, "PodDisruptionBudget")


def acceptable(budget: Mapping[str, Any]) -> bool:
    """Whether the API server takes it: one limit, not both."""
    return len({"minAvailable", "maxUnavailable"} & {key for key, value in budget["spec"].items() if value}) == 1


@every_deployment
def test_budgets_are_acceptable_and_no_pod_is_under_two(inputs: ReleaseInputs) -> None:
    objects, found = rendered(inputs), templates(inputs)
    assert all(acceptable(budget) for budget in budgets(objects))
    for name, template in found.items():
        over = [budget for budget in budgets(objects) if selects(budget["spec"]["selector"], template)]
        assert len(over) <= 1, "the eviction of a pod with two budgets fails, for ever"
        if name == "task pod":
            assert over == [], "a pod without a controller"
    names = {budget["metadata"]["name"] for budget in budgets(objects)}
    wanted = {f"airflow-{part}-pdb" for part in ("api-server", "scheduler", "dag-processor", "triggerer")}
    wanted |= set() if inputs.executor.kubernetes else {"airflow-worker-pdb"}
    pooler = {"airflow-pgbouncer-pdb"} if inputs.pgbouncer else set()
    assert names == (pooler if inputs.size is SizePreset.NONE else wanted | pooler)


@every_deployment
def test_spread_counts_the_pods_of_its_own_component(inputs: ReleaseInputs) -> None:
    found = templates(inputs)
    for name, template in found.items():
        for constraint in template["spec"].get("topologySpreadConstraints") or []:
            assert constraint["labelSelector"]["matchLabels"] == {
                key: labels(template)[key] for key in ("tier", "release", "component")
            }, name


@each("component", ["apiServer", "scheduler", "dagProcessor", "triggerer", "pgbouncer", "workers.celery"])
@each("scale", [TWO_OF_EACH, Scale()], ids=["two", "one"])
def test_user_s_minimum_is_the_only_limit(component: str, scale: Scale) -> None:
    inputs = samples.release_inputs(scale=scale, pgbouncer=PgBouncer(replicas=scale.scheduler))
    users: dict[str, Any] = {"podDisruptionBudget": {"enabled": True, "config": {"minAvailable": 1}}}
    for part in reversed(component.split(".")):
        users = {part: users}
    objects = rendered(inputs, users)
    assert all(acceptable(budget) for budget in budgets(objects))
    assert [budget["spec"]["minAvailable"] for budget in budgets(objects) if "minAvailable" in budget["spec"]] == [1]


def test_chart_alone_would_give_both_limits() -> None:
    """Or the test above would prove nothing."""
    users = {"scheduler": {"podDisruptionBudget": {"enabled": True, "config": {"minAvailable": 1}}}}
    assert not all(acceptable(budget) for budget in budgets(rendering.objects(users)))


# Logs


def test_worker_s_own_volume_has_the_class_of_the_user() -> None:
    inputs = samples.release_inputs(store=TaskLogStore.WORKER)
    objects = rendered(inputs, {"workers": {"celery": {"persistence": {"storageClassName": "gp3"}}}})
    [worker] = [found for found in rendering.of_kind(objects, "StatefulSet") if "worker" in found["metadata"]["name"]]
    [claim] = worker["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "gp3"
    assert claim["spec"]["resources"]["requests"]["storage"] == "5Gi", "airflow:taskLogsStorageGib"


@every_deployment
def test_logs_are_on_a_volume_in_a_bucket_or_with_their_worker(inputs: ReleaseInputs) -> None:
    objects, store = rendered(inputs), inputs.task_logs.store
    cfg = rendering.airflow_cfg(objects)
    assert f"remote_logging = {inputs.remote_logs is not None}" in cfg
    assert ("remote_base_log_folder = s3://logs-1/airflow" in cfg) is (store is TaskLogStore.S3)
    for name, template in templates(inputs).items():
        claims = [volume for volume in template["spec"].get("volumes") or [] if "persistentVolumeClaim" in volume]
        assert all(store is TaskLogStore.VOLUME for _ in claims), name
    if inputs.executor.celery:
        kinds = [found["kind"] for found in objects if found["metadata"]["name"] == "airflow-worker"]
        assert ("StatefulSet" in kinds) is (store is TaskLogStore.WORKER)
        assert ("Deployment" in kinds) is (store is not TaskLogStore.WORKER)


@every_deployment
def test_role_of_the_logs_is_with_the_accounts_that_the_program_names(inputs: ReleaseInputs) -> None:
    objects, remote = rendered(inputs), inputs.remote_logs is not None
    accounts = {found["metadata"]["name"]: found for found in rendering.of_kind(objects, "ServiceAccount")}
    with_role = {name for name, found in accounts.items() if found["metadata"].get("annotations")}
    clients = {f"airflow-{role}" for role in (*READERS, *TASKS)}
    assert with_role == (clients if inputs.task_logs.store is TaskLogStore.S3 else set())
    with_connection = {
        template["spec"]["serviceAccountName"]
        for template in templates(inputs).values()
        if re.search(f"{CONNECTION_VARIABLE}|{REMOTE_CONNECTION_VARIABLE}", json.dumps(template))
    }
    assert with_connection == (clients if remote else set())


@every_deployment
def test_no_account_but_those_that_ask_kubernetes_has_a_token(inputs: ReleaseInputs) -> None:
    """Checkov looks at pods alone (CKV_K8S_38), and the chart says it of most accounts instead."""
    accounts = {
        found["metadata"]["name"]: found.get("automountServiceAccountToken", True)
        for found in rendering.of_kind(rendered(inputs), "ServiceAccount")
    }
    mounted = {
        template["spec"]["serviceAccountName"]
        for template in templates(inputs).values()
        if template["spec"].get("automountServiceAccountToken", accounts[template["spec"]["serviceAccountName"]])
    }
    assert mounted == ({"airflow-api-server", "airflow-scheduler"} if inputs.executor.kubernetes else set())


# The way in


@every_deployment
def test_ingress_is_there_when_wanted_and_the_service_stays_inside(inputs: ReleaseInputs) -> None:
    objects = rendered(inputs)
    assert all(found["spec"].get("type", "ClusterIP") == "ClusterIP" for found in rendering.of_kind(objects, "Service"))
    ingresses = rendering.of_kind(objects, "Ingress")
    if inputs.ingress is None:
        assert ingresses == []
        return
    (found,) = ingresses
    assert found["metadata"]["annotations"]["a.b/c"] == "d"
    assert found["spec"]["ingressClassName"] == "alb"
    (rule,) = found["spec"]["rules"]
    assert rule["host"] == "airflow.example.com"
    closed, path = rule["http"]["paths"]
    assert closed["path"] == "/execution"
    assert closed["backend"]["service"] == {"name": "airflow-api-server", "port": {"name": "use-annotation"}}
    assert "alb.ingress.kubernetes.io/actions.airflow-api-server" in found["metadata"]["annotations"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"]["service"] == {"name": "airflow-api-server", "port": {"name": "api-server"}}
    assert "base_url = https://airflow.example.com" in rendering.airflow_cfg(objects)
    # Tasks call it by its Service, not through the load balancer.
    assert "execution_api_server_url = http://airflow-api-server:8080/execution/" in rendering.airflow_cfg(objects)


@each("path", ["/airflow", "/tools/airflow", "/"])
def test_path_on_a_shared_host_is_everybody_s_who_needs_it(path: str) -> None:
    ingress = Ingress(host="tools.example.com", path=path, class_name="nginx", tls_secret="tls")
    objects = rendered(samples.release_inputs(ingress=ingress, executor=Executor.CELERY_AND_KUBERNETES))
    (rule,) = rendering.of_kind(objects, "Ingress")[0]["spec"]["rules"]
    closed, open_ = rule["http"]["paths"]
    root = path.rstrip("/")
    assert (closed["path"], open_["path"]) == (f"{root}/execution", path)
    services = {found["metadata"]["name"]: found["spec"] for found in rendering.of_kind(objects, "Service")}
    ports = {port["name"]: port["port"] for port in services["airflow-api-server"]["ports"]}
    assert ports == {"api-server": 8080, closed["backend"]["service"]["port"]["name"]: CLOSED_PORT}
    configuration = rendering.airflow_cfg(objects)
    assert f"base_url = https://tools.example.com{root}\n" in configuration
    assert f"execution_api_server_url = http://airflow-api-server:8080{root}/execution/" in configuration


@pytest.mark.parametrize("secret", ["airflow-tls", None])
def test_ingress_has_a_certificate_or_leaves_it_to_its_controller(secret: str | None) -> None:
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1a2b"
    ingress = Ingress(host="a.example.com", tls_secret=secret, annotations=alb_annotations(arn, internal=True))
    (found,) = rendering.of_kind(rendered(samples.release_inputs(ingress=ingress)), "Ingress")
    wanted = [{"hosts": ["a.example.com"], "secretName": secret}] if secret else None
    assert found["spec"].get("tls") == wanted
    assert all(isinstance(value, str) for value in found["metadata"]["annotations"].values())


# Old rows


@pytest.mark.parametrize("pooler", [PgBouncer(), None], ids=["pooled", "direct"])
def test_cleanup_runs_what_the_command_knows(pooler: PgBouncer | None) -> None:
    inputs = samples.release_inputs(metadata_retention_days=90, pgbouncer=pooler, database_ca="database-ca-1")
    (container,) = rendering.containers(templates(inputs)["airflow-database-cleanup"])
    script = container["args"][-1]
    assert "{{" not in script
    assert '$(date -d "-90 days"' in script
    command = script[script.index("airflow db clean") :]
    options = set(re.findall(r"--[a-z-]+", command))
    # `airflow db clean --help` of 3.2.2.
    assert options == {
        "--clean-before-timestamp",
        "--yes",
        "--skip-archive",
        "--verbose",
        "--batch-size",
        "--error-on-cleanup-failure",
    }
    assert script.count("DATABASE_CA_CERTIFICATES") == (0 if pooler else 2)


def test_cleanup_writes_the_certificates_as_they_are(tmp_path: Path) -> None:
    """Runs the script's own shell, with a command `airflow` that looks at the file."""
    inputs = samples.release_inputs(metadata_retention_days=1, database_ca="database-ca-1")
    (container,) = rendering.containers(templates(inputs)["airflow-database-cleanup"])
    certificates = "-----BEGIN CERTIFICATE-----\n%s \\n $HOME\n-----END CERTIFICATE-----"
    airflow = tmp_path / "airflow"
    airflow.write_text(
        '#!/bin/bash\ncat "$PGSSLROOTCERT"; echo "left: ${DATABASE_CA_CERTIFICATES-nothing}"; echo "$@"\n'
    )
    airflow.chmod(0o755)
    done = subprocess.run(
        container["args"],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PGSSLROOTCERT": str(tmp_path / "ca.crt"),
            "DATABASE_CA_CERTIFICATES": certificates,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{certificates}\nleft: nothing\ndb clean --clean-before-timestamp 20" in done.stdout


# Images


def test_digest_reaches_the_cleanup_too() -> None:
    inputs = samples.release_inputs(images=Images(tag="3.2.2", digest=samples.DIGEST), metadata_retention_days=90)
    (container,) = rendering.containers(templates(inputs)["airflow-database-cleanup"])
    assert container["image"] == f"apache/airflow@{samples.DIGEST}"
