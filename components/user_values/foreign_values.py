"""Values of other charts for Airflow, and of charts that contain this one, each with what to use here. Pure.

The others are the community's (airflow-helm/charts) and Bitnami's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from components.chart_values.owned_values import advice

_WRAPPER: Final = "airflow"
"""Under this name a chart that contains this one gives it values; the community's chart has keys of its own there."""
_BESIDE: Final = "nothing: no policy would judge its objects; make them beside the stack, with kubectl"
_FOREIGN: Final[Mapping[str, str]] = {
    "auth": "airflow:adminUsername and airflow:adminPassword",
    "externalDatabase": "airflow:database external, airflow:databaseHost and the keys beside it",
    "externalRedis": "airflow:brokerUrl",
    "extraDeploy": _BESIDE,
    "extraEnvVars": "env, or extraEnv",
    "extraManifests": _BESIDE,
    "git": "airflow:dagsRepository and the keys airflow:dags… beside it",
    "global": "airflow:imageRegistry, airflow:imagePullSecrets, airflow:taskLogsStorageClass and the like",
    "image": "airflow:imageRepository and airflow:imageTag",
    "loadExamples": "airflow:loadExamples",
    "metrics": "airflow:monitoring",
    "prometheusRule": "airflow:monitoring operator",
    "serviceAccount": "serviceAccount of the components",
    "serviceMonitor": "airflow:monitoring operator",
    "web": "apiServer",
    "worker": "workers.celery and workers.kubernetes",
}
_IN_WRAPPER: Final[Mapping[str, str]] = {
    "config": "config.SECTION.OPTION for each AIRFLOW__SECTION__OPTION",
    "connections": "airflow:connections",
    "executor": "airflow:executor",
    "fernetKey": "airflow:fernetKey",
    "image": _FOREIGN["image"],
    "pools": "airflow:pools",
    "users": "airflow:adminUsername, and airflow:oidcIssuer for other people",
    "variables": "airflow:variables",
    "webserverSecretKey": "airflow:apiSecretKey",
}
"""Keys of the community's chart below `airflow`."""


def foreign_instead(path: str, value: Any, known: Collection[str]) -> str | None:
    """Return what to do about a key at the root that the chart does not have, or None for one of no known chart.

    known: keys at the chart's root.
    """
    if path != _WRAPPER:
        return advice(_FOREIGN[path]) if path in _FOREIGN else None
    below = list(value) if isinstance(value, Mapping) else []
    options = value.get("config") if isinstance(value, Mapping) else None
    community = any(key not in known for key in below) or (
        isinstance(options, Mapping) and any(str(name).startswith("AIRFLOW__") for name in options)
    )
    if not community:
        return "write what is below it without it: the values are those of the chart itself"
    told = [f"for {key} {_IN_WRAPPER[key]}" for key in below if key in _IN_WRAPPER]
    return f"use {'; '.join(told)}" if told else "write what is below it without it, as far as the chart has it"
