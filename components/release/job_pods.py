"""The pods of the program's Jobs follow those values of the chart that hold for every pod of Airflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.security_contexts import said_of_all_pods
from components.database.client_certificate import with_client_certificate
from components.kube.env import variable
from components.kube.job_pod import JobPod
from components.user_values.yaml_texts import extra_variables

_PLACEMENT: Final = ("nodeSelector", "affinity", "tolerations", "schedulerName")
"""Values at the chart's root that are fields of a pod's spec too. Spread does not matter for a single pod."""
_NOT_IN_JOBS: Final = "connect_args"
"""Options of this kind name a Python object in the chart's airflow_local_settings.py, which Jobs do not have."""


def job_pod(helm_values: Mapping[str, Any], client_certificate: str | None = None) -> JobPod:
    """Return what the user says of all pods, for the Jobs that the chart does not make.

    Args:
        helm_values: The user's `helmValues`.
        client_certificate: Secret with the certificate for the database, or None.
    """
    pod = JobPod(
        placement={key: helm_values[key] for key in _PLACEMENT if helm_values.get(key)},
        labels={key: str(value) for key, value in (helm_values.get("labels") or {}).items()},
        annotations={key: str(value) for key, value in (helm_values.get("airflowPodAnnotations") or {}).items()},
        env=(*(helm_values.get("env") or ()), *_extra_variables(helm_values), *_database_options(helm_values)),
        volumes=tuple(helm_values.get("volumes") or ()),
        volume_mounts=tuple(helm_values.get("volumeMounts") or ()),
        security=said_of_all_pods(helm_values),
    )
    return with_client_certificate(pod, client_certificate)


def _extra_variables(helm_values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the plain variables of `extraEnv`. Jobs run no DAG, so they get no Secret and no ConfigMap of the team."""
    for _, name, value in extra_variables(helm_values):
        if isinstance(value, str) and "{{" not in value:
            yield variable(name, value)


def _database_options(helm_values: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the options of airflow.cfg's section `database`, such as the schema, as variables."""
    options = (helm_values.get("config") or {}).get("database") or {}
    for option, value in options.items():
        if value is not None and _NOT_IN_JOBS not in option:
            yield variable(f"AIRFLOW__DATABASE__{option.upper()}", str(value))
