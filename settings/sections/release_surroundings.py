"""Says what the settings decide about the chart's values: see `components.user_values.surroundings`."""

from __future__ import annotations

from typing import Final

from components.chart_values.chart_defaults import chart_schema
from components.chart_values.size_preset import SizePreset
from components.chart_values.worker_sets import SETS
from components.connections.given import GivenConnections
from components.dags.delivery import DagsDelivery
from components.network.extra_egress import API_SERVER_PORTS, COMPONENTS, Protocol
from components.network.isolation_args import Isolation
from components.task_logs.store import TaskLogStore
from components.user_values.airflow_options import OPTIONS
from components.user_values.pod_isolation import READ_LOGS, RUN_TASKS
from components.user_values.surroundings import Surroundings
from settings.reading import Config
from settings.sections.broker import BROKER_URL
from settings.sections.cluster import PROTECT
from settings.sections.connections import CONNECTIONS, SECRETS_MANAGER_PREFIX, VARIABLES
from settings.sections.dags import DAGS_DELIVERY
from settings.sections.database import (
    CLIENT_CERTIFICATE_SECRET,
    METADATA_RETENTION_DAYS,
    PGBOUNCER_ENABLED,
    PGBOUNCER_REPLICAS,
)
from settings.sections.executor import (
    API_SERVER_REPLICAS,
    DAG_PROCESSOR_REPLICAS,
    EXECUTOR,
    SCHEDULER_REPLICAS,
    SIZE,
    TRIGGERER_REPLICAS,
    WORKER_GRACE_SECONDS,
    WORKER_MAX_REPLICAS,
    WORKER_REPLICAS,
    WORKER_SCALING,
    WorkerScaling,
)
from settings.sections.ingress import INGRESS_GATEWAY, INGRESS_HOST
from settings.sections.isolation import EXTRA_EGRESS, METRICS_NAMESPACES, NETWORK_ISOLATION, UI_CIDRS
from settings.sections.keys import KEY_SECRETS
from settings.sections.login import OIDC_ISSUER
from settings.sections.task_logs import TASK_LOGS, log_store
from settings.sections.worker_groups import TASK_POLICY_ARNS, WORKER_GROUPS


def surroundings(config: Config) -> Surroundings:
    return Surroundings(
        isolated=config[NETWORK_ISOLATION] is not Isolation.OFF,
        ui_reachable=bool(config[UI_CIDRS]),
        protected=config[PROTECT],
        ingress=config[INGRESS_HOST] is not None,
        with_role=_with_role(config),
        oidc=config[OIDC_ISSUER] is not None,
        api_server_may_send=lambda port: (
            port in API_SERVER_PORTS
            or any(entry.opens("api-server", Protocol.TCP, port) for entry in config[EXTRA_EGRESS])
        ),
        metrics_readable=bool(config[METRICS_NAMESPACES]),
        dags_fetched=not config.bad(DAGS_DELIVERY) and config[DAGS_DELIVERY] is not DagsDelivery.IMAGE,
        stateful_workers=None if config.bad(TASK_LOGS) else log_store(config) is TaskLogStore.WORKER,
        several_nodes=not config.bad(SIZE) and config[SIZE] is not SizePreset.NONE,
        with_requests=config.bad(SIZE) or config[SIZE] is not SizePreset.NONE,
        worker_grace_seconds=0 if config.bad(WORKER_GRACE_SECONDS) else config[WORKER_GRACE_SECONDS],
        log_volume=not config.bad(TASK_LOGS) and log_store(config) is TaskLogStore.VOLUME,
        secrets_in_aws=config[SECRETS_MANAGER_PREFIX] is not None,
        connection_variables=_connection_variables(config),
        client_certificate=config[CLIENT_CERTIFICATE_SECRET] is not None,
        held_secrets=_held_secrets(config),
        without_budget=_without_budget(config),
        switched_off=_switched_off(config),
        may_send=lambda protocol, port: all(
            any(entry.opens(component, Protocol(protocol), port) for entry in config[EXTRA_EGRESS])
            for component in COMPONENTS
        ),
    )


def _connection_variables(config: Config) -> frozenset[str]:
    given = GivenConnections(connections=config[CONNECTIONS], variables=config[VARIABLES])
    return frozenset(given.environment())


def _held_secrets(config: Config) -> dict[str, str]:
    """Return the Secrets of the team that only the program may give to pods."""
    held = dict.fromkeys(config[KEY_SECRETS].values(), KEY_SECRETS.full)
    client = config[CLIENT_CERTIFICATE_SECRET]
    return held if client is None else {**held, client: CLIENT_CERTIFICATE_SECRET.full}


def _without_budget(config: Config) -> frozenset[str]:
    """Return the components without a disruption budget of the program (`components.chart_values.availability`)."""
    pods = {
        "apiServer": config[API_SERVER_REPLICAS],
        "scheduler": config[SCHEDULER_REPLICAS],
        "dagProcessor": config[DAG_PROCESSOR_REPLICAS],
        "triggerer": config[TRIGGERER_REPLICAS],
        "pgbouncer": config[PGBOUNCER_REPLICAS],
        # A budget for workers would select task pods too, which have the same labels.
        "workers.celery": 1 if config[EXECUTOR].kubernetes else _most_workers(config),
    }
    return frozenset(component for component, number in pods.items() if number == 1)


