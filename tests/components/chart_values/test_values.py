"""Helm values: what the chart's schema and its own values.yaml know, and what must be true of every deployment."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from components.chart_values.chart_defaults import FOLDER, chart_schema, chart_values, merged, schema_problems
from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress
from components.chart_values.owned_values import OFF
from components.chart_values.release_inputs import DagAccess, ReleaseInputs
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.values import airflow_values
from components.dags.delivery import DagsDelivery
from components.database.access import ASYNC_CONNECTION_KEY, CONNECTION_KEY
from components.database.connection import CA_FILE, CA_FOLDER
from components.database.pgbouncer import PgBouncer
from components.kube.images import Images
from components.task_logs.store import TaskLogStore
from tests import samples
from tests.cases import each, pairwise

SSH: Final = DagAccess(ssh_key_secret="git-ssh-1", known_hosts="git.test ssh-ed25519 AAAA")
TOKEN: Final = DagAccess(credentials_secret="git-token-1")
BUNDLE: Final = DagAccess(
    bundle_config=({"name": "dags", "classpath": "a.B", "kwargs": {}},),
    env=({"name": "AIRFLOW_CONN_GIT_DAGS", "valueFrom": {"secretKeyRef": {"name": "bundle-1", "key": "connection"}}},),
    volumes=({"name": "key", "secret": {"secretName": "git-ssh-1"}},),
    volume_mounts=({"name": "key", "mountPath": "/etc/git-secret"},),
)
DELIVERIES: Final = {
    "public": (DagsDelivery.GIT_SYNC, DagAccess()),
    "ssh": (DagsDelivery.GIT_SYNC, SSH),
    "token": (DagsDelivery.GIT_SYNC, TOKEN),
    "bundle": (DagsDelivery.GIT_BUNDLE, BUNDLE),
    "image": (DagsDelivery.IMAGE, DagAccess()),
}
FULL: Final[dict[str, Any]] = {
    "images": Images(tag="3.2.2", digest=samples.DIGEST),
    "load_examples": True,
    "scale": Scale(api_server=2, scheduler=2, dag_processor=2, triggerer=2, worker=2),
    "size": SizePreset.MEDIUM,
    "autoscaling": WorkerAutoscaling(max_workers=9),
    "metadata_retention_days": 90,
    "ingress": Ingress(host="airflow.test", class_name="nginx", tls_secret="tls-1"),
    "database_ca": "database-ca-1",
}
"""All that a production deployment has, against `{}`, a laptop's."""
MODES: Final[dict[str, tuple[PgBouncer | None, dict[str, Any]]]] = {
    "direct plain": (None, {}),
    "pooled full": (PgBouncer(replicas=2), FULL),
    "direct full": (None, FULL),
}


def combination(executor: Executor, delivery: str, store: TaskLogStore, mode: str) -> ReleaseInputs:
    method, access = DELIVERIES[delivery]
    pgbouncer, options = MODES[mode]
    return samples.release_inputs(
        executor=executor,
        pgbouncer=pgbouncer,
        dags_=samples.dags(delivery=method),
        dag_access=access,
        store=store,
        **options,
    )


MATRIX: Final = {" ".join(row): combination(*row) for row in pairwise(Executor, DELIVERIES, TaskLogStore, MODES)}
every_combination = each("inputs", MATRIX.values(), ids=MATRIX.keys())


