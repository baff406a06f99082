"""The user's `helmValues`: any value of the chart that the program does not own, merged last.

They are validated when the program runs. The engine's preview ignores Helm values, and the chart ignores unknown keys
at its root and in a few sections, so a misspelt key would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.release.chart_defaults import merged
from components.task_logs.remote import CONNECTION_VARIABLE

OWNED: Final[Mapping[str, str]] = {
    "airflowVersion": "airflow:airflowVersion",
    "allowJobLaunching": "nothing: workers must not create Jobs, whose pods could read every Secret",
    "allowPodLaunching": "nothing: workers must not create pods",
    "apiSecretKeySecretName": "airflow:apiSecretKey",
    "apiServer.replicas": "airflow:apiServerReplicas",
    "apiServer.service.ports": "nothing: the ports are fixed, and the network policies are made for them",
    "apiServer.waitForMigrations": "nothing: the program migrates before the release",
    "config.celery.worker_concurrency": "airflow:workerConcurrency",
    "config.core.executor": "airflow:executor",
    "config.core.load_examples": "airflow:loadExamples",
    "config.dag_processor.dag_bundle_config_list": "airflow:dagsDelivery",
    "config.kubernetes_executor.worker_container_repository": "airflow:imageRepository",
    "config.kubernetes_executor.worker_container_tag": "airflow:imageTag",
    "config.logging.remote_base_log_folder": "airflow:taskLogs",
    "config.logging.remote_log_conn_id": "airflow:taskLogs",
    "config.logging.remote_logging": "airflow:taskLogs",
    "createUserJob": "airflow:adminUsername and airflow:adminPassword",
    "dagProcessor.dagBundleConfigList": "airflow:dagsDelivery",
    "dagProcessor.replicas": "airflow:dagProcessorReplicas",
    "dagProcessor.safeToEvict": "nothing: an eviction must not stop it",
    "dagProcessor.waitForMigrations": "nothing: the program migrates before the release",
    "dags.gitSync": "the keys airflow:dags…",
    "data": "the keys airflow:database…",
    "databaseCleanup.enabled": "airflow:metadataRetentionDays",
    "databaseCleanup.retentionDays": "airflow:metadataRetentionDays",
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
    "ingress.apiServer.enabled": "airflow:ingressHost",
    "ingress.apiServer.host": "airflow:ingressHost",
    "ingress.apiServer.hosts": "airflow:ingressHost",
    "ingress.apiServer.ingressClassName": "airflow:ingressHost",
    "ingress.apiServer.path": "airflow:ingressHost",
    "ingress.apiServer.pathType": "airflow:ingressHost",
    "ingress.apiServer.tls": "airflow:ingressHost",
    "ingress.enabled": "airflow:ingressHost",
    "jwtSecret": "airflow:jwtSecret",
    "jwtSecretName": "airflow:jwtSecret",
    "apiSecretKey": "airflow:apiSecretKey",
    "logs.persistence": "airflow:taskLogs",
    "migrateDatabaseJob": "nothing: the program migrates before the release",
    "multiNamespaceMode": "nothing: the stack owns one namespace and asks for no rights in others",
    "nameOverride": "nothing: the names of the Services are fixed",
    "networkPolicies": "airflow:networkIsolation",
    "pgbouncer.configSecretName": "airflow:pgbouncerEnabled",
    "pgbouncer.enabled": "airflow:pgbouncerEnabled",
    "pgbouncer.metricsExporterSidecar.statsSecretKey": "airflow:pgbouncerEnabled",
    "pgbouncer.metricsExporterSidecar.statsSecretName": "airflow:pgbouncerEnabled",
    "pgbouncer.replicas": "airflow:pgbouncerReplicas",
    "ports": "nothing: the ports are fixed, and the network policies are made for them",
    "postgresql": "airflow:database",
    "redis.enabled": "airflow:executor",
    "redis.password": "airflow:redisPassword",
    "redis.passwordSecretName": "airflow:redisPassword",
    "redis.safeToEvict": "nothing: an eviction must not lose the queue",
    "scheduler.replicas": "airflow:schedulerReplicas",
    "scheduler.safeToEvict": "nothing: an eviction must not stop it",
    "scheduler.waitForMigrations": "nothing: the program migrates before the release",
    "triggerer.persistence": "nothing: as a StatefulSet it could not leave a broken image",
    "triggerer.replicas": "airflow:triggererReplicas",
    "triggerer.safeToEvict": "nothing: an eviction must not stop it",
    "triggerer.waitForMigrations": "nothing: the program migrates before the release",
    "useStandardNaming": "nothing: the names of the Services are fixed",
    "webserverSecretKey": "airflow:apiSecretKey",
    "webserverSecretKeySecretName": "airflow:apiSecretKey",
    "workers.celery.hpa": "airflow:workerScaling",
    "workers.celery.keda": "airflow:workerScaling and airflow:workerMaxReplicas",
    "workers.celery.persistence": "airflow:taskLogs",
    "workers.celery.replicas": "airflow:workerReplicas",
    "workers.celery.safeToEvict": "nothing: an eviction must not kill a task",
    "workers.celery.terminationGracePeriodSeconds": "airflow:workerGraceSeconds",
    "workers.celery.waitForMigrations": "nothing: the program migrates before the release",
    "workers.hpa": "airflow:workerScaling",
    "workers.keda": "airflow:workerScaling and airflow:workerMaxReplicas",
    "workers.kubernetes.safeToEvict": "nothing: an eviction must not kill a task",
    "workers.kubernetes.terminationGracePeriodSeconds": "airflow:workerGraceSeconds",
    "workers.terminationGracePeriodSeconds": "airflow:workerGraceSeconds",
}
"""Paths that the program sets itself, each with the config key to use instead."""

FREE: Final = ("dags.gitSync.resources",)
"""Paths below an owned one that users may set."""

APPENDED: Final = (
    "env",
    "apiServer.env",
    "scheduler.env",
    "dagProcessor.env",
    "triggerer.env",
    "workers.celery.env",
    "workers.kubernetes.env",
    "databaseCleanup.env",
    "apiServer.extraVolumes",
    "apiServer.extraVolumeMounts",
    "scheduler.extraVolumes",
    "scheduler.extraVolumeMounts",
    "pgbouncer.extraVolumes",
    "pgbouncer.extraVolumeMounts",
    "dagProcessor.extraVolumes",
    "dagProcessor.extraVolumeMounts",
    "triggerer.extraVolumes",
    "triggerer.extraVolumeMounts",
    "workers.celery.extraVolumes",
    "workers.celery.extraVolumeMounts",
    "workers.kubernetes.extraVolumes",
    "workers.kubernetes.extraVolumeMounts",
)
"""Lists that the program fills too: a user's entries are appended to the program's."""

BUDGETED: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", "pgbouncer", "workers.celery")
"""Components with a disruption budget, which users may change."""

SELECTED_LABELS: Final = ("tier", "release", "component")
"""Pod labels that network policies select by; the chart sets them."""

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
    "AIRFLOW__LOGGING__REMOTE_",
    CONNECTION_VARIABLE,
)
"""Prefixes of variables that the program sets, or deliberately withholds from a container."""


def problems(
    helm_values: Mapping[str, Any], chart_values: Mapping[str, Any], chart_schema: Mapping[str, Any]
) -> list[str]:
    """Return what is wrong with `helm_values`, a sentence each.

    `chart_values` and `chart_schema` are the chart's values.yaml and values.schema.json. A key that is in neither is an
    error wherever values.yaml lists keys; the schema also has keys without a default.
    """
    found = []
    for path in _paths(helm_values):
        owner = _owner(path)
        if owner is not None:
            found.append(f"{path} is set by the program; use {owner}")
        elif _holds_own(path) and not isinstance(_get(helm_values, path), Mapping):
            found.append(f"{path} holds values that the program sets; give a map of the others")
        elif path.endswith(tuple(f"labels.{label}" for label in SELECTED_LABELS)):
            found.append(f"{path} is set by the chart, and network policies tell pods apart by it")
    found += [f"{path} is not a value of the chart" for path in _unknown(helm_values, chart_values, chart_schema)]
    return found + _managed_variables(helm_values) + _contradictory_budgets(helm_values)


def with_helm_values(values: Mapping[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with the user's on top. Lists in `APPENDED` grow, others are replaced. Assumes no `problems`."""
    result = _with_one_budget(merged(values, helm_values), helm_values)
    for path in APPENDED:
        own, users = _get(values, path), _get(helm_values, path)
        if isinstance(own, list):
            result = merged(result, _nested(path, [*own, *(users or ())]))
    return result


