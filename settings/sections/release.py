"""The Helm release: its chart, other values, and how long it may take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import versions
from components import fields
from components.dags.delivery import DagsDelivery
from components.network.extra_egress import API_SERVER_PORTS, COMPONENTS, Protocol
from components.network.isolation_args import Isolation
from components.platform_args import AirflowPlatformArgs
from components.preflight.finding import Preflight
from components.release.chart_defaults import chart_schema, chart_values, schema_problems
from components.release.managed_variables import listed_variables
from components.release.pod_isolation import READ_LOGS, RUN_TASKS
from components.release.surroundings import Surroundings
from components.release.user_values import problems as value_problems
from components.release.value_paths import at, nested, without_nulls
from components.release.worker_group import default_queues
from components.release.worker_groups import CONCURRENCY_VARIABLE
from components.release.worker_sets import SETS, set_schema_problems
from components.task_logs.store import TaskLogStore
from settings.keys import Section
from settings.reading import Config
from settings.sections.cluster import PROTECT
from settings.sections.connections import SECRETS_MANAGER_PREFIX
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
from settings.sections.task_logs import TASK_LOGS
from settings.sections.worker_groups import TASK_POLICY_ARNS, WORKER_GROUPS, group_values, queues_of

SECTION = Section("Release")

_DEFAULT_WORKERS: Final = "workers.celery.enableDefault"


def _chart_path(text: str) -> str:
    if "://" in text or re.search(r":[^/]*@", text):
        # Not shown: it may hold a login.
        fields.refuse("expected the path of a file, found a URL or a login: download the archive and give its path")
    return fields.path(text)


LOAD_EXAMPLES = SECTION.boolean(
    "loadExamples",
    default=AirflowPlatformArgs.load_examples,
    description="Load the example DAGs of the Airflow image.",
)
HELM_VALUES = SECTION.mapping(
    "helmValues",
    description=f"Other values of chart {versions.AIRFLOW_CHART}, merged last. What the program sets itself is "
    "refused.",
)
RELEASE_TIMEOUT_SECONDS = SECTION.integer(
    "releaseTimeoutSeconds",
    60,
    7200,
    default=AirflowPlatformArgs.release_timeout_seconds,
    description="The update fails when a pod is not ready after this many seconds, {least} to {most}.",
)
PREFLIGHT = SECTION.choice(
    "preflight",
    Preflight,
    default=AirflowPlatformArgs.preflight,
    description="Before an update changes what runs, try what it needs: the DAG repository, images, an existing "
    "database, storage classes, quotas. required (a failure ends the update), wanted (it is a warning), or off.",
)
CHART_PATH = SECTION.optional(
    "chartPath",
    _chart_path,
    description=f"Archive of chart {versions.AIRFLOW_CHART} where it cannot be downloaded. Its content must be the "
    "released one.",
)


def read_release_timeout(config: Config) -> int:
    """Return the seconds after which an update fails.

    A worker with a volume of its own is replaced only after it has gone, and it goes after its tasks have ended.
    """
    seconds, grace = config[RELEASE_TIMEOUT_SECONDS], config[WORKER_GRACE_SECONDS]
    celery = config[EXECUTOR].celery and not config.bad(EXECUTOR)
    if celery and config[TASK_LOGS] is TaskLogStore.WORKER and seconds <= grace:
        config.problem(
            RELEASE_TIMEOUT_SECONDS,
            f"expected more than {WORKER_GRACE_SECONDS.full}, {grace}, with {TASK_LOGS.full} worker, found {seconds}: "
            "a worker may take that long to end its tasks",
        )
    return seconds


def read_helm_values(config: Config) -> Mapping[str, Any]:
    """Return the other values of the chart. Each problem of them is noted."""
    values = config[HELM_VALUES]
    if values:
        try:
            found = value_problems(values, chart_values(), chart_schema(), _surroundings(config))
            found += _beside_groups(values) if config[WORKER_GROUPS] else _no_workers(config, values)
            schema = [*schema_problems(without_nulls(values)), *set_schema_problems(values)]
            found += _new_problems(schema, found)
        except RecursionError:
            found = ["expected a map, found too many levels"]
        for text in found:
            config.problem(HELM_VALUES, text, "edit it in Pulumi.STACK.yaml", one_of_many=True)
    return values


def check_group_values(config: Config) -> None:
    """Note each value of the chart in a worker group that cannot be there, and each queue that is not the group's."""
    groups = config[WORKER_GROUPS]
    if not groups or config.bad(WORKER_GROUPS):
        return
    elements = [{"name": group["name"], **group_values(group)} for group in groups]
    values = nested(SETS, elements)
    try:
        found = value_problems(values, chart_values(), chart_schema(), replace(_surroundings(config), groups=True))
        found += _new_problems([*set_schema_problems(values)], found)
    except RecursionError:
        found = [f"{SETS}: expected maps, found too many levels"]
    found += [
        f"[{index}].env: {CONCURRENCY_VARIABLE} is set from concurrency; use that"
        for index, element in enumerate(elements)
        if any(name == CONCURRENCY_VARIABLE for _, name, _ in listed_variables(element))
    ]
    found += [
        f"[{index}].podDisruptionBudget.config has no effect with one worker; set podDisruptionBudget.enabled to true "
        "beside it, or leave it out"
        for index, group in enumerate(groups)
        if at(group, "podDisruptionBudget.config")
        and at(group, "podDisruptionBudget.enabled") is None
        and group.get("maxReplicas", group.get("replicas", 1)) == 1
    ]
    default = default_queues(config[HELM_VALUES])
    found += [
        f"[{index}].queues: expected queues of its own, found {queue}, which the default workers serve"
        for index, group in enumerate(groups)
        for queue in queues_of(group)
        if queue in default
    ]
    for text in found:
        config.problem(WORKER_GROUPS, text.replace(SETS, ""), "edit it in Pulumi.STACK.yaml", one_of_many=True)


