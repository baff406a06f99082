"""The stack's config, read once, checked whole: the only reader of `pulumi.Config`.

`Pulumi.yaml` holds every key with its type, default and description; here is what a value must be and what fits
together. All problems come in one error, before any resource is registered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pulumi

import checks
from components.airflow_keys import GivenKeys
from components.airflow_platform import (
    AirflowPlatformArgs,
    ContainerDatabase,
    ExternalDatabase,
    GitCredentials,
    IsolationArgs,
)
from components.chart_archive import chart_archive
from components.chart_defaults import chart_schema, chart_values, schema_problems
from components.dags import Dags, DagsDelivery
from components.database import Database, SslMode
from components.executor import Executor
from components.git_repository import GitRepository, parse_git_repository, validate_git_ref, validate_sub_path
from components.git_ssh_key import pinned_known_hosts
from components.helm_values import problems as helm_value_problems
from components.images import Images
from components.network_isolation import Isolation
from components.pgbouncer import PgBouncer
from components.secret import Secret
from components.ssh_private_key import normalise_private_key
from components.task_logs import AccessMode, TaskLogs, TaskLogStore
from components.values import Scale
from config_files import read_files
from config_reader import PROJECT, SECRET_KEYS, Reader, SettingsError

__all__ = ["PROJECT", "SECRET_KEYS", "Settings", "SettingsError", "check", "load", "parse", "read_files"]

ROOT: Final = Path(__file__).parent

_JWT_SECRET_MIN_BYTES = 64  # HS512 refuses a shorter key (RFC 7518, section 3.2)
_API_SECRET_KEY_MIN_LENGTH = 32
_PASSWORD_MIN_LENGTH = 8
_WARM_SHUTDOWN_SECONDS = 600  # a worker's termination grace: its tasks may end


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A valid config.

    platform: arguments of the component that is the whole deployment, all but the path of the chart.
    chart_path: the chart's archive where it is not to be downloaded, or "".
    """

    platform: AirflowPlatformArgs
    chart_path: str


