"""The whole composition: which parts there are, in which order, and what another program sees of it."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pytest

import outputs
from components.airflow_platform import AirflowPlatform
from components.chart_values.executor import Executor
from components.chart_values.metrics import Monitoring
from components.chart_values.running import Running
from components.chart_values.worker_group import WorkerGroup
from components.dags.delivery import DagBundle, DagsDelivery, GitCredentials
from components.dags.git_repository import parse_git_repository
from components.database.broker import Broker
from components.database.connection import Database, ExternalDatabase, SslMode
from components.database.pgbouncer import PgBouncer
from components.keys.existing_keys import ExistingKeys
from components.kube.images import Images
from components.kube.job_pod import RESOURCES
from components.kube.secret import Secret
from components.login.oidc import Oidc
from components.network.isolation_args import Isolation, IsolationArgs
from components.preflight.checks import DOCUMENT
from components.task_logs.store import AccessMode, TaskLogs, TaskLogStore
from components.verification.verified import Verified
from tests import samples
from tests.cases import each

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

JOB: Final = "kubernetes:batch/v1:Job"
RELEASE: Final = "kubernetes:helm.sh/v3:Release"
POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
EXTERNAL: Final = ExternalDatabase(
    database=Database(
        host="db.test", port=5433, name="n", user="u", password=Secret("sentinel-db"), ssl_mode=SslMode.REQUIRE
    ),
    cidrs=("10.0.32.0/20",),
)
OUTSIDE: Final = {
    "database": EXTERNAL,
    "pgbouncer": PgBouncer(),
    "isolation": IsolationArgs(
        mode=Isolation.WANTED, egress_except=("192.0.2.0/24",), ui_namespaces=("ui",), metrics_namespaces=("metrics",)
    ),
}
ARGS: Final = samples.platform_args()


def platform(name: str = "airflow", **changes: Any) -> Callable[[], AirflowPlatform]:
    return lambda: AirflowPlatform(name, replace(ARGS, **changes))


_RUNS: Final[dict[str, tuple[Recorder, AirflowPlatform]]] = {}


def key_of(changes: dict[str, Any]) -> str:
    """What is the same for arguments of the same platform."""
    return repr(sorted((name, value) for name, value in changes.items() if value != getattr(ARGS, name)))


@pytest.fixture
def composed(record: Record) -> Record:
    """Returns what the platform registers with other arguments; run once for all tests, so change nothing of it."""

    def composed(**changes: Any) -> Recorder:
        key = key_of(changes)
        if key not in _RUNS:
            made: list[AirflowPlatform] = []
            recorder = record(lambda: made.append(platform(**changes)()))
            _RUNS[key] = recorder, made[0]
        return _RUNS[key][0]

    return composed


def parts(recorder: Recorder) -> set[str]:
    """Components that the platform is made of, by the last part of their type."""
    components = {found.type.rpartition(":")[2] for found in recorder.every() if found.is_component}
    return components - {"AirflowPlatform"}


BUNDLE: Final = DagBundle(
    name="a", repository=parse_git_repository(samples.SSH_REPOSITORY), ref="main", sub_path="", secret="a-key"
)
EVERYWHERE: Final = {
    "dags": replace(
        samples.dags(delivery=DagsDelivery.GIT_BUNDLE), bundles=(BUNDLE, replace(BUNDLE, name="b", secret="b-key"))
    ),
    "executor": Executor.CELERY_AND_KUBERNETES,
    "pgbouncer": PgBouncer(),
}
USERS: Final = {"labels": {"team": "data"}, "airflowPodAnnotations": {"mesh.test/inject": "no"}}
CHECKED: Final[tuple[dict[str, Any], ...]] = (
    {
        "database": EXTERNAL,
        "broker": Broker(
            host="broker.test", port=6379, tls=False, url=Secret("redis://broker.test"), cidrs=("10.0.48.0/20",)
        ),
        "helm_values": USERS,
    },
    {"dags": samples.dags(delivery=DagsDelivery.IMAGE), "helm_values": USERS},
    {
        "dags": replace(samples.dags(delivery=DagsDelivery.GIT_BUNDLE), bundles=(BUNDLE,)),
        "helm_values": {**USERS, "env": [{"name": "CONNECTION_CHECK_MAX_COUNT", "value": "20"}]},
    },
)
"""Platforms that have every check of the preflight, with what a team may say of pods."""
ALWAYS: Final = {
    "AirflowKeys",
    "FernetKey",
    "EarlierFernetKeyRemoval",
    "DatabaseAccess",
    "DatabaseMigration",
    "AirflowRelease",
    "ClusterPreflight",
}


@each(
    ("changes", "more"),
    [
        ({}, {"NetworkIsolation", "PostgresContainer", "TaskLogVolume"}),
        (
            {
                "isolation": IsolationArgs(mode=Isolation.OFF),
                "task_logs": TaskLogs(store=TaskLogStore.WORKER, storage_gib=2, access_mode=AccessMode.READ_WRITE_ONCE),
                "dags": samples.dags(delivery=DagsDelivery.IMAGE),
            },
            {"PostgresContainer"},
        ),
        (
            {"executor": Executor.KUBERNETES},
            {"NetworkIsolation", "PostgresContainer", "TaskLogVolume", "TaskPodAccess", "TaskPodAdmission"},
        ),
        (
            {"database": EXTERNAL, "git": GitCredentials(username="robot", token=Secret("x"))},
            {"NetworkIsolation", "TaskLogVolume", "GitToken"},
        ),
        (
            {
                "dags": samples.dags(samples.SSH_REPOSITORY),
                "git": GitCredentials(ssh_private_key=Secret(samples.ssh_private_key())),
            },
            {"NetworkIsolation", "PostgresContainer", "TaskLogVolume", "GitSshKey"},
        ),
        (
            {
                "dags": samples.dags(samples.SSH_REPOSITORY, DagsDelivery.GIT_BUNDLE),
                "git": GitCredentials(ssh_private_key=Secret(samples.ssh_private_key())),
            },
            {"NetworkIsolation", "PostgresContainer", "TaskLogVolume", "GitSshKey", "GitBundle"},
        ),
        (
            {"dags": samples.dags(delivery=DagsDelivery.GIT_BUNDLE)},
            {"NetworkIsolation", "PostgresContainer", "TaskLogVolume", "GitBundle"},
        ),
        (
            {"dags": replace(samples.dags(delivery=DagsDelivery.GIT_BUNDLE), bundles=(BUNDLE,))},
            {"NetworkIsolation", "PostgresContainer", "TaskLogVolume", "GitBundles"},
        ),
    ],
)
def test_there_is_a_part_for_what_is_asked_for(composed: Record, changes: dict[str, Any], more: set[str]) -> None:
    assert parts(composed(**changes)) == ALWAYS | more


def test_several_bundles_are_where_tasks_run_and_not_in_the_triggerer(composed: Record) -> None:
    recorder = composed(**EVERYWHERE)
    values = recorder.one(RELEASE).inputs["values"]
    for path, expected in (
        ("dagProcessor", True),
        ("triggerer", False),
        ("scheduler", False),
        ("apiServer", False),
        ("workers.celery", True),
        ("workers.kubernetes", True),
    ):
        part: Any = values
        for name in path.split("."):
            part = part[name]
        text = json.dumps(part, default=str)
        assert all((mark in text) is expected for mark in ("AIRFLOW_CONN_GIT_A", "AIRFLOW_CONN_GIT_B", "b-key")), path
    checks = [
        json.loads(found.inputs["data"]["check.json"])
        for found in recorder.every("kubernetes:core/v1:ConfigMap")
        if "-git-" in found.name
    ]
    assert [(check["about"]["bundle"], check["secrets"][0]["name"]) for check in checks] == [
        ("a", "a-key"),
        ("b", "b-key"),
    ]
    assert [check["secrets"][0]["setting"] for check in checks] == [
        "airflow:dagBundles[0].keySecret",
        "airflow:dagBundles[1].keySecret",
    ]
    for check in checks:
        pod, bundle = json.dumps(check["pod"]), check["about"]["bundle"]
        assert f'GitHook(\\"git_{bundle}\\")' in pod
        assert f"AIRFLOW_CONN_GIT_{bundle.upper()}" in pod, "or it could not log in"


def test_no_pod_changes_before_the_migration_and_that_not_before_the_database(composed: Record) -> None:
    recorder = composed()
    migration = recorder.one(JOB, "airflow-database-migrate")
    server = recorder.one("kubernetes:apps/v1:StatefulSet")
    # The Job waits for a new server itself. For one that is changed, the program waits (tests of `Beginning`).
    assert list(server.request.hooks.before_create) == ["airflow-postgres-begins"]
    # The Job itself: a component stands for the children that are known when it is asked.
    assert {server.urn, migration.urn} <= set(recorder.one(RELEASE).request.dependencies)


def test_migration_waits_for_a_database_that_is_not_in_the_cluster(composed: Record) -> None:
    recorder = composed(**OUTSIDE)
    stored = {item.urn for item in recorder.every("kubernetes:core/v1:Secret")}
    assert stored & set(recorder.one(JOB, "airflow-database-migrate").request.dependencies)


def test_everything_comes_after_its_namespace_and_goes_before_it(composed: Record) -> None:
    recorder = composed(**EVERYWHERE)
    namespace = recorder.one("kubernetes:core/v1:Namespace")
    for resource in recorder.every():
        in_namespace = not resource.type.startswith("kubernetes:admissionregistration")
        if resource.is_kubernetes and resource is not namespace and in_namespace:
            assert namespace.urn in resource.request.dependencies, resource


def test_namespace_admits_restricted_pods_only(composed: Record) -> None:
    labels = composed().one("kubernetes:core/v1:Namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("protect", [True, False])
def test_what_holds_data_or_keys_is_protected(composed: Record, protect: bool) -> None:
    recorder = composed(protect=protect)
    protected = {resource.name for resource in recorder.every() if resource.protected}
    assert protected == (
        {
            "airflow-namespace",
            "airflow-keys-fernet-key",
            "airflow-keys-worker-key",
            "airflow-keys-api-secret-key",
            "airflow-keys-jwt-secret",
            "airflow-keys-redis-password",
            "airflow-keys-admin-password",
            "airflow-postgres-password",
            "airflow-postgres-data",
            "airflow-task-logs",
            "airflow",  # the release: there a destroy stops before it has deleted what the rest needs
        }
        if protect
        else set()
    )


def test_broker_outside_takes_the_place_of_redis(composed: Record) -> None:
    url = "rediss://:sentinel-broker-password@broker.test:6380/0"
    broker = Broker(host="broker.test", port=6380, tls=True, url=Secret(url), cidrs=("10.0.48.0/20",))
    recorder = composed(broker=broker)
    own = composed()
    left_out = {found.name for found in own.every()} - {found.name for found in recorder.every()}
    assert left_out == {"airflow-isolation-redis"}
    added = {found.name for found in recorder.every()} - {found.name for found in own.every()}
    assert added == {"airflow-preflight-broker"}
    assert recorder.one("kubernetes:helm.sh/v3:Release").inputs["values"]["redis"]["enabled"] is False
    shown = [found.name for found in recorder.every() if "sentinel-broker-password" in str(found.inputs)]
    assert set(shown) == {"airflow-database-broker", "airflow-database-result-backend"}
    assert recorder.secret_data("airflow-database-broker") == {"connection": url}


def test_issuer_is_asked_where_people_log_in_by_it_and_again_only_when_it_changes(composed: Record) -> None:
    def document(oidc: Oidc) -> str:
        found = composed(oidc=oidc).one("kubernetes:core/v1:ConfigMap", "airflow-preflight-login")
        text: str = found.inputs["data"][DOCUMENT]
        return text

    given = Oidc(
        issuer="https://login.test",
        client_id="airflow",
        client_secret=Secret("sentinel-oidc-client-secret"),
        groups_claim="groups",
        roles={"engineers": "Op"},
        default_role="",
        scopes="openid",
    )
    assert "airflow-preflight-login" not in {found.name for found in composed().every()}
    first = document(given)
    assert "sentinel-oidc-client-secret" not in first
    assert document(replace(given, roles={"engineers": "Admin"})) == first
    assert document(replace(given, issuer="https://another.test")) != first


def test_every_pod_of_the_preflight_has_the_team_s_labels_and_annotations(composed: Record) -> None:
    """A mesh or a webhook may demand them."""
    kinds = set()
    for changes in CHECKED:
        for item in composed(**changes).every("kubernetes:core/v1:ConfigMap"):
            document = json.loads(item.inputs["data"].get(DOCUMENT, "{}"))
            if "pod" in document:
                kinds.add(document["kind"])
                metadata = document["pod"]["metadata"]
                assert metadata["labels"]["team"] == "data", item.name
                assert metadata["annotations"]["mesh.test/inject"] == "no", item.name
    assert {"git", "dags", "images", "database", "broker"} <= kinds


def test_images_are_tried_on_the_nodes_of_a_group_before_the_migration(composed: Record) -> None:
    gpu = WorkerGroup(name="gpu", queues=("gpu",), values={"nodeSelector": {"pool": "gpu"}})
    group = composed(worker_groups=(gpu,))
    added = {found.name for found in group.every()} - {found.name for found in composed().every()}
    assert added == {"airflow-preflight-nodes-worker-group-gpu"}
    check = group.one("kubernetes:core/v1:ConfigMap", *added)
    assert json.loads(check.inputs["data"][DOCUMENT])["pod"]["spec"]["nodeSelector"] == {"pool": "gpu"}
    assert check.urn in group.one(JOB, "airflow-database-migrate").request.dependencies


def test_no_check_waits_until_the_image_s_entry_point_has_tried_the_database(composed: Record) -> None:
    """It tries for a minute and more, and imports Airflow each time: no script could say in time what is wrong."""
    kinds = set()
    for changes in CHECKED:
        for item in composed(**changes).every("kubernetes:core/v1:ConfigMap"):
            document = json.loads(item.inputs["data"].get(DOCUMENT, "{}"))
            for container in document.get("pod", {}).get("spec", {}).get("containers", ()):
                if "args" in container:
                    kinds.add(document["kind"])
                    tries = {entry["name"]: entry.get("value") for entry in container["env"]}
                    assert tries["CONNECTION_CHECK_MAX_COUNT"] == "0", item.name
    assert kinds == {"database", "broker", "dags", "git"}


def test_isolation_knows_where_the_database_is(composed: Record) -> None:
    outside = composed(**OUTSIDE)
    [rule] = outside.one(POLICY, "airflow-isolation-pgbouncer").inputs["spec"]["egress"]
    assert rule == {"to": [{"ipBlock": {"cidr": "10.0.32.0/20"}}], "ports": [{"protocol": "TCP", "port": 5433}]}
    worker = outside.one(POLICY, "airflow-isolation-worker").plain_text
    assert "10.0.32.0/20" in worker, "as an exception"
    assert "192.0.2.0/24" in worker
    assert '"ui"' in outside.one(POLICY, "airflow-isolation-api-server").plain_text
    assert '"metrics"' in outside.one(POLICY, "airflow-isolation-statsd").plain_text
    assert composed().one(POLICY, "airflow-isolation-postgres")


def exports(composed: Record, **changes: Any) -> dict[str, Any]:
    recorder = composed(**changes)
    found = recorder.outputs[recorder.one("airflow:index:AirflowPlatform").urn]
    assert set(_RUNS[key_of(changes)][1].exports) == set(found)
    return found


def test_exports_are_the_names_that_others_know(composed: Record) -> None:
    constants = {value for name, value in vars(outputs).items() if name.isupper() and isinstance(value, str)}
    assert set(exports(composed)) == constants - {
        outputs.BACKUP_PODS,
        outputs.DATABASE_ROLES_POD,
        outputs.DAG_BUNDLES,
        outputs.WORKER_GROUPS,
        outputs.RUNNING,
    }, "as before"
    groups = (WorkerGroup(name="gpu", queues=("a", "b")),)
    dags = replace(samples.dags(delivery=DagsDelivery.GIT_BUNDLE), bundles=(BUNDLE,))
    found = exports(composed, worker_groups=groups, running=Running.FROZEN, backup_storage_gib=1, dags=dags)
    assert set(found) == constants - {outputs.DATABASE_ROLES_POD}, "only a managed database has roles to make"
    assert found[outputs.DAG_BUNDLES] == {"a": samples.SSH_REPOSITORY}
    assert found[outputs.RUNNING] == "frozen"
    assert found[outputs.WORKER_GROUPS] == {"gpu": ["a", "b"]}


def test_exports_say_how_it_is_reached(composed: Record) -> None:
    found = exports(composed, admin_username="root", load_examples=True)
    assert found[outputs.NAMESPACE] == "ns"
    assert found[outputs.RELEASE_NAME] == "airflow"
    assert found[outputs.KUBE_CONTEXT] == "ctx"
    assert found[outputs.EXECUTOR] == "CeleryExecutor"
    assert found[outputs.IMAGE] == "apache/airflow:3.2.2"
    assert (found[outputs.API_SERVER_SERVICE], found[outputs.API_SERVER_PORT]) == ("airflow-api-server", 8080)
    assert found[outputs.ADMIN_USERNAME] == "root"
    assert found[outputs.DAGS_REPOSITORY] == "https://git.test/dags.git"
    assert found[outputs.DAGS_DELIVERY] == "git-sync"
    assert found[outputs.DAGS_SYNC_PERIOD_SECONDS] == 30
    assert found[outputs.ISOLATION] == "required"
    assert found[outputs.LOAD_EXAMPLES] is True
    assert found[outputs.POOLER_HOST] == ""
    assert found[outputs.DATABASE_PORT] == 5432
    assert found[outputs.DATABASE_HOST].startswith("airflow-postgres-")


def test_exports_wait_for_what_must_succeed_before_anything_changes(composed: Record) -> None:
    """The engine stores all outputs at once: an update that is refused must not leave those of what it refused."""

    def awaited(**changes: Any) -> set[str]:
        loop, waiting = asyncio.get_event_loop(), _RUNS[key_of(changes)][1].exports[outputs.IMAGE]
        assert isinstance(waiting, pulumi.Output)
        found = loop.run_until_complete(waiting.resources())
        return {str(loop.run_until_complete(item.urn.future())).rpartition("::")[2] for item in found}

    composed()
    # The Job waits for the checks.
    assert awaited() == {"airflow-database-migrate", "airflow-postgres"}
    maps = composed(running=Running.STOPPED).every("kubernetes:core/v1:ConfigMap")
    checks = {item.name for item in maps if DOCUMENT in item.inputs["data"]}
    assert awaited(running=Running.STOPPED) == checks


def test_exports_of_an_external_database_are_its_own(composed: Record) -> None:
    found = exports(composed, **OUTSIDE)
    assert (found[outputs.DATABASE_HOST], found[outputs.DATABASE_PORT]) == ("db.test", 5433)
    assert found[outputs.POOLER_HOST] == "airflow-pgbouncer"


def test_exported_secrets_are_names_that_exist(composed: Record) -> None:
    recorder = composed()
    found = recorder.outputs[recorder.one("airflow:index:AirflowPlatform").urn]
    named = {
        outputs.ADMIN_PASSWORD_SECRET: "airflow-keys-admin-password",
        outputs.FERNET_KEY_SECRET: "airflow-keys-fernet-key",
        outputs.API_SECRET_KEY_SECRET: "airflow-keys-api-secret-key",
        outputs.JWT_SECRET: "airflow-keys-jwt-secret",
        outputs.REDIS_PASSWORD_SECRET: "airflow-keys-redis-password",
        outputs.METADATA_SECRET: "airflow-database-metadata",
    }
    for output, name in named.items():
        assert recorder.one("kubernetes:core/v1:Secret", name)
        assert found[output].startswith(f"{name}-")


def test_release_names_the_secrets_that_were_made(composed: Record) -> None:
    recorder = composed(**OUTSIDE)
    values = recorder.one(RELEASE).inputs["values"]
    found = recorder.outputs[recorder.one("airflow:index:AirflowPlatform").urn]
    assert values["fernetKeySecretName"] == found[outputs.FERNET_KEY_SECRET]
    assert values["apiSecretKeySecretName"] == found[outputs.API_SECRET_KEY_SECRET]
    assert values["jwtSecretName"] == found[outputs.JWT_SECRET]
    assert values["redis"]["passwordSecretName"] == found[outputs.REDIS_PASSWORD_SECRET]
    assert values["data"]["metadataSecretName"] == found[outputs.METADATA_SECRET]
    access = recorder.outputs[recorder.one("airflow:index:DatabaseAccess").urn]
    assert values["data"]["brokerUrlSecretName"] == access["broker_secret"]
    assert values["data"]["resultBackendSecretName"] == access["result_backend_secret"]
    assert values["pgbouncer"]["configSecretName"] == access["pgbouncer_config_secret"]
    assert values["pgbouncer"]["metricsExporterSidecar"]["statsSecretName"] == access["pgbouncer_stats_secret"]


def test_keys_of_the_team_are_named_everywhere_and_looked_for_before_any_pod_starts(record: Record) -> None:
    existing = ExistingKeys(fernet_key="team-fernet", api_secret_key="team-api", jwt_secret="team-jwt")
    recorder = record(platform(existing_keys=existing, executor=Executor.CELERY_AND_KUBERNETES))
    values = recorder.one(RELEASE).inputs["values"]
    names = ("fernetKeySecretName", "apiSecretKeySecretName", "jwtSecretName")
    assert [values[name] for name in names] == ["team-fernet", "team-api", "team-jwt"]
    assert "JWT_KID" not in json.dumps(values["scheduler"])
    assert "JWKS" not in json.dumps(values["apiServer"]), "Airflow accepts what its own secret signed"
    migration = next(job for job in recorder.every(JOB) if job.name.endswith("-migrate"))
    assert "team-fernet" in migration.plain_text, "its key is tried against the database"
    [check] = [
        json.loads(found.inputs["data"]["check.json"])
        for found in recorder.every("kubernetes:core/v1:ConfigMap")
        if '"kind": "cluster"' in found.inputs["data"].get("check.json", "")
    ]
    assert [(item["name"], item["keys"]) for item in check["secrets"]] == [
        *(("team-fernet", ["fernet-key"]), ("team-api", ["api-secret-key"]), ("team-jwt", ["jwt-secret"])),
    ]
    policy = recorder.one("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy").plain_text
    assert "team-fernet" in policy
    assert "team-jwt" in policy
    assert "team-api" not in policy, "a task pod refers to it"


def test_scheduled_verification_has_a_login_and_nothing_else(composed: Record) -> None:
    verified = Verified(dag_id="probe", every_minutes=10)
    recorder = composed(verified=verified, monitoring=Monitoring.ANNOTATIONS)
    cron = recorder.one("kubernetes:batch/v1:CronJob", "airflow-verification")
    kept = composed(verified=verified, protect=True)
    assert kept.one("kubernetes:batch/v1:CronJob").urn in kept.one(RELEASE).request.dependencies, "as what watches"
    assert cron.urn not in recorder.one(RELEASE).request.dependencies, "nothing waits for the Job of its user"
    pod = cron.inputs["spec"]["jobTemplate"]["spec"]["template"]
    [secret] = set(re.findall(r"airflow-keys-[a-z]+", json.dumps(pod)))
    assert secret == "airflow-keys-verification", "by this beginning no task pod may have it"
    assert "http://airflow-api-server:8080" in pod["spec"]["containers"][0]["command"]
    assert "airflow-verification" in {found.name.removesuffix("-user") for found in recorder.every(JOB)}
    assert "verification" in json.dumps([found.inputs["spec"] for found in recorder.every(POLICY)])
    for changes in ({}, {"verified": verified, "running": Running.FROZEN}):
        assert "ScheduledVerification" not in parts(composed(**changes))


@each("pooler", [None, PgBouncer()])
def test_client_certificate_is_where_somebody_connects_to_the_database(
    record: Record, pooler: PgBouncer | None
) -> None:
    shown = replace(
        EXTERNAL.database, ssl_mode=SslMode.VERIFY_FULL, ca_certificates="PEM", client_certificate="team-client"
    )
    recorder = record(
        platform(
            database=replace(EXTERNAL, database=shown),
            pgbouncer=pooler,
            executor=Executor.CELERY_AND_KUBERNETES,
            monitoring=Monitoring.ANNOTATIONS,
            backup_storage_gib=1,
            backup_schedule="@daily",
        )
    )
    [check] = [
        json.loads(found.inputs["data"]["check.json"])
        for found in recorder.every("kubernetes:core/v1:ConfigMap")
        if '"kind": "database"' in found.inputs["data"].get("check.json", "")
    ]
    assert check["secrets"] == [
        {
            "name": "team-client",
            "keys": ["tls.crt", "tls.key"],
            "setting": "airflow:databaseClientCertificateSecret",
        }
    ]
    pods = [found.inputs["spec"]["template"]["spec"] for found in recorder.every(JOB)]
    [cron] = recorder.every("kubernetes:batch/v1:CronJob")
    pods += [cron.inputs["spec"]["jobTemplate"]["spec"]["template"]["spec"], check["pod"]["spec"]]
    [exporter] = recorder.every("kubernetes:apps/v1:Deployment")
    if pooler is None:
        pods.append(exporter.inputs["spec"]["template"]["spec"])
    else:
        assert "team-client" not in exporter.plain_text
    assert len(pods) >= 4
    for pod in pods:
        assert has_client_certificate(pod["containers"][0], pod["volumes"], "env", "volumeMounts") == 0o440
    values = recorder.one(RELEASE).inputs["values"]
    for component in ("apiServer", "scheduler", "dagProcessor", "triggerer"):
        found = values[component]
        mode = has_client_certificate(found, found.get("extraVolumes", []), "env", "extraVolumeMounts")
        assert mode == (0o440 if pooler is None else None), component
    assert "team-client" not in json.dumps([values["workers"], values.get("volumes"), values["env"]])
    ini = recorder.secret_data("airflow-database-pgbouncer-config")["pgbouncer.ini"] if pooler else ""
    assert ("server_tls_key_file = /etc/airflow-database-client/tls.key" in ini) is (pooler is not None)
    if pooler is not None:
        [volume] = [item for item in values["pgbouncer"]["extraVolumes"] if item["name"] == "database-client"]
        assert volume["secret"] == {"secretName": "team-client", "defaultMode": 0o444}, "its pod has another group"
    policy = recorder.one("kubernetes:admissionregistration.k8s.io/v1:ValidatingAdmissionPolicy").plain_text
    assert "team-client" in policy, "no task may have it"


def has_client_certificate(container: Any, volumes: Any, env: str, mounts: str) -> int | None:
    """The mode of the files, or None where the container has neither variables nor files."""
    variables = {entry["name"]: entry.get("value") for entry in container.get(env, [])}
    found = [volume["secret"] for volume in volumes if volume["name"] == "database-client"]
    mounted = [mount["mountPath"] for mount in container.get(mounts, []) if mount["name"] == "database-client"]
    if not found:
        assert not mounted
        assert "PGSSLKEY" not in variables
        return None
    assert mounted == ["/etc/airflow-database-client"]
    assert variables["PGSSLCERT"] == "/etc/airflow-database-client/tls.crt"
    assert variables["PGSSLKEY"] == "/etc/airflow-database-client/tls.key"
    assert found[0]["secretName"] == "team-client"
    return int(found[0]["defaultMode"])


def test_existing_claim_is_mounted_and_none_is_made(composed: Record) -> None:
    recorder = composed(task_logs=replace(ARGS.task_logs, claim="logs.of.all"))
    assert "TaskLogVolume" not in parts(recorder)
    values = recorder.one(RELEASE).inputs["values"]
    assert values["logs"]["persistence"] == {"enabled": True, "existingClaim": "logs.of.all"}


def test_kubernetes_executor_alone_has_no_broker(composed: Record) -> None:
    recorder = composed(executor=Executor.KUBERNETES)
    access = recorder.outputs[recorder.one("airflow:index:DatabaseAccess").urn]
    assert access.get("broker_secret") is access.get("result_backend_secret") is None
    assert set(recorder.one(RELEASE).inputs["values"]["data"]) == {"metadataSecretName"}


def test_jobs_have_the_keys_that_were_made(composed: Record) -> None:
    recorder = composed()
    found = recorder.outputs[recorder.one("airflow:index:AirflowPlatform").urn]
    for job in recorder.every(JOB):
        [container] = job.inputs["spec"]["template"]["spec"]["containers"]
        variables = {entry["name"]: entry.get("valueFrom", {}).get("secretKeyRef") for entry in container["env"]}
        assert variables["AIRFLOW__CORE__FERNET_KEY"]["name"] == found[outputs.FERNET_KEY_SECRET]
        if "ADMIN_PASSWORD" in variables:
            assert variables["ADMIN_PASSWORD"]["name"] == found[outputs.ADMIN_PASSWORD_SECRET]


def test_jobs_use_the_way_past_the_pooler(composed: Record) -> None:
    recorder = composed(**OUTSIDE)
    access = recorder.outputs[recorder.one("airflow:index:DatabaseAccess").urn]
    for job in recorder.every(JOB):
        assert access["migration_secret"] in job.plain_text
        assert access["metadata_secret"] not in job.plain_text


def test_dev_database_comes_from_the_mirror_too(composed: Record) -> None:
    recorder = composed(images=Images(tag="t", registry="mirror.test", pull_policy="Never"))
    text = recorder.one("kubernetes:apps/v1:StatefulSet").plain_text
    assert '"mirror.test/library/postgres:' in text
    assert '"Never"' in text


def test_two_platforms_fit_in_one_program(record: Record) -> None:
    def program() -> None:
        for name in ("one", "two"):
            AirflowPlatform(name, replace(ARGS, namespace=name))

    recorder = record(program)
    assert len(recorder.every(RELEASE)) == 2
    assert {release.inputs["namespace"] for release in recorder.every(RELEASE)} == {"one", "two"}


def test_parent_that_the_caller_gives_is_the_component_s_alone(record: Record) -> None:
    """Merged into the children's options, it would make them siblings of the component that they belong to."""

    def program() -> None:
        outer = pulumi.ComponentResource("test:index:Outer", "outer", None)
        AirflowPlatform("nested", ARGS, pulumi.ResourceOptions(parent=outer))

    recorder = record(program)
    outer = recorder.one("test:index:Outer")
    children = [found for found in recorder.every() if found.request.parent == outer.urn]
    assert [found.type for found in children] == ["airflow:index:AirflowPlatform"]


