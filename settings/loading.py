"""The stack's config, read once, checked whole: the only reader of `pulumi.Config`.

`Pulumi.yaml` holds every key with its type, default and description; `settings/sections/` says what a value must be and
what fits together. All problems come in one error, before any resource is registered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pulumi

from components import fields
from components.network.isolation_args import Isolation, IsolationArgs
from components.platform_args import AirflowPlatformArgs
from components.release.chart_archive import chart_archive
from components.release.chart_defaults import chart_schema, chart_values, schema_problems
from components.release.executor import Executor
from components.release.size_preset import SizePreset
from components.release.user_values import problems as helm_value_problems
from settings.files import examine_files
from settings.model import Settings
from settings.reader import PROJECT, Reader, SettingsError
from settings.sections.aws import AwsChoice, read_aws
from settings.sections.dags import read_dags
from settings.sections.database import read_database
from settings.sections.images import read_images
from settings.sections.ingress import read_ingress
from settings.sections.keys import read_given_keys, read_key_source
from settings.sections.pgbouncer import read_pgbouncer
from settings.sections.scaling import read_autoscaling, read_release_timeout, read_scale
from settings.sections.task_logs import read_task_logs

ROOT: Final = Path(__file__).parents[1]


def load() -> Settings:
    """The settings of the stack that runs, with its chart and its cluster found.

    Raises SettingsError; ChartError without the chart; AwsError where AWS is not as the config says.
    """
    config = {**pulumi.runtime.get_config_env(), **pulumi.runtime.config.CONFIG.get()}
    secret_keys = {key for key in config if pulumi.runtime.is_config_secret(key)}
    settings = parse(config, secret_keys, pulumi.get_stack())
    if settings.aws is not None:
        # Imported here: a laptop's stack has nothing to ask AWS.
        from settings.aws_lookup import look_up

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
        ui_namespaces=read.texts("uiNamespaces", fields.dns_label),
        ui_cidrs=read.networks("uiCidrs"),
        metrics_namespaces=read.texts("metricsNamespaces", fields.dns_label),
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
        namespace=read.text("namespace", fields.namespace) or "",
        protect=read.boolean("protect"),
        chart="",  # found when the program runs; see `load`
        executor=executor,
        images=read_images(read),
        registry_credentials=read.secret("registryCredentials", fields.docker_config),
        airflow_version=read.text("airflowVersion", fields.version) or "",
        dags=dags,
        git=git,
        keys=keys,
        key_escrow=escrow,
        admin_username=read.text("adminUsername", fields.username) or "",
        admin_email=read.text("adminEmail", fields.email) or "",
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
        chart_path=read.text("chartPath", fields.path, empty=True) or "",
        aws=aws,
        key_source=key_source,
        database=database,
    )


def _cluster(read: Reader, aws: AwsChoice | None) -> tuple[str | None, str]:
    """kubeconfig and context; of an EKS cluster neither, because both follow from what AWS tells."""
    kubeconfig = read.text("kubeconfig", fields.path, empty=True)
    context = read.text("kubeContext", fields.one_line, empty=True)
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