def load() -> Settings:
    """The settings of the stack that runs, its chart found. Raises SettingsError; ChartError without the chart."""
    config = {**pulumi.runtime.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    secret_keys = {key for key in config if pulumi.runtime.is_config_secret(key)}
    settings = parse(config, secret_keys, pulumi.get_stack())
    chart = chart_archive(settings.chart_path, ROOT)
    return replace(settings, platform=replace(settings.platform, chart=chart))


def check(project: Path, stack: str) -> None:
    """Checks the committed files of a stack without an engine. Raises SettingsError.

    An encrypted value cannot be read here; it counts as given, and is checked when the program runs.
    """
    config, secret_keys = read_files(project, stack)
    _parse(config, secret_keys, stack, unread=secret_keys)


def parse(config: Mapping[str, str], secret_keys: Iterable[str], stack: str) -> Settings:
    """Settings of config as the engine gives it: texts by full key. Raises SettingsError."""
    return _parse(config, set(secret_keys), stack, unread=set())


def _parse(config: Mapping[str, str], secret_keys: set[str], stack: str, *, unread: set[str]) -> Settings:
    reader = Reader(config, secret_keys, unread)
    platform = _platform(reader)
    chart_path = reader.text("chartPath", checks.path, empty=True) or ""
    reader.finish()
    if reader.problems:
        raise SettingsError(stack, reader.problems)
    return Settings(platform=platform, chart_path=chart_path)


def _platform(read: Reader) -> AirflowPlatformArgs:
    executor = read.choice("executor", Executor)
    isolation = IsolationArgs(
        mode=read.choice("networkIsolation", Isolation),
        egress_except=read.texts("egressExceptCidrs", checks.cidr),
        ui_namespaces=read.texts("uiNamespaces", checks.dns_label),
        metrics_namespaces=read.texts("metricsNamespaces", checks.dns_label),
    )
    dags, git = _dags(read)
    pgbouncer = _pgbouncer(read)
    return AirflowPlatformArgs(
        kubeconfig=read.text("kubeconfig", checks.path, empty=True),
        kube_context=read.text("kubeContext", checks.one_line) or "",
        namespace=read.text("namespace", checks.namespace) or "",
        protect=read.boolean("protect"),
        chart="",  # found when the program runs; see `load`
        executor=executor,
        images=_images(read),
        registry_credentials=read.secret("registryCredentials", checks.docker_config),
        airflow_version=read.text("airflowVersion", checks.version) or "",
        dags=dags,
        git=git,
        keys=_keys(read),
        admin_username=read.text("adminUsername", checks.username) or "",
        admin_email=read.text("adminEmail", checks.email) or "",
        database=_database(read, isolation.mode),
        pgbouncer=pgbouncer,
        migration_timeout_seconds=read.integer("migrationTimeoutSeconds", 30, 86400),
        release_timeout_seconds=_release_timeout(read, executor),
        task_logs=_task_logs(read, executor),
        scale=Scale(
            api_server=read.integer("apiServerReplicas", 1, 50),
            scheduler=read.integer("schedulerReplicas", 1, 50),
            dag_processor=read.integer("dagProcessorReplicas", 1, 50),
            triggerer=read.integer("triggererReplicas", 1, 50),
            worker=read.integer("workerReplicas", 1, 1000),
            worker_concurrency=read.integer("workerConcurrency", 1, 1000),
        ),
        isolation=isolation,
        load_examples=read.boolean("loadExamples"),
        helm_values=_helm_values(read),
    )


def _images(read: Reader) -> Images:
    return Images(
        repository=read.text("imageRepository", checks.image_repository) or "",
        tag=read.text("imageTag", checks.image_tag) or "",
        digest=read.text("imageDigest", checks.image_digest, empty=True),
        pull_policy=read.choice("imagePullPolicy", _PullPolicy).value,
        pull_secrets=read.texts("imagePullSecrets", checks.dns_subdomain),
        registry=read.text("imageRegistry", checks.image_registry, empty=True),
    )


def _dags(read: Reader) -> tuple[Dags, GitCredentials]:
    repository = read.text("dagsRepository", parse_git_repository)
    dags = Dags(
        repository=repository or GitRepository(url="", scheme="https", host="", port=443, user=None),
        ref=read.text("dagsRef", validate_git_ref) or "",
        sub_path=read.text("dagsSubPath", validate_sub_path, empty=True) or "",
        delivery=read.choice("dagsDelivery", DagsDelivery),
        sync_period_seconds=read.integer("dagsSyncPeriodSeconds", 1, 86400),
        depth=read.integer("dagsDepth", 0, 1_000_000),
    )
    key = read.secret("gitSshPrivateKey", normalise_private_key)
    known_hosts = read.text("gitKnownHosts", str, empty=True)
    username = read.text("dagsUsername", checks.one_line, empty=True)
    token = read.secret("dagsToken", checks.secret_line)
    if repository is not None and repository.scheme == "ssh":
        _ssh_access(read, repository, key, known_hosts, username, token)
    elif repository is not None:
        if key is not None or known_hosts is not None:
            used = "gitSshPrivateKey" if key is not None else "gitKnownHosts"
            read.problem(
                used,
                "expected none with an HTTPS repository, found one",
                f"pulumi config rm {PROJECT}:{used}, or give airflow:dagsRepository as ssh://git@HOST/PATH",
            )
        if (username is None) != (token is None):
            missing = "dagsUsername" if username is None else "dagsToken"
            read.problem(missing, "expected a value beside the other half of the credentials, found none")
    return dags, GitCredentials(ssh_private_key=key, known_hosts=known_hosts, username=username, token=token)


def _ssh_access(
    read: Reader,
    repository: GitRepository,
    key: Secret | None,
    known_hosts: str | None,
    username: str | None,
    token: Secret | None,
) -> None:
    if key is None:
        read.problem(
            "gitSshPrivateKey",
            "expected a private key, because airflow:dagsRepository is an SSH repository, found none",
            f"pulumi config set --secret {PROJECT}:gitSshPrivateKey < KEY_FILE",
        )
    try:
        pinned_known_hosts(known_hosts, repository)
    except ValueError as error:
        read.problem("gitKnownHosts", str(error), f"pulumi config set {PROJECT}:gitKnownHosts < KNOWN_HOSTS_FILE")
    for unused, value in (("dagsUsername", username), ("dagsToken", token)):
        if value is not None:
            read.problem(
                unused, "expected none with an SSH repository, found one", f"pulumi config rm {PROJECT}:{unused}"
            )


def _keys(read: Reader) -> GivenKeys:
    return GivenKeys(
        fernet_key=read.secret("fernetKey", checks.fernet_key),
        api_secret_key=read.secret("apiSecretKey", checks.long_secret(_API_SECRET_KEY_MIN_LENGTH)),
        jwt_secret=read.secret("jwtSecret", checks.long_secret(_JWT_SECRET_MIN_BYTES)),
        redis_password=read.secret("redisPassword", checks.long_secret(_PASSWORD_MIN_LENGTH)),
        # On a laptop a known password in plain text does no harm; the UI is reached by port-forward only.
        admin_password=read.secret("adminPassword", checks.secret_line, plain_allowed=not read.boolean("protect")),
    )


class _DatabaseKind(StrEnum):
    CONTAINER = "container"
    EXTERNAL = "external"


class _PullPolicy(StrEnum):
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


def _database(read: Reader, isolation: Isolation) -> ContainerDatabase | ExternalDatabase:
    kind = read.choice("database", _DatabaseKind)
    storage_gib = read.integer("databaseStorageGib", 1, 65536)
    protect = read.boolean("protect")
    external = kind is _DatabaseKind.EXTERNAL
    host = read.text("databaseHost", checks.host, empty=not external)
    port = read.integer("databasePort", 1, 65535)
    name = read.text("databaseName", checks.database_name) or ""
    user = read.text("databaseUser", checks.database_name) or ""
    password = read.secret("databasePassword", checks.secret_line)
    ssl_mode = read.choice("databaseSslMode", SslMode)
    cidrs = read.texts("databaseCidrs", checks.cidr)
    if not external:
        for key, value in (("databaseHost", host), ("databasePassword", password), ("databaseCidrs", cidrs)):
            if value:
                read.problem(
                    key, "expected none with airflow:database container, found one", f"pulumi config rm {PROJECT}:{key}"
                )
        if protect:
            read.problem(
                "database",
                "expected external where airflow:protect is true, found container: one pod without backups",
                f"pulumi config set {PROJECT}:database external",
            )
        return ContainerDatabase(storage_gib=storage_gib)
    if password is None:
        read.problem("databasePassword", "expected a value with airflow:database external, found none")
    if isolation is not Isolation.OFF and not cidrs:
        read.problem(
            "databaseCidrs",
            "expected the database's networks, which workers must not reach, found none",
            f"pulumi config set --path '{PROJECT}:databaseCidrs[0]' 10.0.0.0/24",
        )
    if protect and ssl_mode is not SslMode.REQUIRE:
        read.problem(
            "databaseSslMode",
            f"expected require where airflow:protect is true, found {ssl_mode}",
            f"pulumi config set {PROJECT}:databaseSslMode require",
        )
    database = Database(
        host=host or "",
        port=port,
        name=name,
        user=user,
        password=password or Secret(""),
        ssl_mode=ssl_mode,
    )
    return ExternalDatabase(database=database, cidrs=cidrs)


def _pgbouncer(read: Reader) -> PgBouncer | None:
    pooler = PgBouncer(
        replicas=read.integer("pgbouncerReplicas", 1, 50),
        pool_size=read.integer("pgbouncerPoolSize", 1, 1000),
        max_client_connections=read.integer("pgbouncerMaxClientConnections", 10, 100_000),
    )
    return pooler if read.boolean("pgbouncerEnabled") else None


def _task_logs(read: Reader, executor: Executor) -> TaskLogs:
    logs = TaskLogs(
        store=read.choice("taskLogs", TaskLogStore),
        storage_gib=read.integer("taskLogsStorageGib", 1, 65536),
        access_mode=read.choice("taskLogsAccessMode", AccessMode),
    )
    if executor.kubernetes and logs.store is TaskLogStore.WORKER:
        read.problem(
            "taskLogs",
            "expected volume with KubernetesExecutor, found worker: a task's log would go with its pod",
            f"pulumi config set {PROJECT}:taskLogs volume",
        )
    return logs


def _release_timeout(read: Reader, executor: Executor) -> int:
    """A worker with a volume of its own is replaced only when it has gone, and it goes when its tasks have ended."""
    seconds = read.integer("releaseTimeoutSeconds", 60, 7200)
    own_volume = read.choice("taskLogs", TaskLogStore) is TaskLogStore.WORKER
    if executor.celery and own_volume and seconds <= _WARM_SHUTDOWN_SECONDS:
        read.problem(
            "releaseTimeoutSeconds",
            f"expected more than {_WARM_SHUTDOWN_SECONDS} with airflow:taskLogs worker, found {seconds}: a worker may "
            "take so long to end its tasks",
        )
    return seconds


def _helm_values(read: Reader) -> dict[str, Any]:
    given = read.mapping("helmValues")
    if given:
        found = helm_value_problems(given, chart_values(), chart_schema()) or schema_problems(given)
        for text in found:
            read.problem("helmValues", text, "edit it in Pulumi.STACK.yaml", one_of_many=True)
    return given
