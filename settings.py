"""The stack's config, read once, checked whole: the only reader of `pulumi.Config`.

`Pulumi.yaml` holds every key with its type, default and description; `readers/` says what a value must be and what
fits together. All problems come in one error, before any resource is registered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi

import checks
from components.airflow_platform import AirflowPlatformArgs, IsolationArgs
from components.chart_archive import chart_archive
from components.chart_defaults import chart_schema, chart_values, schema_problems
from components.executor import Executor
from components.helm_values import problems as helm_value_problems
from components.network_isolation import Isolation
from components.size_preset import SizePreset
from config_files import examine_files, read_files
from config_reader import PROJECT, SECRET_KEYS, Reader, SettingsError
from readers.aws import AwsChoice, read_aws
from readers.dags import read_dags
from readers.database import DatabaseChoice, read_database
from readers.images import read_images
from readers.ingress import read_ingress
from readers.keys import KeySource, read_given_keys, read_key_source
from readers.pgbouncer import read_pgbouncer
from readers.scaling import read_autoscaling, read_release_timeout, read_scale
from readers.task_logs import read_task_logs

__all__ = ["PROJECT", "SECRET_KEYS", "Settings", "SettingsError", "check", "load", "parse", "read_files"]

ROOT: Final = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A valid config.

    platform: arguments of the component that is the whole deployment, but for the path of the chart and what only AWS
        can tell; with an EKS cluster it has no kube_context yet.
    chart_path: the chart's archive where it is not to be downloaded, or "".
    aws: the EKS cluster that is to be looked up, or None.
    key_source: where keys come from. database: what the config says of it beyond the platform's arguments.
    """

    platform: AirflowPlatformArgs
    chart_path: str
    aws: AwsChoice | None
    key_source: KeySource
    database: DatabaseChoice


def load() -> Settings:
    """The settings of the stack that runs, with its chart and its cluster found.

    Raises SettingsError; ChartError without the chart; AwsError where AWS is not as the config says.
    """
    config = {**pulumi.runtime.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    secret_keys = {key for key in config if pulumi.runtime.is_config_secret(key)}
    settings = parse(config, secret_keys, pulumi.get_stack())
    if settings.aws is not None:
        # Imported here: a laptop's stack has nothing to ask AWS.
        from aws_facts import look_up

        settings = replace(settings, platform=look_up(settings, pulumi.get_stack()))
    chart = chart_archive(settings.chart_path, ROOT)
    return replace(settings, platform=replace(settings.platform, chart=chart))


def check(project: Path, stack: str) -> None:
    """Checks the committed files of a stack without an engine. Raises SettingsError.

    An encrypted value cannot be read here; it counts as given, and is checked when the program runs.
    """
    config, secret_keys, known = examine_files(project, stack)
    _parse(config, secret_keys, stack, unread=secret_keys, known=known)


def parse(config: Mapping[str, str], secret_keys: Iterable[str], stack: str) -> Settings:
    """Settings of config as the engine gives it: texts by full key. Raises SettingsError."""
    return _parse(config, set(secret_keys), stack)


def _parse(
    config: Mapping[str, str],
    secret_keys: set[str],
    stack: str,
    *,
    unread: Iterable[str] = (),
    known: Mapping[str, str] | None = None,
) -> Settings:
    reader = Reader(config, secret_keys, stack, unread=unread, known=known)
    settings = _settings(reader)
    reader.finish()
    if reader.problems:
        raise SettingsError(stack, reader.problems)
    return settings


def _settings(read: Reader) -> Settings:
    executor = read.choice("executor", Executor)
    isolation = IsolationArgs(
        mode=read.choice("networkIsolation", Isolation),
        egress_except=read.networks("egressExceptCidrs"),
        ui_namespaces=read.texts("uiNamespaces", checks.dns_label),
        ui_cidrs=read.networks("uiCidrs"),
        metrics_namespaces=read.texts("metricsNamespaces", checks.dns_label),
    )
    aws = read_aws(read)
    kubeconfig, context = _cluster(read, aws)
    dags, git = read_dags(read)
    keys = read_given_keys(read)
    key_source, escrow = read_key_source(read, aws, keys)
    scale = read_scale(read)
    autoscaling = read_autoscaling(read, executor, scale)
    timeout, grace = read_release_timeout(read, executor)
    task_logs = read_task_logs(read, aws, executor)
    database = read_database(read, aws, isolation.mode)
    platform = AirflowPlatformArgs(
        kubeconfig=kubeconfig,
        kube_context=context,
        namespace=read.text("namespace", checks.namespace) or "",
        protect=read.boolean("protect"),
        chart="",  # found when the program runs; see `load`
        executor=executor,
        images=read_images(read),
        registry_credentials=read.secret("registryCredentials", checks.docker_config),
        airflow_version=read.text("airflowVersion", checks.version) or "",
        dags=dags,
        git=git,
        keys=keys,
        key_escrow=escrow,
        admin_username=read.text("adminUsername", checks.username) or "",
        admin_email=read.text("adminEmail", checks.email) or "",
        database=database.database,
        migration_timeout_seconds=read.integer("migrationTimeoutSeconds", 30, 86400),
        release_timeout_seconds=timeout,
        task_logs=task_logs.logs,
        task_logs_retention_days=task_logs.retention_days,
        pod_identity=task_logs.identity,
        size=read.choice("size", SizePreset),
        scale=scale,
        autoscaling=autoscaling,
        worker_grace_seconds=grace,
        metadata_retention_days=read.integer("metadataRetentionDays", 0, 3650),
        ingress=read_ingress(read),
        isolation=isolation,
        load_examples=read.boolean("loadExamples"),
        helm_values=_helm_values(read),
        # Last: it adds up what the others read, and says nothing where one of them is wrong.
        pgbouncer=read_pgbouncer(read, database.database, scale, keda=autoscaling is not None),
    )
    return Settings(
        platform=platform,
        chart_path=read.text("chartPath", checks.path, empty=True) or "",
        aws=aws,
        key_source=key_source,
        database=database,
    )


def _cluster(read: Reader, aws: AwsChoice | None) -> tuple[str | None, str]:
    """kubeconfig and context; of an EKS cluster neither, because both follow from what AWS tells."""
    kubeconfig = read.text("kubeconfig", checks.path, empty=True)
    context = read.text("kubeContext", checks.one_line, empty=True)
    if aws is None and context is None:
        read.problem("kubeContext", "expected a value, or airflow:eksCluster in its place, found none")
    if aws is not None and not read.bad("eksCluster"):
        for key, value in (("kubeconfig", kubeconfig), ("kubeContext", context)):
            if value is not None:
                read.problem(
                    key, "expected none beside airflow:eksCluster, found one", f"pulumi config rm {PROJECT}:{key}"
                )
    return kubeconfig, context or ""


def _helm_values(read: Reader) -> dict[str, Any]:
    given = read.mapping("helmValues")
    if given:
        try:
            found = helm_value_problems(given, chart_values(), chart_schema())
            found += _not_told(schema_problems(given), found)
        except RecursionError:
            found = ["expected a map, found too many levels"]
        for text in found:
            read.problem("helmValues", text, f"edit it in {read.file}", one_of_many=True)
    return given


def _not_told(schema_problems: list[str], found: list[str]) -> list[str]:
    """Problems of the chart's schema but for those of a value that is refused already, or of the map that it is in."""
    refused = [re.split("[ :]", text, maxsplit=1)[0] for text in found]
    return [
        text
        for text in schema_problems
        if not any(f"{path}.".startswith(f"{text.partition(': ')[0]}.") for path in refused)
    ]