def _most_workers(config: Config) -> int:
    scaled = config[WORKER_SCALING] is WorkerScaling.KEDA
    return config[WORKER_MAX_REPLICAS] if scaled else config[WORKER_REPLICAS]


def _with_role(config: Config) -> tuple[str, ...]:
    """Return the chart's paths of the components whose pods get an IAM role."""
    secrets = (*READ_LOGS, "dagProcessor", "triggerer") if config[SECRETS_MANAGER_PREFIX] else ()
    if log_store(config) is TaskLogStore.S3:
        return tuple(dict.fromkeys((*READ_LOGS, *RUN_TASKS, *secrets)))
    if config[TASK_POLICY_ARNS]:
        return tuple(dict.fromkeys((*RUN_TASKS, *secrets)))
    groups = (SETS,) if any(group.get("taskPolicyArns") for group in config[WORKER_GROUPS]) else ()
    return (*groups, *secrets)


_ALSO_OF_OPERATORS: Final = ("api_client_retry_configuration", "enable_tcp_keepalive", "logs_task_metadata")
_BEGIN_SO_TOO: Final = ("ssl_", "tcp_", "verify_")
"""Options of KubernetesExecutor that operators of the same provider read too, and beginnings of such."""


def _options_of_task_pods() -> list[str]:
    """Return the paths of the options that KubernetesExecutor alone reads."""
    return [
        f"config.kubernetes_executor.{option}"
        for option in OPTIONS["kubernetes_executor"]
        if option not in _ALSO_OF_OPERATORS and not option.startswith(_BEGIN_SO_TOO)
    ]


def _switched_off(config: Config) -> dict[str, str]:
    """Return the chart's paths of what this stack does not deploy, each with the setting that would."""
    if config.bad(EXECUTOR, PGBOUNCER_ENABLED, METADATA_RETENTION_DAYS, INGRESS_HOST, DAGS_DELIVERY):
        return {}
    executor = config[EXECUTOR]
    off: dict[str, str] = {}
    if not executor.celery:
        # Not workers.celery.serviceAccount: task pods run as the workers' account.
        celery = chart_schema()["properties"]["workers"]["properties"]["celery"]["properties"]
        workers = (f"workers.celery.{key}" for key in celery if key != "serviceAccount")
        options = ["config.celery", "config.celery_broker_transport_options"]
        paths = ["redis", "flower", "images.redis", *options, *workers]
        off |= dict.fromkeys(paths, f"{EXECUTOR.full} with CeleryExecutor")
        of_task_pods = chart_schema()["properties"]["workers"]["properties"]["kubernetes"]["properties"]
        off |= {
            f"workers.celery.{key}": f"workers.kubernetes.{key} for task pods"
            for key in celery
            if key in of_task_pods and key != "serviceAccount"
        }
    elif config[BROKER_URL] is not None:
        off |= dict.fromkeys(("redis", "images.redis"), f"no {BROKER_URL.full} for the stack's own Redis")
    if not executor.kubernetes:
        off |= dict.fromkeys(
            ("workers.kubernetes", "podTemplate", "cleanup", *_options_of_task_pods()),
            f"{EXECUTOR.full} with KubernetesExecutor",
        )
    if not config.bad(WORKER_SCALING) and config[WORKER_SCALING] is WorkerScaling.FIXED:
        off["workers.celery.keda"] = f"{WORKER_SCALING.full} keda"
    if not config.bad(TASK_LOGS) and log_store(config) is not TaskLogStore.WORKER:
        off["workers.celery.persistence.enabled"] = f"{TASK_LOGS.full} worker"
    if not config.bad(TASK_LOGS) and log_store(config) is not TaskLogStore.VOLUME:
        off["logs.persistence.enabled"] = f"{TASK_LOGS.full} volume"
    if not config.bad(TASK_LOGS) and log_store(config) in (TaskLogStore.S3, TaskLogStore.REMOTE):
        off |= dict.fromkeys(("elasticsearch", "opensearch"), f"{TASK_LOGS.full} volume")
    if not config[PGBOUNCER_ENABLED]:
        paths = ["pgbouncer", "images.pgbouncer", "images.pgbouncerExporter", "ingress.pgbouncer"]
        off |= dict.fromkeys(paths, f"{PGBOUNCER_ENABLED.full} true")
    if not config[METADATA_RETENTION_DAYS]:
        off["databaseCleanup"] = METADATA_RETENTION_DAYS.full
    if not config[INGRESS_HOST] or config[INGRESS_GATEWAY]:
        gateway = f" without {INGRESS_GATEWAY.full}" if config[INGRESS_GATEWAY] else ""
        off["ingress.apiServer"] = f"{INGRESS_HOST.full}{gateway}"
    if config[DAGS_DELIVERY] is not DagsDelivery.GIT_SYNC:
        off |= dict.fromkeys(("dags.gitSync", "images.gitSync"), f"{DAGS_DELIVERY.full} git-sync")
    return off
