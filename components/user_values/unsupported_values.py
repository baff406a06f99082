"""Values that work in the chart but not in this deployment, because the typed settings contradict them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from components.chart_values.given_options import given_options
from components.chart_values.value_paths import at, leaves, without_numbers
from components.database.client_certificate import CLIENT_VARIABLES
from components.kube.any_form import entries, mapping
from components.texts import fields
from components.user_values.closed_systems import (
    NOT_OFF,
    STATSD,
    STATSD_OPTION,
    closed_problems,
    is_own,
    named_hosts,
)
from components.user_values.dag_values import dag_problems
from components.user_values.surroundings import Surroundings
from components.user_values.yaml_texts import given_variables

FAB: Final = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
_OPEN: Final = "or set airflow:networkIsolation to off"

_SWITCHES: Final[Mapping[str, str]] = {
    "flower.enabled": "Flower would have no network policy and no login; use Airflow's UI, which shows queues",
    "otelCollector.tracesEnabled": "the collector has no network policy, and its pod no restricted security context; "
    "use statsd's metrics",
    "otelCollector.metricsEnabled": "the collector has no network policy, and its pod no restricted security context; "
    "use statsd's metrics",
    "cleanup.enabled": "its pods have no network policy; leave it out: Airflow deletes "
    "finished task pods itself (config.kubernetes_executor.delete_worker_pods)",
}
"""What has to be off, each with the reason."""
_SERVER_CONFIG: Final = ("apiServer.apiServerConfig", "apiServer.apiServerConfigConfigMapName")
_PUBLIC_ROLE: Final = re.compile(r"(?m)^\s*AUTH_ROLE_PUBLIC\s*=\s*[\"']([^\"'\n]*)[\"']")
_PIP: Final = "_PIP_ADDITIONAL_REQUIREMENTS"
_ADDRESS: Final = "airflow:ingressHost and airflow:ingressPath"
_TRUST: Final = "FORWARDED_ALLOW_IPS"
_TLS: Final = re.compile("ssl|tls|cert")
"""A part of the names of such annotations, as in service.beta.kubernetes.io/aws-load-balancer-ssl-cert."""
_STATSD_PORT: Final = "9125"
_IN_TEXT: Final = re.compile(
    r"databaseCleanup\.batchSize|statsd\.cache\.size|.+\.logGroomerSidecar\.(retention\w+|frequencyMinutes|maxSizePercent)"
)
"""Numbers that the chart writes into commands and variables. A test finds them by rendering (test_null_values.py)."""
_MOST_IN_TEXT: Final = 999_999
_CONFIG_MAPS: Final = ("airflow-config", "airflow-statsd", "airflow-api-server-config")
"""Those of the chart, whatever else is switched on: the plan finds every object that is there twice."""
_REDELIVERY: Final = "config.celery_broker_transport_options.visibility_timeout"
_BASE_URL: Final = "config.api.base_url"
_AFTER: Final = "ingress.apiServer.succeedingPaths"
_SERVICE_PORTS: Final = "apiServer.service.ports"
_API_SERVER_PORTS: Final = ("8080", "{{ .Values.ports.apiServer }}")
_SERVICE_TYPES: Final = ("LoadBalancer", "NodePort")


def unsupported_problems(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value that cannot work here."""
    yield from _auth_manager(helm_values)
    if surroundings.oidc:
        for path in _SERVER_CONFIG:
            if at(helm_values, path):
                yield (
                    path,
                    f"{path} may not be set beside airflow:oidcIssuer, which writes this file; use one of the two",
                )
    yield from _public_role(helm_values, surroundings)
    if at(helm_values, "apiServer.hpa.enabled") and not surroundings.with_requests:
        requests = at(helm_values, "apiServer.resources.requests.cpu")
        if not requests and at(helm_values, "apiServer.hpa.metrics") is None:
            yield (
                "apiServer.hpa.enabled",
                "apiServer.hpa.enabled counts from the requests of CPU, and there are none; set "
                "apiServer.resources.requests.cpu beside it, or airflow:size",
            )
    yield from _service_type(helm_values, surroundings)
    yield from _address(helm_values)
    yield from _service_ports(helm_values, surroundings)
    yield from _of_no_use(helm_values, surroundings)
    yield from dag_problems(helm_values, surroundings)
    if surroundings.ingress:
        yield from _behind_ingress(helm_values)
    if surroundings.secrets_in_aws:
        for option in ("config.secrets.backend", "config.secrets.backend_kwargs"):
            for path, _ in given_options(helm_values, option):
                yield (
                    path,
                    f"{path} may not set a secrets backend beside airflow:secretsManagerPrefix, which gives one to API "
                    "server, DAG processor and triggerer; use one of the two",
                )
    for path, name, _ in given_variables(helm_values) if surroundings.client_certificate else ():
        if name in CLIENT_VARIABLES:
            problem = f"{path} may not set {name} beside airflow:databaseClientCertificateSecret; use one of the two"
            yield f"{path} {name}", problem
    if not surroundings.isolated:
        return
    for path in dict.fromkeys(path for path, name, _ in given_variables(helm_values) if name == _PIP):
        yield (
            f"{path} {_PIP}",
            f"{path} may not set {_PIP}: the network policies keep pods of the scheduler and of the Jobs from every "
            "package index, and each start would wait for one; use an image with the packages (docs/image.md)",
        )
    for path, why in _SWITCHES.items():
        part, _, switch = path.partition(".")
        # Alone, the rest would be refused without this switch.
        whole = switch == "enabled" and set(mapping(helm_values.get(part))) - {switch}
        if whole or at(helm_values, path):
            told = part if whole else path
            yield told, f"{told} {NOT_OFF}: {why}, {_OPEN}"
    yield from closed_problems(helm_values, surroundings)


