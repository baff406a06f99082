"""Makes typed settings from a stack's config, without an engine and without asking AWS.

It checks every value by its key's declaration, then the rules between keys. All problems come in one error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from components.chart_values.chart_defaults import chart_values
from components.chart_values.metrics import Monitoring
from components.platform_args import AirflowPlatformArgs
from settings.declared import KEYS
from settings.errors import SettingsError
from settings.files import examine_files
from settings.model import Settings
from settings.reading import Config
from settings.sections.backups import read_backup_schedule, read_backup_store
from settings.sections.broker import read_broker
from settings.sections.cluster import NAMESPACE, PROTECT, read_aws, read_cluster
from settings.sections.connections import read_connections, read_secrets_prefix
from settings.sections.dags import read_dags
from settings.sections.database import (
    BACKUP_STORAGE_GIB,
    DUMP_RETENTION_DAYS,
    METADATA_RETENTION_DAYS,
    MIGRATION_TIMEOUT_SECONDS,
    RESTORE,
)
from settings.sections.database_kind import read_database
from settings.sections.database_logins import read_logins
from settings.sections.executor import (
    EXECUTOR,
    RUNNING,
    SIZE,
    WORKER_GRACE_SECONDS,
    read_autoscaling,
    read_scale,
    read_task_service_accounts,
)
from settings.sections.images import AIRFLOW_VERSION, REGISTRY_CREDENTIALS, UPGRADE, read_images
from settings.sections.ingress import read_ingress
from settings.sections.isolation import read_isolation
from settings.sections.key_secrets import check_key_secrets
from settings.sections.keys import (
    ADMIN_EMAIL,
    ADMIN_USERNAME,
    ROTATION,
    read_existing_keys,
    read_given_keys,
    read_key_source,
)
from settings.sections.login import read_oidc
from settings.sections.monitoring import MONITORING, MONITORING_LABELS, RUNBOOK_URL, check_monitoring
from settings.sections.pgbouncer import read_pgbouncer
from settings.sections.pools import read_pools
from settings.sections.release import (
    CHART_PATH,
    LOAD_EXAMPLES,
    PREFLIGHT,
    check_group_values,
    read_helm_values,
    read_release_timeout,
)
from settings.sections.task_logs import read_task_logs
from settings.sections.verification import read_verified
from settings.sections.worker_groups import read_task_policies, read_worker_groups


def parse(config: Mapping[str, str], secret_keys: Iterable[str], stack: str) -> Settings:
    """Return the settings in a config as the engine gives it. Raises SettingsError.

    Args:
        config: Text of each value, by full key.
        secret_keys: Full keys that are stored encrypted. Their values are plain here.
        stack: Name of the stack, for messages.
    """
    return _settings(Config(config, secret_keys, stack), stack)


def check(project: Path, stack: str) -> Settings:
    """Check the committed files of a stack without an engine. Raises SettingsError.

    An encrypted value cannot be read here. It counts as given, is empty in the result, and is checked when the program
    runs.
    """
    texts, secret_keys, known = examine_files(project, stack)
    return _settings(Config(texts, secret_keys, stack, unread=secret_keys, known=known), stack)


def _settings(config: Config, stack: str) -> Settings:
    config.read_all(KEYS.values())
    settings = _read(config)
    config.refuse_unknown(KEYS, chart_values())
    if config.problems:
        raise SettingsError(stack, config.problems)
    return settings


def _read(config: Config) -> Settings:
    aws = read_aws(config)
    kubeconfig, context = read_cluster(config)
    dags, git = read_dags(config)
    keys = read_given_keys(config)
    key_source, escrow = read_key_source(config, aws)
    scale = read_scale(config)
    autoscaling = read_autoscaling(config)
    task_policies, groups = read_task_policies(config, aws), read_worker_groups(config, aws)
    check_group_values(config)
    task_logs = read_task_logs(config, aws)
    database = read_database(config, aws)
    helm_values = read_helm_values(config)
    check_monitoring(config)
    platform = AirflowPlatformArgs(
        kubeconfig=kubeconfig,
        kube_context=context,
        namespace=config[NAMESPACE],
        protect=config[PROTECT],
        chart="",  # found when the program runs; see `loading.py`
        executor=config[EXECUTOR],
        images=read_images(config),
        registry_credentials=config[REGISTRY_CREDENTIALS],
        airflow_version=config[AIRFLOW_VERSION],
        dags=dags,
        git=git,
        keys=keys,
        existing_keys=read_existing_keys(config),
        key_escrow=escrow,
        broker=read_broker(config),
        admin_username=config[ADMIN_USERNAME],
        admin_email=config[ADMIN_EMAIL],
        database=database.database,
        logins=read_logins(config),
        backup_store=read_backup_store(config, task_logs.logs, aws),
        backup_storage_gib=config[BACKUP_STORAGE_GIB],
        backup_schedule=read_backup_schedule(config),
        backup_retention_days=config[DUMP_RETENTION_DAYS],
        restoring=config[RESTORE] is not None,
        migration_timeout_seconds=config[MIGRATION_TIMEOUT_SECONDS],
        preflight=config[PREFLIGHT],
        release_timeout_seconds=read_release_timeout(config),
        task_logs=task_logs.logs,
        task_logs_retention_days=task_logs.retention_days,
        pod_identity=task_logs.identity,
        running=config[RUNNING],
        size=config[SIZE],
        scale=scale,
        autoscaling=autoscaling,
        worker_groups=groups,
        task_policy_arns=task_policies,
        worker_grace_seconds=config[WORKER_GRACE_SECONDS],
        task_service_accounts=read_task_service_accounts(config),
        metadata_retention_days=config[METADATA_RETENTION_DAYS],
        ingress=read_ingress(config),
        oidc=read_oidc(config),
        connections=read_connections(config),
        secrets_prefix=read_secrets_prefix(config, aws),
        pools=read_pools(config),
        isolation=read_isolation(config),
        monitoring=config[MONITORING],
        monitoring_labels=config[MONITORING_LABELS],
        runbook_url=config[RUNBOOK_URL],
        verified=read_verified(config, aws),
        load_examples=config[LOAD_EXAMPLES],
        helm_values=helm_values,
        # Last: it adds up what the others read.
        pgbouncer=read_pgbouncer(
            config,
            database.database,
            scale,
            helm_values,
            scalers=sum(scaled is not None for scaled in (autoscaling, *(group.autoscaling for group in groups))),
            exporters=int(config[MONITORING] is not Monitoring.OFF),
        ),
    )
    check_key_secrets(config)
    return Settings(
        platform=platform,
        chart_path=config[CHART_PATH] or "",
        aws=aws,
        key_source=key_source,
        rotation=config[ROTATION],
        restoration=config[RESTORE],
        upgrade=config[UPGRADE],
        database=database,
    )
