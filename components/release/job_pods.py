"""The program's own pods follow the values of the chart for every pod of Airflow, and some for its Jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.security_contexts import said_of_all_pods
from components.chart_values.value_paths import at, without_nulls
from components.database.client_certificate import with_client_certificate
from components.kube.env import variable
from components.kube.job_pod import RESOURCES, JobPod
from components.user_values.yaml_texts import extra_variables

_PLACEMENT: Final = ("nodeSelector", "affinity", "tolerations", "schedulerName")
"""Values at the chart's root that are fields of a pod's spec too. Spread does not matter for a single pod."""
_ALL_JOBS: Final = "migrateDatabaseJob"
"""The chart's Job whose resources and priority class every pod beside the release follows."""
ADMIN_USER: Final = "createUserJob"
"""The chart's Job whose resources and priority class the Job of the admin user follows before those."""
_JSON_LOGS: Final = "json_logs"
_NOT_IN_JOBS: Final = "connect_args"
"""Options of this kind name a Python object in the chart's airflow_local_settings.py, which Jobs do not have."""


def job_pod(helm_values: Mapping[str, Any], client_certificate: str | None = None, job: str = _ALL_JOBS) -> JobPod:
    """Return what the user says of all pods, for the Jobs that the chart does not make.

    Args:
        helm_values: The user's `helmValues`.
        client_certificate: Secret with the certificate for the database, or None.
        job: The chart's Job in whose place the pod is.
    """
    jobs = dict.fromkeys((_ALL_JOBS, job))
    resources: dict[str, Any] = dict(RESOURCES)
    priority: dict[str, Any] = {}
    for name in jobs:
        resources = merged(resources, at(helm_values, f"{name}.resources") or {})
        if given := at(helm_values, f"{name}.priorityClassName"):
            priority = {"priorityClassName": given}
    pod = JobPod(
        placement={**placement(helm_values), **priority},
        resources=without_nulls(resources),
        labels={key: str(value) for key, value in (helm_values.get("labels") or {}).items()},
        annotations={key: str(value) for key, value in (helm_values.get("airflowPodAnnotations") or {}).items()},
        env=(*(helm_values.get("env") or ()), *_extra_variables(helm_values), *_options(helm_values)),
        volumes=tuple(helm_values.get("volumes") or ()),
        volume_mounts=tuple(helm_values.get("volumeMounts") or ()),
        security=said_of_all_pods(helm_values),
    )
    return with_client_certificate(pod, client_certificate)


def placement(helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user's `helmValues` say about the nodes of all pods."""
    return {key: helm_values[key] for key in _PLACEMENT if helm_values.get(key)}


def _extra_variables(helm_values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the plain variables of `extraEnv`. Jobs run no DAG, so they get no Secret and no ConfigMap of the team."""
    for _, name, value in extra_variables(helm_values):
        if isinstance(value, str) and "{{" not in value:
            yield variable(name, value)


def _options(helm_values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield options of airflow.cfg as variables: the section `database`, such as the schema, and the form of logs."""
    config = helm_values.get("config") or {}
    given = {("database", option): value for option, value in (config.get("database") or {}).items()}
    given["logging", _JSON_LOGS] = (config.get("logging") or {}).get(_JSON_LOGS)
    for (section, option), value in given.items():
        if value is not None and _NOT_IN_JOBS not in option:
            yield variable(f"AIRFLOW__{section}__{option}".upper(), str(value))
