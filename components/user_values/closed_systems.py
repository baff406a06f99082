"""Finds systems that Helm values name and that the network policies close to the pods."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from components.chart_values.given_options import given_options
from components.chart_values.value_paths import at, leaves
from components.user_values.airflow_options import variable_of
from components.user_values.surroundings import Surroundings
from components.user_values.yaml_texts import given_variables

STATSD: Final = "airflow-statsd"
"""The chart's own statsd."""
STATSD_OPTION: Final = "config.metrics.statsd"
"""The options of the system that gets metrics, without _host and _port."""
_HOSTS: Final[Mapping[str, tuple[str, str, int]]] = {
    STATSD_OPTION: (STATSD, "UDP", 9125),
    "config.metrics.otel": ("", "TCP", 4318),
    "config.traces.otel": ("", "TCP", 4318),
}
"""Options without _host and _port: the chart's own host, the protocol, and the port where none is given."""
_ELSEWHERE: Final = "valueFrom"
_SEARCH_PORT: Final = 9200
"""The chart's default for Elasticsearch and OpenSearch."""
_LOCAL: Final = ("localhost", "127.0.0.1")
NOT_OFF: Final = "is refused while airflow:networkIsolation is not off"
_USUAL_PORTS: Final = {"http": 80, "https": 443, "ldap": 389, "ldaps": 636}
_SERVER_CONFIG: Final = "apiServer.apiServerConfig"
_SIDECARS: Final[Mapping[str, tuple[str, tuple[str, ...], tuple[int, ...]]]] = {
    "sidecar.istio.io/inject": ("Istio", ("true",), (15012,)),
    "linkerd.io/inject": ("Linkerd", ("enabled", "ingress"), (8080, 8086, 8090)),
}
"""Labels and annotations of pods: the mesh, the values that ask for its sidecar, and the ports that this needs."""
_LINEAGE: Final = ("OPENLINEAGE_URL",)
_TRACES: Final = tuple(f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_"))
"""Variables that OpenTelemetry reads once Airflow has it on; without it, they are of a task's own code."""
_OF_ALL: Final = ("env", "extraEnv")
_ALL_PODS: Final = ("airflowPodAnnotations.", "labels.")
_LDAP: Final = re.compile(r"AUTH_LDAP_SERVER\s*=\s*[\"'](ldaps?://[^\s\"']+)")


def closed_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value that names a system which no pod that needs it may send to.

    Only for a stack with network policies.
    """
    for option, (own, protocol, port) in _HOSTS.items():
        for path, host in named_hosts(helm_values, option):
            ports = [value for _, value in given_options(helm_values, f"{option}_port")] or [port]
            if not is_own(host, own) and not _opened(surroundings, protocol, ports):
                yield (
                    path,
                    f"{path} {NOT_OFF}: pods may send metrics to the chart's statsd only; open {protocol} port "
                    f"{ports[0]} of the other system to all components in airflow:extraEgress, or let that system "
                    "scrape port 9102 of airflow-statsd from a namespace in airflow:metricsNamespaces",
                )
    for name in ("elasticsearch", "opensearch"):
        given = str(at(helm_values, f"{name}.connection.port") or "")
        port = int(given) if given.isdecimal() else _SEARCH_PORT
        if at(helm_values, f"{name}.enabled") and not surroundings.api_server_may_send(port):
            yield (
                f"{name}.enabled",
                f"{name}.enabled {NOT_OFF}: the API server reads task logs from it, and may not send to port {port}; "
                f"open TCP port {port} to api-server in airflow:extraEgress",
            )
    for path, kwargs in given_options(helm_values, "config.secrets.backend_kwargs"):
        needed = _port(_url_in(kwargs))
        if needed is not None and not surroundings.api_server_may_send(needed):
            yield (
                path,
                f"{path} {NOT_OFF}: the API server reads connections from this secrets backend, and may not send to "
                f"port {needed}; open TCP port {needed} to all components in airflow:extraEgress",
            )
    for path, transport in given_options(helm_values, "config.openlineage.transport"):
        needed = _port(_url_in(transport))
        if needed is not None and not surroundings.may_send("TCP", needed):
            yield (
                path,
                f"{path} {NOT_OFF}: the scheduler sends events too, and may not send to port {needed}; open TCP port "
                f"{needed} to all components in airflow:extraEgress",
            )
    yield from _exporter_problems(helm_values, surroundings)
    yield from _sidecar_problems(helm_values, surroundings)
    for url in _LDAP.findall(str(at(helm_values, _SERVER_CONFIG) or "")):
        needed = _port(url)
        if needed is not None and not surroundings.api_server_may_send(needed):
            yield (
                _SERVER_CONFIG,
                f"{_SERVER_CONFIG} {NOT_OFF}: it names an LDAP server, and the API server may not send to port "
                f"{needed}; open TCP port {needed} to api-server in airflow:extraEgress",
            )


def _exporter_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield variables of every pod with the address to which all components send, not those of workers alone."""
    traced = any(
        str(value).lower() in ("true", "t", "1")
        for option in ("config.traces.otel_on", "config.metrics.otel_on")
        for _, value in given_options(helm_values, option)
    )
    for path, name, url in given_variables(helm_values):
        needed = _port(str(url)) if path in _OF_ALL and name in (*_LINEAGE, *(_TRACES if traced else ())) else None
        inside = needed is None or is_own(urlsplit(str(url)).hostname or "", "")
        if needed is not None and not inside and not surroundings.may_send("TCP", needed):
            yield (
                f"{path} {name}",
                f"{path} sets {name}, which {NOT_OFF}: the scheduler sends there too, and may not send to port "
                f"{needed}; open TCP port {needed} to all components in airflow:extraEgress",
            )


def _sidecar_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield what asks for a sidecar of a mesh that its control plane could not configure: nothing would pass it."""
    for path, value in leaves(helm_values):
        for name, (mesh, asking, ports) in _SIDECARS.items():
            if not path.endswith(f".{name}") or str(value).lower() not in asking:
                continue
            if path.startswith(_ALL_PODS):
                yield (
                    path,
                    f"{path} {NOT_OFF}: the program's Jobs would get a sidecar of {mesh} too, and may not reach its "
                    "control plane; use podAnnotations of the components",
                )
            elif not all(surroundings.may_send("TCP", port) for port in ports):
                told = " and ".join(map(str, ports))
                yield (
                    path,
                    f"{path} {NOT_OFF}: a sidecar of {mesh} may not reach its control plane; open TCP port {told} to "
                    "all components in airflow:extraEgress",
                )


def _url_in(text: Any) -> str:
    """Return the entry `url` of an option whose value is JSON, or ""."""
    with suppress(ValueError, AttributeError, TypeError):
        found = text if isinstance(text, Mapping) else json.loads(text)
        return str(found.get("url") or "")
    return ""


def _port(url: str) -> int | None:
    """Return the port of a URL; None if it has none, and its scheme no usual one."""
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.port or _USUAL_PORTS.get(parts.scheme)
    return None


def _opened(surroundings: Surroundings, protocol: str, ports: list[Any]) -> bool:
    return all(str(port).isdecimal() and surroundings.may_send(protocol, int(port)) for port in ports)


def named_hosts(helm_values: Mapping[str, Any], option: str) -> list[tuple[str, str]]:
    """Return path and host of each place that names the host of a system.

    option: without its `_host`, such as config.metrics.statsd.
    """
    variable = variable_of(f"{option.removeprefix('config.')}_host")
    given = [*given_options(helm_values, f"{option}_host")]
    # The address of the node, or what a Secret has, is never the chart's own.
    given += [
        (path, _ELSEWHERE) for path, name, host in given_variables(helm_values) if name == variable and host is None
    ]
    return [(path, host) for path, host in given if isinstance(host, str) and host]


def is_own(host: str, own: str) -> bool:
    """Return whether a host is in the pod itself, or is the Service of the chart with the name `own`."""
    name = host.partition(".")[0]
    return host in _LOCAL or (own != "" and (name == own or f'"%s-{own.removeprefix("airflow-")}"' in host))
