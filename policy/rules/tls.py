"""Servers prove who they are: TLS to the database, host keys of the DAG repository."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from components.dags.git_repository import parse_git_repository
from components.dags.known_hosts import check_known_hosts
from components.database.uri import POSTGRES, read_database_uri
from components.kube.any_form import entries, mapping
from components.secrets.shapes import harmless
from policy.chart import GIT_SYNC, airflow_values
from policy.context import Context
from policy.convert import secret_data
from policy.model import UNKNOWN, Finding, JudgedResource, Level, RenderedObject, get, has_unknown
from policy.pods import containers
from policy.rule import Rule

_PARAMETER_GROUP: Final = "aws:rds/parameterGroup:ParameterGroup"
_FORCE_SSL: Final = "rds.force_ssl"
_ENCRYPTED: Final = ("require", "verify-ca", "verify-full")
_VERIFIED: Final = ("verify-ca", "verify-full")
_IN_CLUSTER: Final = re.compile(r"[^.:]+|.+\.svc(\.cluster\.local)?|127\.[0-9.]+|::1|localhost")
"""Hosts that are reached without leaving the cluster: a short name is one of the namespace's Services."""
_CONNECTION: Final = "AIRFLOW_CONN_"
"""Begins the data key of a team's own connection, whose server may have no TLS."""
_KNOWN_HOSTS_VARIABLES: Final = ("GITSYNC_SSH_KNOWN_HOSTS", "GIT_KNOWN_HOSTS")
_SSH_KEY: Final = "gitSshKey"
_OFF: Final = ("false", "no", "off", "0")


# TLS to the database