def leaves(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield from leaves(value, (*path, key))
    else:
        yield path, values


def at(values: Mapping[str, Any], path: str) -> Any:
    for part in path.split("."):
        values = values[part]
    return values


def deprecated_paths() -> set[tuple[str, ...]]:
    """Keys before which the chart's values.yaml says "(deprecated"."""
    found, parents, noted = set(), [(-1, "")], False
    for line in (FOLDER / "values.yaml").read_text().splitlines():
        key = re.match(r"( *)([A-Za-z][A-Za-z0-9_]*):", line)
        if key:
            while parents[-1][0] >= len(key[1]):
                parents.pop()
            parents.append((len(key[1]), key[2]))
            if noted:
                found.add(tuple(name for _, name in parents[1:]))
        noted = "deprecated" in line or (noted and line.lstrip().startswith("#"))
    return found


DEPRECATED: Final = deprecated_paths()
WITHOUT_DEFAULT: Final = {
    ("workers", "celery", "podManagementPolicy"),
    ("dags", "gitSync", "sshKeySecret"),
    ("dags", "gitSync", "knownHosts"),
    ("dags", "gitSync", "credentialsSecret"),
}
"""Keys of ours that values.yaml has in comments only; the schema has them."""
PASSED_ON: Final = {"unhealthyPodEvictionPolicy"}
"""Fields of Kubernetes that neither has; the chart prints what stands beside those that it has."""


@every_combination
def test_values_pass_the_chart_s_schema(inputs: ReleaseInputs) -> None:
    assert schema_problems(airflow_values(inputs)) == []


def test_schema_is_not_toothless() -> None:
    assert schema_problems({"scheduler": {"unheardOf": 1}}) == ["scheduler: unheardOf is not an entry"]


def schema_knows(path: tuple[str, ...]) -> bool:
    node: Any = chart_schema()
    for part in path:
        properties = node.get("properties", {})
        if part not in properties:
            return "$ref" in node or (not properties and node.get("type") != "string")
        node = properties[part]
    return True


def defaults_know(path: tuple[str, ...]) -> bool:
    node: Any = chart_values()
    for part in path:
        if not isinstance(node, Mapping) or not node:
            return True
        if part not in node:
            return False
        node = node[part]
    return True


@every_combination
def test_chart_knows_every_key(inputs: ReleaseInputs) -> None:
    """At its root and in some sections the chart ignores a key that it does not know."""
    for path, _ in leaves(airflow_values(inputs)):
        if path[0] != "config":
            assert schema_knows(path) or path[-1] in PASSED_ON, path
            assert defaults_know(path) or path in WITHOUT_DEFAULT or path[-1] in PASSED_ON, path


def test_what_the_chart_deprecates_is_known_to_this_test() -> None:
    assert ("securityContext",) in DEPRECATED
    assert ("scheduler", "securityContext") in DEPRECATED
    assert ("workers", "keda", "enabled") in DEPRECATED
    assert ("registry", "secretName") in DEPRECATED
    assert len(DEPRECATED) > 100
    assert not any(path[:2] == ("workers", "celery") for path in DEPRECATED)


@every_combination
def test_no_deprecated_key_is_used(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    for path, _ in leaves(values):
        assert not any(path[:length] in DEPRECATED for length in range(1, len(path) + 1)), path
    assert set(values["workers"]) == {"celery", "kubernetes"}, "every other key of workers is deprecated"
    # Both warn while they are not set, and change their meaning in the next major version.
    assert values["enableServiceLinks"] is False
    assert at(values, "dags.gitSync.recommendedProbeSetting") is True
    assert "readinessProbe" not in values["dags"]["gitSync"]


@every_combination
def test_values_are_the_same_each_time_and_take_nothing_from_their_input(inputs: ReleaseInputs) -> None:
    before = copy.deepcopy(inputs.dag_access)
    first, second = airflow_values(inputs), airflow_values(inputs)
    assert json.dumps(first) == json.dumps(second)
    first["scheduler"]["env"].append("x")
    first["workers"]["celery"]["extraVolumes"].append("x")
    assert airflow_values(inputs) == second
    assert inputs.dag_access == before


DATABASE_CLIENTS: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer")
OFF_DATABASE: Final = re.compile(r"AIRFLOW__(DATABASE|CORE)__SQL_ALCHEMY_CONN|AIRFLOW_CONN_AIRFLOW_DB|KEDA_DB_CONN")


@every_combination
def test_workers_do_not_learn_where_the_database_is(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    # What every pod gets, and what a worker of either kind gets.
    common = {key: values.get(key) for key in ("env", "secret", "extraEnv", "extraEnvFrom", "config", "workers")}
    assert not OFF_DATABASE.search(json.dumps(common))
    assert "metadata-1" not in json.dumps(common)
    assert "database-ca-1" not in json.dumps({**common, "volumes": values.get("volumes")})
    assert not {"volumes", "volumeMounts"} & set(values), "they would be everywhere"
    assert values["enableBuiltInSecretEnvVars"] == {
        "AIRFLOW__CORE__FERNET_KEY": False,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": False,
        "AIRFLOW_CONN_AIRFLOW_DB": False,
    }
    # Its init container would wait for a database that it cannot reach.
    assert at(values, "workers.celery.waitForMigrations.enabled") is False


@every_combination
def test_every_client_of_the_database_learns_where_it_is(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    for component in (*DATABASE_CLIENTS, *(["databaseCleanup"] if "databaseCleanup" in values else [])):
        variables = {variable["name"]: variable for variable in values[component]["env"]}
        assert len(variables) == len(values[component]["env"]), "no variable twice"
        for name, key in (("SQL_ALCHEMY_CONN", CONNECTION_KEY), ("SQL_ALCHEMY_CONN_ASYNC", ASYNC_CONNECTION_KEY)):
            reference = variables[f"AIRFLOW__DATABASE__{name}"]["valueFrom"]["secretKeyRef"]
            assert reference == {"name": "metadata-1", "key": key}
    # Init containers do not get `env`; the migration has run before the release.
    assert all(values[component]["waitForMigrations"] == {"enabled": False} for component in DATABASE_CLIENTS)


@every_combination
def test_fernet_key_of_the_database_is_only_where_the_database_is(inputs: ReleaseInputs) -> None:
    """A worker cannot decrypt it, and a rotation rolls no worker."""
    values = airflow_values(inputs)
    cleanup = ["databaseCleanup"] if "databaseCleanup" in values else []
    servers = {component: values[component] for component in (*DATABASE_CLIENTS, *cleanup)}
    workers = {f"workers.{kind}": values["workers"][kind] for kind in ("celery", "kubernetes")}
    for components, secret in ((servers, "fernet-1"), (workers, "worker-1")):
        for name, component in components.items():
            [found] = [item for item in component["env"] if item["name"] == "AIRFLOW__CORE__FERNET_KEY"]
            assert found["valueFrom"]["secretKeyRef"] == {"name": secret, "key": "fernet-key"}, name
    assert "fernet-1" not in json.dumps(values["workers"])


@every_combination
def test_every_key_is_a_named_secret(inputs: ReleaseInputs) -> None:
    """Without a name the chart makes a new key at each render."""
    values = airflow_values(inputs)
    assert values["fernetKeySecretName"] == "fernet-1"
    assert values["apiSecretKeySecretName"] == "api-secret-1"
    assert values["jwtSecretName"] == "jwt-1"
    assert values["data"]["metadataSecretName"] == "metadata-1"
    inline = {"fernetKey", "apiSecretKey", "jwtSecret", "webserverSecretKey", "metadataConnection", "brokerUrl"}
    inline |= {"resultBackendConnection", "sshKey", "password", "connection", "configSecret", "statsSecret"}
    for path, _ in leaves(values):
        assert not inline & set(path), path


def test_celery_has_its_broker_and_keeps_results_out_of_the_database() -> None:
    values = airflow_values(samples.release_inputs())
    assert values["data"]["brokerUrlSecretName"] == "broker-1"
    assert values["data"]["resultBackendSecretName"] == "result-backend-1"
    assert values["redis"]["enabled"] is True
    assert values["redis"]["passwordSecretName"] == "redis-1"
    hook = values["redis"]["containerLifecycleHooks"]["postStart"]["exec"]["command"]
    assert "config set save '1 1'" in hook[-1], "a killed Redis loses a second, not an hour"
    assert values["config"]["celery"]["worker_concurrency"] == "16"
    assert 1 < int(values["config"]["celery_broker_transport_options"]["socket_timeout"]) <= 60


def test_kubernetes_executor_alone_has_no_broker() -> None:
    values = airflow_values(samples.release_inputs(executor=Executor.KUBERNETES))
    assert values["data"] == {"metadataSecretName": "metadata-1"}
    assert values["redis"]["enabled"] is False
    assert "passwordSecretName" not in values["redis"], "the chart refuses it without a broker"
    assert "celery" not in values["config"]


@each("executor", Executor)
def test_executor_is_given_by_its_own_key(executor: Executor) -> None:
    values = airflow_values(samples.release_inputs(executor=executor))
    assert values["executor"] == executor.value
    assert "executor" not in values["config"]["core"], "the chart fails to render with both"


@every_combination
def test_only_who_asks_the_kubernetes_api_has_a_token(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    kubernetes = inputs.executor.kubernetes
    accounts = {
        path[:-2]: value
        for path, value in leaves(values)
        if path[-2:] == ("serviceAccount", "automountServiceAccountToken")
    }
    for component, mounted in accounts.items():
        assert mounted is (kubernetes and component in (("apiServer",), ("scheduler",))), component
    deployed: set[tuple[str, ...]] = {("apiServer",), ("scheduler",), ("dagProcessor",), ("triggerer",), ("statsd",)}
    deployed |= {("workers", "celery"), ("workers", "kubernetes")}
    deployed |= {("redis",)} if inputs.executor.celery else set()
    deployed |= {("pgbouncer",)} if inputs.pgbouncer else set()
    deployed |= {("databaseCleanup",)} if inputs.metadata_retention_days else set()
    assert set(accounts) == deployed
    assert values["allowPodLaunching"] is False, "the chart's role would let every worker make pods"


@every_combination
def test_nothing_may_be_evicted(inputs: ReleaseInputs) -> None:
    """An eviction kills the tasks of a worker and the queue of Redis; the chart's default is true for most."""
    values = airflow_values(inputs)
    known = [path[:-1] for path, _ in leaves(chart_values()) if path[-1] == "safeToEvict" and path[:-1] != ("workers",)]
    assert len(known) == 6
    for component in known:
        if component == ("redis",) and not inputs.executor.celery:
            continue
        assert at(values, ".".join((*component, "safeToEvict"))) is False, component


@every_combination
def test_what_users_may_say_is_off_is_off(inputs: ReleaseInputs) -> None:
    values = merged(chart_values(), airflow_values(inputs))
    deployed = [path for path in OFF if not path.startswith("redis.") or at(values, "redis.enabled")]
    assert {path for path in deployed if at(values, path)} == set()


@every_combination
def test_example_dags_are_there_only_when_asked_for(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    expected = "True" if inputs.load_examples else "False"
    assert {"name": "AIRFLOW__CORE__LOAD_EXAMPLES", "value": expected} in values["env"]
    assert values["config"]["core"]["load_examples"] == expected


def test_example_dags_are_off_by_default() -> None:
    assert "True" not in json.dumps(airflow_values(samples.release_inputs())["env"])


@every_combination
def test_no_pod_waits_for_ever_on_a_broken_image(inputs: ReleaseInputs) -> None:
    """The pods of a StatefulSet do, unless it starts them in parallel; the triggerer has no key for that."""
    values = airflow_values(inputs)
    assert at(values, "triggerer.persistence.enabled") is False
    assert at(values, "workers.celery.podManagementPolicy") == "Parallel"


@every_combination
def test_chart_runs_none_of_what_the_program_runs_itself(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    for off in ("migrateDatabaseJob", "createUserJob", "postgresql", "networkPolicies"):
        assert values[off] == {"enabled": False}, off


def test_a_start_may_take_as_long_in_each_component_however_often_it_is_asked() -> None:
    found, chart = airflow_values(samples.release_inputs()), chart_values()
    probes = [{**chart[name]["startupProbe"], **found[name]["startupProbe"]} for name in ("apiServer", "scheduler")]
    assert [probe["periodSeconds"] for probe in probes] == [2, 10]
    assert [probe["periodSeconds"] * probe["failureThreshold"] for probe in probes] == [300, 300]


def test_names_are_those_that_airflow_users_know() -> None:
    values = airflow_values(samples.release_inputs())
    assert values["useStandardNaming"] is False
    assert not {"fullnameOverride", "nameOverride"} & set(values)


# Delivery of DAGs


def git_sync(access: DagAccess) -> dict[str, Any]:
    found: dict[str, Any] = airflow_values(samples.release_inputs(dag_access=access))["dags"]["gitSync"]
    return found


@pytest.mark.parametrize("access", [DagAccess(), SSH, TOKEN])
def test_git_sync_outlives_an_outage_and_says_when_it_hangs(access: DagAccess) -> None:
    found = git_sync(access)
    assert found["enabled"] is True
    assert found["maxFailures"] == -1, "the default gives up, and stops the pod with it"
    assert found["startupProbe"]["enabled"] is found["livenessProbe"]["enabled"] is True
    assert (found["repo"], found["ref"], found["subPath"]) == ("https://git.test/dags.git", "main", "dags")
    assert (found["period"], found["depth"]) == ("30s", 1)
    # git-sync 3 read these; a value beside `ref` would contradict it.
    assert (found["branch"], found["rev"]) == ("", "")
    stale = {variable["name"]: variable["value"] for variable in found["env"]}["GITSYNC_STALE_WORKTREE_TIMEOUT"]
    assert int(stale.removesuffix("s")) >= 60, "a task that imports from a replaced tree needs some time"


def test_ssh_is_never_without_host_keys() -> None:
    found = git_sync(SSH)
    assert (found["sshKeySecret"], found["knownHosts"]) == ("git-ssh-1", "git.test ssh-ed25519 AAAA")
    assert "credentialsSecret" not in found


def test_token_comes_from_its_secret() -> None:
    found = git_sync(TOKEN)
    assert found["credentialsSecret"] == "git-token-1"
    assert not {"sshKeySecret", "knownHosts"} & set(found)


def test_public_repository_has_no_credentials() -> None:
    assert not {"sshKeySecret", "knownHosts", "credentialsSecret"} & set(git_sync(DagAccess()))


def test_bundle_reaches_every_pod_that_loads_dags_and_no_other() -> None:
    inputs = samples.release_inputs(dags_=samples.dags(delivery=DagsDelivery.GIT_BUNDLE), dag_access=BUNDLE)
    values = airflow_values(inputs)
    assert values["dags"]["gitSync"]["enabled"] is False
    assert at(values, "dagProcessor.dagBundleConfigList") == list(BUNDLE.bundle_config)
    for component in ("dagProcessor", "triggerer", "workers.celery", "workers.kubernetes"):
        found = at(values, component)
        assert BUNDLE.env[0] in found["env"], component
        assert found["extraVolumes"] == list(BUNDLE.volumes), component
        assert found["extraVolumeMounts"] == list(BUNDLE.volume_mounts), component
    for component in ("apiServer", "scheduler"):
        assert "bundle-1" not in json.dumps(values[component])
        assert "git-ssh-1" not in json.dumps(values[component])


def test_dags_in_the_image_leave_nothing_of_git_and_the_chart_s_own_bundle() -> None:
    values = airflow_values(samples.release_inputs(dags_=samples.dags(delivery=DagsDelivery.IMAGE)))
    assert values["dags"]["gitSync"]["enabled"] is False
    assert "dagBundleConfigList" not in values["dagProcessor"]
    assert "dag_processor" not in values["config"], "Airflow's own refresh_interval"
    assert "git.test" not in json.dumps(values)


def test_git_sync_leaves_the_chart_s_own_bundle() -> None:
    assert "dagBundleConfigList" not in airflow_values(samples.release_inputs())["dagProcessor"]


def test_new_dag_is_looked_for_as_often_as_it_is_fetched() -> None:
    assert airflow_values(samples.release_inputs())["config"]["dag_processor"]["refresh_interval"] == "30"


# Logs, pooler, size


def test_logs_on_one_volume_outlive_their_pods() -> None:
    values = airflow_values(samples.release_inputs(store=TaskLogStore.VOLUME))
    assert values["logs"]["persistence"] == {"enabled": True, "existingClaim": "task-logs-1"}
    assert at(values, "workers.celery.persistence.enabled") is False


def test_logs_of_each_worker_are_on_its_own_volume() -> None:
    values = airflow_values(samples.release_inputs(store=TaskLogStore.WORKER))
    assert values["logs"]["persistence"] == {"enabled": False}
    assert at(values, "workers.celery.persistence") == {"enabled": True, "size": "5Gi"}


def test_pooler_is_configured_by_the_program_whole() -> None:
    found = airflow_values(samples.release_inputs(pgbouncer=PgBouncer(replicas=3)))["pgbouncer"]
    assert (found["enabled"], found["replicas"]) == (True, 3)
    assert found["configSecretName"] == "pgbouncer-config-1"
    assert found["metricsExporterSidecar"]["statsSecretName"] == "pgbouncer-stats-1"
    assert found["metricsExporterSidecar"]["statsSecretKey"] == CONNECTION_KEY
    assert airflow_values(samples.release_inputs())["pgbouncer"]["enabled"] is False


def test_every_component_has_its_number_of_pods() -> None:
    scale = Scale(api_server=2, scheduler=3, dag_processor=4, triggerer=5, worker=6, worker_concurrency=7)
    values = airflow_values(samples.release_inputs(scale=scale))
    sizes = [values[component]["replicas"] for component in ("apiServer", "scheduler", "dagProcessor", "triggerer")]
    assert sizes == [2, 3, 4, 5]
    assert at(values, "workers.celery.replicas") == 6
    # A text: the chart prints a large number as 1e+06.
    assert values["config"]["celery"]["worker_concurrency"] == "7"


@every_combination
def test_every_option_of_airflow_is_a_text(inputs: ReleaseInputs) -> None:
    for path, value in leaves(airflow_values(inputs)["config"]):
        assert isinstance(value, str), path


# Pod Security Standard `restricted`


@every_combination
def test_every_container_passes_the_restricted_standard(inputs: ReleaseInputs) -> None:
    """The chart's global contexts do not reach git-sync, Redis, StatsD or PgBouncer; each needs its own."""
    values = airflow_values(inputs)
    containers = ["securityContexts.containers", "dags.gitSync.securityContexts.container"]
    pods = ["securityContexts.pod"]
    for component in ("redis", "statsd", "pgbouncer"):
        containers.append(f"{component}.securityContexts.container")
        pods.append(f"{component}.securityContexts.pod")
    containers.append("pgbouncer.metricsExporterSidecar.securityContexts.container")
    for path in containers:
        context = at(values, path)
        assert context["allowPrivilegeEscalation"] is False, path
        assert context["capabilities"] == {"drop": ["ALL"]}, path
        assert context["runAsNonRoot"] is True, path
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, path
    for path in pods:
        context = at(values, path)
        assert context["runAsNonRoot"] is True, path
        assert context["runAsUser"] > 0, path
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, path


@every_combination
def test_root_is_read_only_where_nothing_is_written_but_to_volumes(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    paths = ["redis", "statsd", "pgbouncer", "pgbouncer.metricsExporterSidecar"]
    for path in paths:
        context = at(values, f"{path}.securityContexts.container")
        assert context.get("readOnlyRootFilesystem", False) is (inputs.size is not SizePreset.NONE), path
    if inputs.size is not SizePreset.NONE and inputs.pgbouncer:
        mounts = {mount["name"]: mount["mountPath"] for mount in values["pgbouncer"]["extraVolumeMounts"]}
        assert mounts["scratch"] == "/tmp", "PgBouncer makes its Unix socket there"
        assert set(mounts) == {volume["name"] for volume in values["pgbouncer"]["extraVolumes"]}


# The authorities of the database


def mounted(values: Mapping[str, Any], component: str) -> bool:
    """Whether a component mounts the certificates, and has the volume for it."""
    found = values.get(component, {})
    volumes = {volume["name"]: volume for volume in found.get("extraVolumes", [])}
    mounts = {mount["mountPath"]: mount for mount in found.get("extraVolumeMounts", [])}
    mount = mounts.get(CA_FOLDER)
    if mount is None:
        assert "database-ca-1" not in json.dumps(found.get("extraVolumes", [])), "a volume that nobody mounts"
        return False
    assert volumes[mount["name"]]["configMap"] == {"name": "database-ca-1"}
    assert mount["readOnly"] is True
    return True


def root_certificate(values: Mapping[str, Any], component: str) -> str | None:
    variables = {variable["name"]: variable.get("value") for variable in values.get(component, {}).get("env", [])}
    return variables.get("PGSSLROOTCERT")


@every_combination
def test_whoever_connects_to_the_database_itself_verifies_it(inputs: ReleaseInputs) -> None:
    values = airflow_values(inputs)
    direct = inputs.database_ca is not None and inputs.pgbouncer is None
    for component in DATABASE_CLIENTS:
        assert mounted(values, component) is direct, component
        assert root_certificate(values, component) == (CA_FILE if direct else None), component
    assert mounted(values, "pgbouncer") is (inputs.database_ca is not None and inputs.pgbouncer is not None)
    for component in ("redis", "statsd"):
        assert not mounted(values, component)


def test_pods_without_a_database_to_verify_have_no_certificates() -> None:
    text = json.dumps(airflow_values(samples.release_inputs(pgbouncer=PgBouncer())))
    assert "PGSSLROOTCERT" not in text
    assert CA_FOLDER not in text


# A deployment of several nodes


@each("size", SizePreset)
def test_task_outlives_a_failover_of_the_database(size: SizePreset) -> None:
    """A failover takes up to 120 s, and after 300 s without a heartbeat the scheduler gives the task up.

    The waits between a request's attempts are uniform between 1 s and 2, 4, 8 … s, at most 90 (sdk/api/client.py).
    """
    config = airflow_values(samples.release_inputs(size=size))["config"]
    if size is SizePreset.NONE:
        assert "workers" not in config
    else:
        workers = config["workers"]
        most = [min(2**attempt, 90) for attempt in range(int(workers["execution_api_retries"]) - 1)]
        assert 150 < sum((1 + longest) / 2 for longest in most) < 300, "on average"
        # A heartbeat is such a request; cut off, a worker must not outlive the scheduler's patience by much.
        assert int(workers["max_failed_heartbeats"]) <= 2


@each("executor", Executor)
def test_scheduler_does_not_fork_for_every_cpu_of_its_node(executor: Executor) -> None:
    """Without a CPU limit the chart writes 0, which means that."""
    celery = airflow_values(samples.release_inputs(executor=executor, size=SizePreset.LARGE))["config"].get("celery")
    assert (int(celery["sync_parallelism"]) >= 1) if executor.celery else celery is None


@pytest.mark.parametrize("seconds", [600, 7200])
def test_worker_and_task_pod_have_their_time_to_end(seconds: int) -> None:
    values = airflow_values(samples.release_inputs(worker_grace_seconds=seconds))
    for kind in ("celery", "kubernetes"):
        assert values["workers"][kind]["terminationGracePeriodSeconds"] == seconds


GOLDEN: Final = Path(__file__).with_name("laptop_values.json")


def test_values_of_a_laptop_are_what_they_were() -> None:
    """Whatever else a deployment may have: without it not a pod of an existing stack rolls.

    When a change of these values is meant, the file changes with it.
    """
    found = {
        "celery": airflow_values(samples.release_inputs()),
        "kubernetes": airflow_values(samples.release_inputs(executor=Executor.KUBERNETES, pgbouncer=PgBouncer())),
    }
    assert found == json.loads(GOLDEN.read_text())