def test_component_says_what_it_does_to_what_is_there() -> None:
    text = inspect.getdoc(AirflowPlatform) or ""
    for word in ("Raises", "Replaces", "Survives a destroy"):
        assert word in text


def test_stopped_stack_has_all_its_data_and_nothing_that_runs(composed: Record) -> None:
    whole, stopped = composed(), composed(running=Running.STOPPED)
    gone = {found.urn for found in whole.every()} - {found.urn for found in stopped.every()}
    assert {found.name for found in whole.every() if found.urn in gone} == {
        "airflow-database",
        "airflow-database-migrate",
        "airflow-database-admin-user",
    }, "the Jobs alone; the next update after it migrates"
    statefulset = "kubernetes:apps/v1:StatefulSet"
    assert whole.one(statefulset).inputs["spec"]["replicas"] == 1
    assert stopped.one(statefulset).inputs["spec"]["replicas"] == 0


def test_container_database_of_a_stopped_stack_runs_while_a_backup_is_restored(composed: Record) -> None:
    restoring = composed(running=Running.STOPPED, restoring=True)
    assert restoring.one("kubernetes:apps/v1:StatefulSet").inputs["spec"]["replicas"] == 1


def test_frozen_stack_keeps_its_database_and_jobs(composed: Record) -> None:
    def but_release(recorder: Recorder) -> dict[str, Any]:
        return {found.urn: found.inputs for found in recorder.every() if found.type != RELEASE}

    assert but_release(composed(running=Running.FROZEN)) == but_release(composed())


