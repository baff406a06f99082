"""The Helm release: its chart, other values, and how long it may take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import versions
from components.chart_values.chart_defaults import chart_schema, chart_values, schema_problems
from components.chart_values.given_options import given_options
from components.chart_values.managed_variables import listed_variables
from components.chart_values.value_paths import at, nested, without_nulls
from components.chart_values.worker_group import DEFAULT_QUEUE, default_queues, split_queues
from components.chart_values.worker_groups import AUTOSCALE_VARIABLE, CONCURRENCY_VARIABLE
from components.chart_values.worker_sets import SETS, elements, set_schema_problems
from components.platform_args import AirflowPlatformArgs
from components.preflight.finding import Preflight
from components.task_logs.store import TaskLogStore
from components.texts import fields
from components.user_values.mount_values import mounted_names
from components.user_values.user_values import problems as value_problems
from settings.keys import Section
from settings.reading import Config
from settings.sections.executor import (
    EXECUTOR,
    WORKER_GRACE_SECONDS,
)
from settings.sections.ingress import INGRESS_ANNOTATIONS
from settings.sections.release_surroundings import surroundings
from settings.sections.task_logs import TASK_LOGS, log_store
from settings.sections.worker_groups import WORKER_GROUPS, group_values, queues_of

SECTION = Section("Release")

_DEFAULT_WORKERS: Final = "workers.celery.enableDefault"
_QUEUE: Final = "workers.celery.queue"
_TARGETS: Final = "alb.ingress.kubernetes.io/target-type"
_DEFAULT_QUEUE: Final = "config.operators.default_queue"


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
    if celery and log_store(config) is TaskLogStore.WORKER and seconds <= grace:
        config.problem(
            RELEASE_TIMEOUT_SECONDS,
            f"expected more than {WORKER_GRACE_SECONDS.full}, {grace}, with {TASK_LOGS.full} worker, found {seconds}: "
            "a worker may take that long to end its tasks",
        )
    return seconds


def read_helm_values(config: Config) -> Mapping[str, Any]:
    """Return the other values of the chart. Each problem of them is noted."""
    values = config[HELM_VALUES]
    _check_targets(config, values)
    if values:
        try:
            around = replace(surroundings(config), mounted=mounted_names(list(config[WORKER_GROUPS])))
            found = value_problems(values, chart_values(), chart_schema(), around)
            found += _beside_groups(values) if config[WORKER_GROUPS] else _no_workers(config, values)
            found += _unserved(config, values)
            schema = [*schema_problems(without_nulls(values)), *set_schema_problems(values)]
            found += _new_problems(schema, found)
        except RecursionError:
            found = ["expected a map, found too many levels"]
        for text in found:
            config.problem(HELM_VALUES, text, "edit it in Pulumi.STACK.yaml", one_of_many=True)
    return values


def _check_targets(config: Config, helm_values: Mapping[str, Any]) -> None:
    """Note a load balancer that would reach pods by ports of the nodes, which the Service does not have."""
    if config.bad(INGRESS_ANNOTATIONS) or config[INGRESS_ANNOTATIONS].get(_TARGETS) != "instance":
        return
    if at(helm_values, "apiServer.service.type") not in ("NodePort", "LoadBalancer"):
        config.problem(
            INGRESS_ANNOTATIONS,
            f"{_TARGETS}: expected ip, because the API server's Service has no port of the nodes, found instance; "
            f"leave it out, or set apiServer.service.type to NodePort in {HELM_VALUES.full}",
            f"pulumi config rm --path '{INGRESS_ANNOTATIONS.full}[\"{_TARGETS}\"]'",
            one_of_many=True,
        )


def check_group_values(config: Config) -> None:
    """Note each value of the chart in a worker group that cannot be there, and each queue that is not the group's."""
    groups = config[WORKER_GROUPS]
    if not groups or config.bad(WORKER_GROUPS):
        return
    elements = [{"name": group["name"], **group_values(group)} for group in groups]
    values = nested(SETS, elements)
    try:
        around = replace(surroundings(config), groups=True, mounted=mounted_names(config[HELM_VALUES]))
        found = value_problems(values, chart_values(), chart_schema(), around)
        found += _new_problems([*set_schema_problems(values)], found)
    except RecursionError:
        found = [f"{SETS}: expected maps, found too many levels"]
    found += [
        f"[{index}].env: {variable} is set from concurrency; use that"
        for index, element in enumerate(elements)
        for variable in (CONCURRENCY_VARIABLE, AUTOSCALE_VARIABLE)
        if any(name == variable for _, name, _ in listed_variables(element))
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


def _unserved(config: Config, helm_values: Mapping[str, Any]) -> list[str]:
    """Return a problem where nobody serves the queue of the tasks that name none: they would wait for ever."""
    if config.bad(EXECUTOR, WORKER_GROUPS) or not config[EXECUTOR].default_is_celery:
        return []
    if not isinstance(at(helm_values, _QUEUE), str | None):
        return []  # the chart's schema says so
    groups = [queue for group in config[WORKER_GROUPS] for queue in queues_of(group)]
    off = at(helm_values, _DEFAULT_WORKERS) is False and not groups  # refused beside groups
    default = () if off else default_queues(helm_values)
    sets = [queue for _, element in elements(helm_values) for queue in split_queues(element.get("queue"))]
    served = (*default, *sets, *groups)
    wanted = [str(queue) for _, queue in given_options(helm_values, _DEFAULT_QUEUE)] or [DEFAULT_QUEUE]
    if not served or not (missing := [queue for queue in wanted if queue not in served and "{{" not in queue]):
        return []
    path = _QUEUE if at(helm_values, _QUEUE) else SETS if sets else _DEFAULT_QUEUE
    return [
        f"{path}: no worker serves {missing[0]}, the queue of tasks that name none; add it to {_QUEUE}, separated by a "
        f"comma, or set {_DEFAULT_QUEUE} to one of {', '.join(served)}"
    ]


def _new_problems(schema_problems: list[str], found: list[str]) -> list[str]:
    """Return the problems of the chart's schema, without those of what is refused already."""
    refused = [re.split("[ :]", text, maxsplit=1)[0] for text in found]

    def told(path: str) -> bool:
        return any(f"{one}.".startswith(f"{other}.") for own in refused for one, other in ((own, path), (path, own)))

    return [text for text in schema_problems if not told(text.partition(": ")[0])]
