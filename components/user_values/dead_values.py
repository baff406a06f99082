"""Values of the chart that have no effect beside what the program sets. Each is refused, with what to use instead.

A test renders the chart with a mark in every value, and compares this table with the marks that are not found again
(tests/components/user_values/test_dead_values.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from components.chart_values.owned_values import owner
from components.chart_values.value_paths import under

_POOL: Final = "airflow:pgbouncerPoolSize"
_CLIENTS: Final = "airflow:pgbouncerMaxClientConnections"
_INI: Final = "nothing: the program writes pgbouncer.ini"
_SECRET: Final = "nothing: the program makes this Secret"
_POLICY: Final = "a NetworkPolicy of your own in the namespace: policies add up"
_NO_WEBSERVER: Final = "Airflow 3 has no webserver"

DEAD: Final[Mapping[str, str]] = {
    # The program sets securityContexts, which win.
    "uid": "securityContexts.pod.runAsUser, and statsd, redis and pgbouncer .securityContexts.pod.runAsUser",
    "gid": "securityContexts.pod.runAsGroup and securityContexts.pod.fsGroup",
    "statsd.uid": "statsd.securityContexts.pod.runAsUser",
    "redis.uid": "redis.securityContexts.pod.runAsUser",
    "pgbouncer.uid": "pgbouncer.securityContexts.pod.runAsUser",
    # It makes the Secrets.
    "fernetKeySecretAnnotations": _SECRET,
    "apiSecretAnnotations": _SECRET,
    "jwtSecretAnnotations": _SECRET,
    "webserverSecretAnnotations": _SECRET,
    "redis.passwordSecretAnnotations": _SECRET,
    "pgbouncer.configSecretAnnotations": _SECRET,
    "pgbouncer.certificatesSecretAnnotations": "nothing: there is no such Secret, see airflow:databaseCaCertificate",
    "pgbouncer.metricsExporterSidecar.statsSecretAnnotations": _SECRET,
    "registry": "airflow:registryCredentials, or airflow:imagePullSecrets for Secrets that exist",
    # It makes the network policies, and switches the chart's off.
    "apiServer.networkPolicy": "airflow:uiNamespaces and airflow:uiCidrs",
    "flower.networkPolicy": _POLICY,
    "flower.extraNetworkPolicies": _POLICY,
    "otelCollector.extraNetworkPolicies": _POLICY,
    "pgbouncer.extraNetworkPolicies": f"airflow:metricsNamespaces, or {_POLICY}",
    "statsd.extraNetworkPolicies": f"airflow:metricsNamespaces, or {_POLICY}",
    # It writes pgbouncer.ini.
    "pgbouncer.metadataPoolSize": _POOL,
    "pgbouncer.resultBackendPoolSize": _POOL,
    "pgbouncer.maxClientConn": _CLIENTS,
    "pgbouncer.sslmode": "airflow:databaseSslMode",
    "pgbouncer.ssl": "airflow:databaseSslMode and airflow:databaseCaCertificate",
    "pgbouncer.metricsExporterSidecar.sslmode": "nothing: the exporter asks PgBouncer in its own pod",
    "pgbouncer.auth_type": _INI,
    "pgbouncer.auth_file": _INI,
    "pgbouncer.verbose": _INI,
    "pgbouncer.logConnections": _INI,
    "pgbouncer.logDisconnections": _INI,
    "pgbouncer.ciphers": _INI,
    "pgbouncer.extraIni": f"{_POOL} and {_CLIENTS}: the program writes pgbouncer.ini",
    "pgbouncer.extraIniMetadata": f"{_POOL}: the program writes pgbouncer.ini",
    "pgbouncer.extraIniResultBackend": f"{_POOL}: the program writes pgbouncer.ini",
    # It makes Deployments of these, never StatefulSets.
    "scheduler.updateStrategy": "scheduler.strategy",
    "triggerer.updateStrategy": "triggerer.strategy",
    # Nothing outside the stack may use its Redis.
    "redis.service.nodePort": "nothing: no pod outside the stack may use its Redis",
    # They belong to Airflow 2.
    "ingress.web": "airflow:ingressHost and airflow:ingressAnnotations",
    "webserver.webserverConfig": "apiServer.apiServerConfig",
    "webserver.webserverConfigConfigMapName": "apiServer.apiServerConfigConfigMapName",
    "webserver.defaultUser": "airflow:adminUsername and airflow:adminPassword",
    "webserver.allowPodLogReading": "apiServer.allowPodLogReading",
}
"""Paths, each with what to use instead. What is below one is as dead."""


def dead_instead(path: str, schema: Mapping[str, Any]) -> str | None:
    """Return what to use instead of a value without effect, or None for one that has an effect."""
    root = under(path, DEAD)
    if root is not None:
        return DEAD[root]
    first, _, rest = path.partition(".")
    if first != "webserver":
        return None
    key = rest.partition(".")[0]
    if key not in schema["properties"]["apiServer"]["properties"]:
        return f"apiServer: {_NO_WEBSERVER}"
    new = f"apiServer.{rest}".replace(".securityContexts.containers", ".securityContexts.container")
    dead = under(new, DEAD)
    return f"{owner(new) or (DEAD[dead] if dead else new)}: {_NO_WEBSERVER}"