def database_modes(data: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (data key, sslmode) of each PostgreSQL connection that leaves the cluster; "" if it has no sslmode.

    These are the stack's own connections, to the metadata database.
    """
    for key, text in data.items():
        if key.startswith(_CONNECTION):
            continue
        for line in text.splitlines():
            mode = _mode_of_uri(line.strip())
            if mode is not None:
                yield key, mode
        if re.search(r"^\[databases\]\s*$", text, re.MULTILINE):
            yield from ((key, mode) for mode in _modes_of_ini(text))


def _mode_of_uri(text: str) -> str | None:
    # `db+` is Celery's own in front of a result backend (docs.celeryq.dev, "Database backend settings").
    uri = read_database_uri(text.removeprefix("db+"))
    if uri is None or uri.dialect not in POSTGRES or _IN_CLUSTER.fullmatch(uri.host):
        return None
    return uri.parameter("sslmode", "ssl")


def _modes_of_ini(text: str) -> Iterator[str]:
    """Yield the modes of PgBouncer's configuration, whose default is `prefer` (pgbouncer.org/config.html)."""
    hosts = re.findall(r"^[^;#\n]*\bhost\s*=\s*'?([^'\s]+)", text, re.MULTILINE)
    if any(not _IN_CLUSTER.fullmatch(host) for host in hosts):
        modes = re.findall(r"^\s*server_tls_sslmode\s*=\s*(\S+)", text, re.MULTILINE)
        yield modes[-1] if modes else ""


def _unencrypted(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        if rendered.kind == "Secret":
            for key, mode in database_modes(secret_data(rendered)):
                if mode not in _ENCRYPTED:
                    found = f"sslmode {harmless(mode)}" if mode else "no sslmode"
                    yield Finding.about(rendered, f"{key}: expected TLS to the database, found {found}")


def _unverified(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        if rendered.kind == "Secret":
            for key, mode in database_modes(secret_data(rendered)):
                if mode in _ENCRYPTED and mode not in _VERIFIED:
                    yield Finding.about(rendered, f"{key}: sslmode {mode} does not verify the certificate")


def _not_forced(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    family = resource.inputs.get("family")
    if resource.type != _PARAMETER_GROUP or not isinstance(family, str) or not family.startswith("postgres"):
        return
    parameters = resource.inputs.get("parameters")
    values = [entry.get("value") for entry in entries(parameters) if entry.get("name") == _FORCE_SSL]
    if values != ["1"] and not has_unknown(parameters):
        yield Finding(message=f"{_FORCE_SSL} is not 1: the database takes connections without TLS")


# Host keys


def _unpinned_release(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    values = airflow_values(resource)
    if values is None or get(values, f"{GIT_SYNC}.enabled") is not True:
        return
    repository, lines = get(values, f"{GIT_SYNC}.repo"), get(values, f"{GIT_SYNC}.knownHosts")
    with_key = get(values, f"{GIT_SYNC}.sshKeySecret") or get(values, f"{GIT_SYNC}.sshKey")
    over_ssh = isinstance(repository, str) and not repository.startswith(("https://", "http://"))
    if lines is UNKNOWN or not (with_key or over_ssh):
        return
    path = f"values.{GIT_SYNC}.knownHosts"
    if not isinstance(lines, str) or not lines.strip():
        yield Finding(message=f"{path} is empty: any server is taken for the Git host")
    elif over_ssh:
        problem = _known_hosts_problem(lines, str(repository))
        if problem:
            yield Finding(message=f"{path}: {problem}")


def _known_hosts_problem(lines: str, repository: str) -> str | None:
    try:
        parsed = parse_git_repository(repository)
        check_known_hosts(lines, parsed.host, parsed.port)
    except ValueError as error:
        return str(error)
    return None


def _unpinned_objects(objects: Sequence[RenderedObject], context: Context) -> Iterator[Finding]:
    for rendered in objects:
        for container in containers(rendered):
            for variable in entries(container.body.get("env")):
                name, value = variable.get("name"), str(variable.get("value"))
                if name in _KNOWN_HOSTS_VARIABLES and value.lower() in _OFF:
                    yield Finding.about(rendered, f"container {container.name}: {name} is {value}: no host is checked")
                elif name == "GIT_SSH_COMMAND" and re.search(r"StrictHostKeyChecking[= ](no|off)\b", value):
                    yield Finding.about(rendered, f"container {container.name}: {name} checks no host")
        if rendered.kind == "Secret":
            yield from (Finding.about(rendered, message) for message in _unpinned_secret(rendered))


def _unpinned_secret(rendered: RenderedObject) -> Iterator[str]:
    data = secret_data(rendered)
    unknown = (
        get(rendered.body, "stringData.known_hosts") is UNKNOWN or get(rendered.body, "data.known_hosts") is UNKNOWN
    )
    if _SSH_KEY in data and not unknown and not data.get("known_hosts", "").strip():
        yield "has an SSH key and no known_hosts: any server is taken for the Git host"
    for key, text in data.items():
        connection = _json(text)
        extra = connection.get("extra")
        if connection.get("conn_type") != "git" or not isinstance(extra, Mapping) or "key_file" not in extra:
            continue
        if extra.get("strict_host_key_checking") != "yes" or not extra.get("known_hosts_file"):
            yield f"{key}: the Git connection does not check the host's key"


def _json(text: str) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(text)) if text.lstrip().startswith("{") else {}
    except ValueError:
        return {}


RULES: Final = (
    Rule(
        id="database-tls",
        description="Every connection to the database that leaves the cluster is encrypted, and RDS accepts no other.",
        remedy="Set airflow:databaseSslMode to verify-full, or to require.",
        source="https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION",
        resource=_not_forced,
        objects=_unencrypted,
    ),
    Rule(
        id="database-tls-verified",
        description="The database's TLS certificate is verified.",
        remedy="Set airflow:databaseSslMode to verify-full, and airflow:databaseCaCertificate.",
        source="https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION",
        level=Level.ADVISORY,
        objects=_unverified,
    ),
    Rule(
        id="known-hosts-pinned",
        description="An SSH repository of DAGs is fetched only from a host whose key is pinned.",
        remedy="Set airflow:gitKnownHosts to the host's keys. Compare their fingerprints with the published ones.",
        source="https://airflow.apache.org/docs/helm-chart/stable/production-guide.html#knownhosts",
        resource=_unpinned_release,
        objects=_unpinned_objects,
    ),
)