def test_preflight_asks_about_further_pods_that_a_cluster_could_take(composed: Record) -> None:
    """A Secret without a name is refused by every cluster."""
    recorder = composed(monitoring=Monitoring.ANNOTATIONS, verified=Verified(dag_id="probe", every_minutes=10))
    text = recorder.one("kubernetes:core/v1:ConfigMap", "airflow-preflight-cluster").inputs["data"][DOCUMENT]
    pods = {found["component"]: found["pod"] for found in json.loads(text)["needs"]["pods"]}
    for component in ("exporter", "verification"):
        [container] = pods[component]["spec"]["containers"]
        assert all(entry.get("value") or entry["valueFrom"]["secretKeyRef"]["name"] for entry in container["env"])


def test_preflight_asks_about_the_jobs_too(composed: Record) -> None:
    """Their resources are their own, and the database would be up before the cluster refused their pods."""
    resources = {"limits": {"memory": "3Gi"}}
    recorder = composed(
        backup_storage_gib=1,
        backup_schedule="0 2 * * *",
        helm_values={
            "createUserJob": {"resources": resources},
            "env": [{"name": "OWN_PASSWORD", "value": "Zx9QwLm3pVt"}],
        },
    )
    text = recorder.one("kubernetes:core/v1:ConfigMap", "airflow-preflight-cluster").inputs["data"][DOCUMENT]
    needs = {found["component"]: found for found in json.loads(text)["needs"]["pods"]}
    jobs = {component: need for component, need in needs.items() if need.get("alone")}
    assert set(jobs) == {"the migration", "the admin user's Job", "the backups"}
    containers = {component: need["pod"]["spec"]["containers"][0] for component, need in jobs.items()}
    assert containers["the migration"]["resources"] == RESOURCES
    assert containers["the admin user's Job"]["resources"]["limits"]["memory"] == "3Gi"
    assert jobs["the migration"]["pod"]["metadata"]["labels"]["component"] == "database-migration"
    assert "Zx9Qw" not in text
    made = recorder.one("kubernetes:batch/v1:Job", "airflow-database-migrate").inputs["spec"]["template"]
    for part in ("securityContext", "resources", "imagePullPolicy", "image"):
        assert made["spec"]["containers"][0][part] == containers["the migration"][part], part