def _of_no_use(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield what would have no effect in this deployment, or one that nobody may want."""
    if at(helm_values, "priorityClasses"):
        yield (
            "priorityClasses",
            "priorityClasses are of the whole cluster, and the releases of two stacks would contend for them; make "
            "them with kubectl, and name them in priorityClassName of the components",
        )
    tag = str(at(helm_values, "images.gitSync.tag") or "")
    if re.match(r"v?[0-3]\.", tag) and at(helm_values, "images.gitSync.repository") is None:
        yield (
            "images.gitSync.tag",
            f"images.gitSync.tag: expected git-sync 4, whose variables the chart and the program set, found {tag}; "
            "leave it out, or set one of 4",
        )
    for path in (f"extraConfigMaps.{name}" for name in mapping(helm_values.get("extraConfigMaps"))):
        if re.sub(r"\{\{\s*\.Release\.Name\s*\}\}", "airflow", path.partition(".")[2]) in _CONFIG_MAPS:
            yield path, f"{path} is the name of a ConfigMap of the chart; give yours another name"
    for index, entry in enumerate(at(helm_values, "env") or ()):
        if isinstance(entry, Mapping) and "valueFrom" in entry:
            path = f"env.{index}.valueFrom"
            yield path, f"{path}: the chart takes name and value alone here; use extraEnv, or env of the components"
    if at(helm_values, "redis.service.type") not in (None, "ClusterIP"):
        yield "redis.service.type", "redis.service.type: nothing outside the stack may use its Redis; leave it out"
    for name in ("apiServer", "scheduler", "dagProcessor"):
        if at(helm_values, f"{name}.enabled") is False:
            yield f"{name}.enabled", f"{name}.enabled: Airflow does not work without it; to pause, use airflow:running"
    for path, value in leaves(mapping(helm_values.get("config")), "config"):
        if isinstance(value, str) and "\n" in value.strip():
            yield path, f"{path} has several lines, and airflow.cfg would take the others for options; write it in one"
    for path, seconds in given_options(helm_values, _REDELIVERY):
        if str(seconds).isdecimal() and int(seconds) < surroundings.worker_grace_seconds:
            yield (
                path,
                f"{path}: expected at least airflow:workerGraceSeconds, {surroundings.worker_grace_seconds}, found "
                f"{seconds}: a task that takes longer would be started a second time; leave it out for a day",
            )
    for path, number in leaves(helm_values):
        large = isinstance(number, int | float) and number > _MOST_IN_TEXT
        if large and _IN_TEXT.fullmatch(without_numbers(path)):
            yield (
                path,
                f"{path}: expected at most {_MOST_IN_TEXT}, because Helm writes a larger number as 1e+06, which the "
                f"command cannot read, found {number}",
            )
    for path, port in given_options(helm_values, "config.metrics.statsd_port"):
        hosts = named_hosts(helm_values, STATSD_OPTION)
        if str(port) != _STATSD_PORT and all(is_own(host, STATSD) for _, host in hosts):
            yield path, f"{path}: the chart's statsd listens at port {_STATSD_PORT} only; leave it out"
    if at(helm_values, "ingress.flower.enabled") and not at(helm_values, "flower.enabled"):
        yield "ingress.flower.enabled", "ingress.flower.enabled has no effect without flower.enabled; leave it out"
    if not surroundings.isolated:
        return
    for name in ("statsd", "pgbouncer"):
        if at(helm_values, f"ingress.{name}.enabled") and not surroundings.metrics_readable:
            yield (
                f"ingress.{name}.enabled",
                f"ingress.{name}.enabled {NOT_OFF}: nobody may read metrics; name the namespace of the ingress "
                "controller in airflow:metricsNamespaces",
            )


def _service_type(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    path = "apiServer.service.type"
    kind = at(helm_values, path)
    given = at(helm_values, "apiServer.service.annotations")
    ended = isinstance(given, Mapping) and any(_TLS.search(str(name)) for name in given)
    closed = surroundings.isolated and not surroundings.ui_reachable
    # A load balancer of an Ingress, which ends TLS, may reach the pods by a port of the nodes.
    plain = surroundings.protected and not ended and not (kind == "NodePort" and surroundings.ingress)
    if kind not in _SERVICE_TYPES or not (closed or plain):
        return
    why = ["nobody may call the API server from outside"] if closed else []
    why += ["passwords would go over plain HTTP"] if plain else []
    beside = ["airflow:uiCidrs"] if closed else []
    beside += ["the annotation by which the load balancer ends TLS"] if plain else []
    yield (
        path,
        f"{path} {kind} is refused: {', and '.join(why)}; use airflow:ingressHost, or {' and '.join(beside)} beside it",
    )


def _service_ports(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield the ports of the API server's Service where workers would not find it, or another port of its pods is."""
    ports = entries(at(helm_values, _SERVICE_PORTS))
    if not ports:
        return
    if surroundings.ingress:
        yield _SERVICE_PORTS, f"{_SERVICE_PORTS} is set by the program where there is an Ingress; leave it out"
    elif not any(str(port.get("port")) in _API_SERVER_PORTS for port in ports):
        yield (
            _SERVICE_PORTS,
            f"{_SERVICE_PORTS}: expected port 8080 among them, by which workers call the API server, found none; add "
            "{name: api-server, port: 8080, targetPort: api-server}",
        )
    elif any(str(port.get("targetPort", port.get("port"))) not in (*_API_SERVER_PORTS, "api-server") for port in ports):
        yield (
            _SERVICE_PORTS,
            f"{_SERVICE_PORTS}: the pods listen at 8080 only, and the network policies are made for it; set targetPort "
            "api-server for each",
        )


def _address(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each variable that moves the API server below a path of which the workers do not learn."""
    for path, url in given_options(helm_values, _BASE_URL):
        with suppress(ValueError):
            if path != _BASE_URL and urlsplit(str(url)).path.strip("/"):
                yield (
                    f"{path} AIRFLOW__API__BASE_URL",
                    f"{path} sets AIRFLOW__API__BASE_URL with a path, and the chart tells workers only the path of "
                    f"{_BASE_URL}; use that",
                )


def _behind_ingress(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what would contradict the Ingress of the stack."""
    for path, _ in given_options(helm_values, _BASE_URL):
        yield path, f"{path} sets the address of the UI, which the Ingress has; use {_ADDRESS}"
    for path, kind in given_options(helm_values, "config.api.server_type"):
        if kind == "gunicorn":
            yield path, f"{path} gunicorn believes the forwarded headers of everybody; leave it out, or set uvicorn"
    for path, name, _ in given_variables(helm_values):
        if name == _TRUST:
            yield f"{path} {name}", f"{path} may not set {name}: the program does; use airflow:trustedProxyCidrs"
    for index, entry in enumerate(entries(at(helm_values, _AFTER))):
        service = str(entry.get("serviceName"))
        if "api-server" in service or "apiServer" in service:
            yield (
                f"{_AFTER}.{index}",
                f"{_AFTER}.{index} leads to the API server, whose paths are all published but that of the workers; "
                "leave it out",
            )
    if at(helm_values, "apiServer.args") is not None:
        yield "apiServer.args", "apiServer.args is set by the program where there is an Ingress; use apiServer.env"


def _public_role(helm_values: Mapping[str, Any], surroundings: Surroundings) -> Iterator[tuple[str, str]]:
    """Yield each role by which everybody could change something without a login, pods of workers too."""
    text = str(at(helm_values, _SERVER_CONFIG[0]) or "")
    roles = [(_SERVER_CONFIG[0], role) for role in _PUBLIC_ROLE.findall(text)]
    for path, role in (*given_options(helm_values, "config.fab.auth_role_public"), *roles):
        if surroundings.protected and role not in ("", "Public", "Viewer"):
            yield (
                path,
                f"{path} gives the role {fields.shown(role)} to everybody without a login, pods that run tasks too; "
                "use Viewer, or airflow:oidcDefaultRole for people who log in",
            )


def _auth_manager(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, value in given_options(helm_values, "config.core.auth_manager"):
        if value != FAB:
            yield (
                path,
                f"{path} may not set another auth manager: the Jobs create a user of the FAB auth manager; use "
                "airflow:oidcIssuer for OpenID Connect, or apiServer.apiServerConfig for OAuth or LDAP, with it",
            )