def _with_one_budget(values: dict[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what would give a pod two budgets, or a budget two limits: Kubernetes accepts neither."""
    for component in BUDGETED:
        config = _get(helm_values, f"{component}.podDisruptionBudget.config")
        if isinstance(config, Mapping) and config.get("minAvailable") is not None:
            # Null, because the chart's default would apply to a missing key.
            values = merged(values, _nested(f"{component}.podDisruptionBudget.config.maxUnavailable", None))
    users = _get(helm_values, "workers.celery.podDisruptionBudget.enabled")
    if _get(values, "workers.celery.sets") and users is None and _get(values, "workers.celery.podDisruptionBudget"):
        # The budget of the default workers also selects the pods of all sets, and each set would get its own budget.
        values = merged(values, _nested("workers.celery.podDisruptionBudget.enabled", False))
    return values


def _contradictory_budgets(helm_values: Mapping[str, Any]) -> list[str]:
    found = []
    for component in BUDGETED:
        config = _get(helm_values, f"{component}.podDisruptionBudget.config")
        if isinstance(config, Mapping) and {"minAvailable", "maxUnavailable"} <= config.keys():
            found.append(f"{component}.podDisruptionBudget.config: give one of minAvailable and maxUnavailable")
    return found


def _owner(path: str) -> str | None:
    if path.startswith(FREE):
        return None
    parts = path.split(".")
    return next((OWNED[".".join(parts[:n])] for n in range(1, len(parts) + 1) if ".".join(parts[:n]) in OWNED), None)


def _holds_own(path: str) -> bool:
    return any(own.startswith(f"{path}.") for own in (*OWNED, *APPENDED))


def _paths(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted paths of all leaves; a list or an empty map is a leaf."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from _paths(value, f"{path}.")
        else:
            yield path


def _unknown(
    values: Mapping[str, Any], known: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = ""
) -> Iterator[str]:
    properties = schema.get("properties", {})
    for key, value in values.items():
        path = f"{prefix}{key}"
        if key not in known and key not in properties:
            # airflow.cfg has more sections and options than the chart's defaults.
            if not path.startswith("config."):
                yield path
        elif isinstance(value, Mapping) and isinstance(known.get(key), Mapping) and known[key]:
            yield from _unknown(value, known[key], properties.get(key, {}), f"{path}.")


def _managed_variables(helm_values: Mapping[str, Any]) -> list[str]:
    """Return managed variables in lists of variables, in templates, and as options of airflow.cfg."""
    set_at = [*_variables(helm_values), *_options(helm_values)]
    for path in ("extraEnv", "extraEnvFrom", "podTemplate"):
        text = str(helm_values.get(path) or "")
        set_at += [(path, name) for name in MANAGED_VARIABLES if name in text]
    managed = [(path, name) for path, name in set_at if name.startswith(MANAGED_VARIABLES) and _owner(path) is None]
    return [f"{path} may not set {name}: the program does" for path, name in managed]


def _options(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and variable of each option of airflow.cfg."""
    config = helm_values.get("config")
    for section, options in (config if isinstance(config, Mapping) else {}).items():
        for option in options if isinstance(options, Mapping) else ():
            yield f"config.{section}.{option}", f"AIRFLOW__{section}__{option}".upper()


def _variables(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and name of each list entry with a name, at any depth; every variable is such an entry."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _variables(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping):
                yield from ((path, str(item[field])) for field in ("name", "envName") if field in item)
            yield from _variables(item, path)


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