def _beside_groups(helm_values: Mapping[str, Any]) -> list[str]:
    """Return what of the values is for the same thing as worker groups."""
    found = []
    if at(helm_values, SETS):
        found.append(f"{SETS} may not be set beside {WORKER_GROUPS.full}; use that for all of them")
    if at(helm_values, _DEFAULT_WORKERS) is False:
        found.append(
            f"{_DEFAULT_WORKERS} may not be false beside {WORKER_GROUPS.full}: the default workers serve the queue "
            "default; use airflow:workerReplicas to have one of them"
        )
    return found


def _no_workers(config: Config, helm_values: Mapping[str, Any]) -> list[str]:
    """Return a problem where nothing would run tasks, which the chart renders without a word."""
    none = at(helm_values, _DEFAULT_WORKERS) is False and not at(helm_values, SETS)
    if not none or config.bad(EXECUTOR) or not config[EXECUTOR].celery:
        return []
    return [f"{_DEFAULT_WORKERS}: no worker is left; leave it out, or give {SETS} beside it"]


def _surroundings(config: Config) -> Surroundings:
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
        stateful_workers=None if config.bad(TASK_LOGS) else config[TASK_LOGS] is TaskLogStore.WORKER,
        worker_grace_seconds=0 if config.bad(WORKER_GRACE_SECONDS) else config[WORKER_GRACE_SECONDS],
        log_volume=not config.bad(TASK_LOGS) and config[TASK_LOGS] is TaskLogStore.VOLUME,
        secrets_in_aws=config[SECRETS_MANAGER_PREFIX] is not None,
        client_certificate=config[CLIENT_CERTIFICATE_SECRET] is not None,
        held_secrets=_held_secrets(config),
        without_budget=_without_budget(config),
        switched_off=_switched_off(config),
        may_send=lambda protocol, port: all(
            any(entry.opens(component, Protocol(protocol), port) for entry in config[EXTRA_EGRESS])
            for component in COMPONENTS
        ),
    )


def _held_secrets(config: Config) -> dict[str, str]:
    """Return the Secrets of the team that only the program may give to pods."""
    held = dict.fromkeys(config[KEY_SECRETS].values(), KEY_SECRETS.full)
    client = config[CLIENT_CERTIFICATE_SECRET]
    return held if client is None else {**held, client: CLIENT_CERTIFICATE_SECRET.full}


def _without_budget(config: Config) -> frozenset[str]:
    """Return the components that the program gives no disruption budget (see `components.release.availability`)."""
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
    if config[TASK_LOGS] is TaskLogStore.S3:
        return tuple(dict.fromkeys((*READ_LOGS, *RUN_TASKS, *secrets)))
    if config[TASK_POLICY_ARNS]:
        return tuple(dict.fromkeys((*RUN_TASKS, *secrets)))
    groups = (SETS,) if any(group.get("taskPolicyArns") for group in config[WORKER_GROUPS]) else ()
    return (*groups, *secrets)


def _switched_off(config: Config) -> dict[str, str]:
    """Return the chart's paths of what this stack does not deploy, each with the setting that would."""
    if config.bad(EXECUTOR, PGBOUNCER_ENABLED, METADATA_RETENTION_DAYS, INGRESS_HOST, DAGS_DELIVERY):
        return {}
    executor = config[EXECUTOR]
    off: dict[str, str] = {}
    if not executor.celery:
        # Not workers.celery.serviceAccount: task pods run as the workers' account.
        celery = chart_schema()["properties"]["workers"]["properties"]["celery"]["properties"]
        paths = ["redis", "flower", *(f"workers.celery.{key}" for key in celery if key != "serviceAccount")]
        off |= dict.fromkeys(paths, f"{EXECUTOR.full} with CeleryExecutor")
    if not executor.kubernetes:
        off |= dict.fromkeys(
            ("workers.kubernetes", "podTemplate", "cleanup"), f"{EXECUTOR.full} with KubernetesExecutor"
        )
    if not executor.celery:
        off["images.redis"] = f"{EXECUTOR.full} with CeleryExecutor"
    if not config[PGBOUNCER_ENABLED]:
        paths = ["pgbouncer", "images.pgbouncer", "images.pgbouncerExporter"]
        off |= dict.fromkeys(paths, f"{PGBOUNCER_ENABLED.full} true")
    if not config[METADATA_RETENTION_DAYS]:
        off["databaseCleanup"] = METADATA_RETENTION_DAYS.full
    if not config[PGBOUNCER_ENABLED]:
        off["ingress.pgbouncer"] = f"{PGBOUNCER_ENABLED.full} true"
    if not config[INGRESS_HOST] or config[INGRESS_GATEWAY]:
        gateway = f" without {INGRESS_GATEWAY.full}" if config[INGRESS_GATEWAY] else ""
        off["ingress.apiServer"] = f"{INGRESS_HOST.full}{gateway}"
    if config[DAGS_DELIVERY] is not DagsDelivery.GIT_SYNC:
        off |= dict.fromkeys(("dags.gitSync", "images.gitSync"), f"{DAGS_DELIVERY.full} git-sync")
    return off


def _new_problems(schema_problems: list[str], found: list[str]) -> list[str]:
    """Return the problems of the chart's schema, without those of what is refused already."""
    refused = [re.split("[ :]", text, maxsplit=1)[0] for text in found]

    def told(path: str) -> bool:
        return any(f"{one}.".startswith(f"{other}.") for own in refused for one, other in ((own, path), (path, own)))

    return [text for text in schema_problems if not told(text.partition(": ")[0])]
