"""The `helmValues` escape hatch: any other value of the chart, merged last, but none that the program owns.

Checked when the program runs. The engine's preview does not look at Helm values, and the chart ignores an unknown key
at its root and in a few sections, so that a misspelt one would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.merge import merged

OWNED: Final[Mapping[str, str]] = {
    "airflowVersion": "airflow:airflowVersion",
    "allowPodLaunching": "nothing: workers must not create pods",
    "apiSecretKeySecretName": "airflow:apiSecretKey",
    "apiServer.replicas": "airflow:apiServerReplicas",
    "config.core.executor": "airflow:executor",
    "config.core.load_examples": "airflow:loadExamples",
    "config.kubernetes_executor.worker_container_repository": "airflow:imageRepository",
    "config.kubernetes_executor.worker_container_tag": "airflow:imageTag",
    "createUserJob": "airflow:adminUsername and airflow:adminPassword",
    "dagProcessor.dagBundleConfigList": "airflow:dagsDelivery",
    "dagProcessor.replicas": "airflow:dagProcessorReplicas",
    "dagProcessor.safeToEvict": "nothing: an eviction must not stop it",
    "dags.gitSync": "the keys airflow:dags…",
    "data": "the keys airflow:database…",
    "defaultAirflowDigest": "airflow:imageDigest",
    "defaultAirflowRepository": "airflow:imageRepository",
    "defaultAirflowTag": "airflow:imageTag",
    "enableBuiltInSecretEnvVars": "nothing: workers must not learn the database's address",
    "executor": "airflow:executor",
    "fernetKey": "airflow:fernetKey",
    "fernetKeySecretName": "airflow:fernetKey",
    "fullnameOverride": "nothing: the names of the Services are fixed",
    "imagePullSecrets": "airflow:imagePullSecrets",
    "images": "airflow:imageTag and the other keys airflow:image…",
    "jwtSecret": "airflow:jwtSecret",
    "jwtSecretName": "airflow:jwtSecret",
    "apiSecretKey": "airflow:apiSecretKey",
    "logs.persistence": "airflow:taskLogs",
    "migrateDatabaseJob": "nothing: the program migrates before the release",
    "nameOverride": "nothing: the names of the Services are fixed",
    "networkPolicies": "airflow:networkIsolation",
    "pgbouncer.configSecretName": "airflow:pgbouncerEnabled",
    "pgbouncer.enabled": "airflow:pgbouncerEnabled",
    "pgbouncer.metricsExporterSidecar.statsSecretName": "airflow:pgbouncerEnabled",
    "pgbouncer.replicas": "airflow:pgbouncerReplicas",
    "postgresql": "airflow:database",
    "redis.enabled": "airflow:executor",
    "redis.password": "airflow:redisPassword",
    "redis.passwordSecretName": "airflow:redisPassword",
    "scheduler.replicas": "airflow:schedulerReplicas",
    "scheduler.safeToEvict": "nothing: an eviction must not stop it",
    "triggerer.persistence": "nothing: as a StatefulSet it could not leave a broken image",
    "triggerer.replicas": "airflow:triggererReplicas",
    "triggerer.safeToEvict": "nothing: an eviction must not stop it",
    "useStandardNaming": "nothing: the names of the Services are fixed",
    "webserverSecretKey": "airflow:apiSecretKey",
    "webserverSecretKeySecretName": "airflow:apiSecretKey",
    "workers.celery.persistence": "airflow:taskLogs",
    "workers.celery.replicas": "airflow:workerReplicas",
    "workers.celery.safeToEvict": "nothing: an eviction must not kill a task",
    "workers.kubernetes.safeToEvict": "nothing: an eviction must not kill a task",
}
"""Paths that the program sets itself, and the config key that does it instead."""

APPENDED: Final = (
    "env",
    "apiServer.env",
    "scheduler.env",
    "dagProcessor.env",
    "triggerer.env",
    "workers.celery.env",
    "workers.kubernetes.env",
    "dagProcessor.extraVolumes",
    "dagProcessor.extraVolumeMounts",
    "triggerer.extraVolumes",
    "triggerer.extraVolumeMounts",
    "workers.celery.extraVolumes",
    "workers.celery.extraVolumeMounts",
    "workers.kubernetes.extraVolumes",
    "workers.kubernetes.extraVolumeMounts",
)
"""Lists that the program fills too: a user's entries come after its own, instead of in their place."""


MANAGED_VARIABLES: Final = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW_CONN_AIRFLOW_DB",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__LOAD_EXAMPLES",
)
"""Beginnings of variables that the program sets, or keeps from a container on purpose."""


def problems(helm_values: Mapping[str, Any], chart_values: Mapping[str, Any]) -> list[str]:
    """What is wrong with `helm_values`, a sentence each; none where it is good.

    chart_values: the chart's own values.yaml. A key that it does not know is an error where it lists keys at all.
    """
    found = []
    for path in _paths(helm_values):
        owner = _owner(path)
        if owner is not None:
            found.append(f"{path} is set by the program; use {owner}")
    found += [f"{path} is not a value of the chart" for path in _unknown(helm_values, chart_values)]
    return found + _managed_variables(helm_values)


def with_helm_values(values: Mapping[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the user's on top; lists in `APPENDED` grow, other lists are replaced. Assumes no `problems`."""
    result = merged(values, helm_values)
    for path in APPENDED:
        own, users = _get(values, path), _get(helm_values, path)
        if isinstance(own, list) and isinstance(users, list):
            result = merged(result, _nested(path, [*own, *users]))
    return result


def _owner(path: str) -> str | None:
    parts = path.split(".")
    return next((OWNED[".".join(parts[:n])] for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in OWNED), None)


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted paths of all leaves, a list or an empty map being one."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _unknown(values: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        if key not in known:
            # airflow.cfg has more sections and options than the chart's defaults name.
            if not path.startswith("config."):
                yield path
        elif isinstance(value, Mapping) and isinstance(known[key], Mapping) and known[key]:
            yield from _unknown(value, known[key], f"{path}.")


def _managed_variables(helm_values: Mapping[str, Any]) -> list[str]:
    found = []
    for path, field in (*((path, "name") for path in APPENDED if path.endswith("env")), ("secret", "envName")):
        for entry in _get(helm_values, path) or ():
            name = str(entry.get(field)) if isinstance(entry, Mapping) else ""
            if name.startswith(MANAGED_VARIABLES):
                found.append(f"{path} may not set {name}: the program does")
    for path in ("extraEnv", "extraEnvFrom"):
        text = str(helm_values.get(path) or "")
        found += [f"{path} may not set {name}: the program does" for name in MANAGED_VARIABLES if name in text]
    return found


def _get(values: Mapping[str, Any], path: str) -> Any:
    current: Any = values
    for part in path.split("."):
        if not isinstance(current, Mapping) or part not in current:
            return None
        current = current[part]
    return current


def _nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return dict(value)
