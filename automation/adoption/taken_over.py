"""The config that leaves a release's keys and database as they are, read from what its pods run with.

Only Secrets are read from the cluster. What the stack's config already says is kept; for keys and the database it must
say the same as the release.
"""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from automation.adoption.installed import RELEASE, InstalledRelease, SecretKey
from automation.results import Result
from components.chart_values.value_paths import at
from components.database.broker import BROKER_VARIABLE
from components.database.connection import SslMode
from components.database.uri import POSTGRES, URI_VARIABLE, read_database_uri
from components.kube.secret import Secret

ReadSecret = Callable[[str], Mapping[str, str]]

_KEYS: Final = {
    "fernetKey": ("scheduler", "AIRFLOW__CORE__FERNET_KEY"),
    "apiSecretKey": ("api-server", "AIRFLOW__API__SECRET_KEY"),
    "jwtSecret": ("api-server", "AIRFLOW__API_AUTH__JWT_SECRET"),
}
"""The component and the variable that hold a key, by config key."""
_REPLICAS: Final = {
    "apiServerReplicas": "api-server",
    "schedulerReplicas": "scheduler",
    "dagProcessorReplicas": "dag-processor",
    "triggererReplicas": "triggerer",
    "workerReplicas": "worker",
}
_POOLER: Final = f"{RELEASE}-pgbouncer"
_LOGIN: Final = re.compile(r"(?P<scheme>https?://)(?P<user>[^:/@]*)(?::(?P<token>[^/@]*))?@(?P<rest>.+)")
_TRUE: Final = ("true", "1", "t", "y", "yes", "on")


@dataclass(frozen=True, kw_only=True)
class TakenOver(Result):
    """One config value that a release decides, as it may be shown."""

    key: str
    """The config key, without `airflow:`."""
    source: str
    """Where in the release the value stands."""
    value: str
    """The value as text; `[secret]` for a secret."""
    must_stay: bool = False
    """Whether the release cannot be taken over with another value."""


@dataclass(frozen=True, kw_only=True)
class ReleaseConfig:
    """The config that a release decides."""

    values: Mapping[str, Any]
    """The values by config key, secret ones as `Secret`."""
    sources: Mapping[str, str]
    """Where in the release each value stands, by config key."""
    must_stay: frozenset[str]
    """The keys without whose values the release cannot be taken over."""
    problems: tuple[str, ...]
    """A sentence about each value that cannot be read."""

    def shown(self, key: str) -> TakenOver:
        """Return one value as it may be shown."""
        value = self.values[key]
        text = "[secret]" if isinstance(value, Secret) else str(value)
        return TakenOver(key=key, source=self.sources[key], value=text, must_stay=key in self.must_stay)


@dataclass
class _Reading:
    """The config as far as it has been read."""

    release: InstalledRelease
    read: ReadSecret
    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    must_stay: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def take(self, key: str, value: Any, source: str, *, must_stay: bool = False) -> None:
        self.values[key], self.sources[key] = value, source
        if must_stay:
            self.must_stay.add(key)

    def secret(self, variable: str, found: SecretKey | str | None, key: str) -> tuple[str, str]:
        """Return a value and its source; "" if it cannot be found, which is then a problem."""
        if isinstance(found, str) and found:
            return found, f"variable {variable}"
        value = self.read(found.name).get(found.key, "") if isinstance(found, SecretKey) else ""
        if not value:
            where = f"no value {found.key} in {found}" if isinstance(found, SecretKey) else "none in its pods"
            self.problems.append(
                f"airflow:{key}: expected the release's own, as variable {variable} of its pods, found {where}. "
                f"Fix: let the chart set it (enableBuiltInSecretEnvVars.{variable}), as it does by default"
            )
        return value, str(found)


def taken_over(release: InstalledRelease, read: ReadSecret) -> ReleaseConfig:
    """Return the config that the release decides.

    Args:
        release: The release.
        read: Returns the decoded data of a Secret by its name, {} if there is none.
    """
    reading = _Reading(release, read)
    _keys(reading)
    _database(reading)
    _dags(reading)
    _rest(reading)
    return ReleaseConfig(
        values=reading.values,
        sources=reading.sources,
        must_stay=frozenset(reading.must_stay),
        problems=tuple(reading.problems),
    )


def _keys(reading: _Reading) -> None:
    for key, (component, variable) in _KEYS.items():
        value, source = reading.secret(variable, reading.release.variable(variable, component=component), key)
        if value:
            reading.take(key, Secret(value), source, must_stay=True)
    if reading.release.workload("redis") is not None:
        found = reading.release.variable("REDIS_PASSWORD", component="redis")
        value, source = reading.secret("REDIS_PASSWORD", found, "redisPassword")
        if value:
            reading.take("redisPassword", Secret(value), source, must_stay=True)
    elif reading.release.workload("worker") is not None:
        found = reading.release.variable(BROKER_VARIABLE, component="worker")
        value, source = reading.secret(BROKER_VARIABLE, found, "brokerUrl")
        if value:
            reading.take("brokerUrl", Secret(value), source)


def _database(reading: _Reading) -> None:
    uri, source = reading.secret(URI_VARIABLE, reading.release.variable(URI_VARIABLE), "databaseHost")
    if not uri:
        return
    parts = read_database_uri(uri)
    if parts is not None and parts.dialect not in POSTGRES:
        reading.problems.append(
            f"airflow:databaseHost: expected a release with PostgreSQL, found one with {parts.dialect}. Fix: move "
            "its data to PostgreSQL first"
        )
        return
    if parts is None or not parts.is_clear or not parts.user:
        reading.problems.append(
            f"airflow:databaseHost: expected postgresql://USER:PASSWORD@HOST:PORT/NAME in {source}, found something "
            "else, which is not shown. Fix: percent-encode in USER and PASSWORD there all but letters, digits and "
            "-._~, or add what is missing, and upgrade the release"
        )
        return
    host, port, name = parts.host, 5432 if parts.port is None else parts.port, parts.name
    pooled = host.partition(".")[0] == _POOLER
    if pooled:
        behind = _behind_pooler(reading, name)
        if behind is None:
            return
        (host, port, name), source = behind, f"pgbouncer.ini of {_POOLER}"
        reading.take("pgbouncerEnabled", True, f"Deployment {_POOLER}")
    reading.take("database", "external", source, must_stay=True)
    reading.take("databaseHost", host, source, must_stay=True)
    reading.take("databasePort", port, source, must_stay=True)
    reading.take("databaseName", name, source, must_stay=True)
    reading.take("databaseUser", parts.user, source, must_stay=True)
    reading.take("databasePassword", Secret(parts.password), source, must_stay=True)
    mode = parts.parameter("sslmode")
    if mode in list(SslMode) and not SslMode(mode).verifies and not pooled:
        reading.take("databaseSslMode", mode, source)


def _behind_pooler(reading: _Reading, pool: str) -> tuple[str, int, str] | None:
    """Return the host, port and database name of a pool in PgBouncer's file; None, and a problem, if not found."""
    secret = reading.release.mounted_secret("pgbouncer", "pgbouncer-config")
    text = reading.read(secret).get("pgbouncer.ini", "") if secret else ""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
        entry = dict(word.split("=", 1) for word in shlex.split(parser["databases"][pool]))
        return entry["host"], int(entry.get("port", 5432)), entry.get("dbname", pool)
    except (configparser.Error, KeyError, ValueError):
        reading.problems.append(
            f"airflow:databaseHost: expected a pool {pool} in pgbouncer.ini of {_POOLER}, found none that can be read. "
            f"Fix: let it have a line `{pool} = host=HOST port=PORT dbname=NAME`"
        )
        return None


def _dags(reading: _Reading) -> None:
    release = reading.release
    component = next((name for name in ("dag-processor", "scheduler") if release.container(name, "git-sync")), None)
    if component is None:
        return
    sync = {"component": component, "container": "git-sync"}
    source = f"container git-sync of {RELEASE}-{component}"
    repository, ref = (release.variable(f"GITSYNC_{name}", **sync) for name in ("REPO", "REF"))
    if isinstance(repository, str) and repository:
        _repository(reading, repository, source)
    if isinstance(ref, str) and ref:
        reading.take("dagsRef", ref, source)
    sub_path = str(at(release.values, "dags.gitSync.subPath") or "").strip("/")
    if sub_path:
        reading.take("dagsSubPath", sub_path, "Helm value dags.gitSync.subPath")
    key_secret = release.mounted_secret(component, "git-sync-ssh-key")
    if key_secret:
        private_key = reading.read(key_secret).get("gitSshKey", "")
        if private_key:
            reading.take("gitSshPrivateKey", Secret(private_key), f"Secret {key_secret}")
        known_hosts = str(at(release.values, "dags.gitSync.knownHosts") or "").strip()
        if known_hosts:
            reading.take("gitKnownHosts", f"{known_hosts}\n", "Helm value dags.gitSync.knownHosts")
    username, token = (release.variable(f"GITSYNC_{name}", **sync) for name in ("USERNAME", "PASSWORD"))
    if isinstance(username, SecretKey) and isinstance(token, SecretKey):
        user, password = (reading.read(item.name).get(item.key, "") for item in (username, token))
        if user and password:
            reading.take("dagsUsername", user, str(username))
            reading.take("dagsToken", Secret(password), str(token))


def _repository(reading: _Reading, repository: str, source: str) -> None:
    """Take the login out of the address: it is secret, and the config has its own keys for it."""
    login = _LOGIN.fullmatch(repository)
    if login is None:
        reading.take("dagsRepository", repository, source)
    elif login["user"] and login["token"]:
        reading.take("dagsRepository", f"{login['scheme']}{login['rest']}", source)
        reading.take("dagsUsername", unquote(login["user"]), source)
        reading.take("dagsToken", Secret(unquote(login["token"])), source)
    # Otherwise it is a user without a token, or only a token, and the address does not tell which.


def _rest(reading: _Reading) -> None:
    release = reading.release
    repository, tag, digest = release.image()
    for key, value in (("imageRepository", repository), ("imageTag", tag), ("imageDigest", digest)):
        if value:
            reading.take(key, value, "image of the scheduler")
    executor = str(at(release.values, "executor") or "")
    if executor:
        reading.take("executor", executor, "Helm value executor")
    for key, replicas in _replica_counts(release):
        reading.take(key, replicas, f"{RELEASE}-{_REPLICAS[key]}")
    if str(at(release.values, "config.core.load_examples")).lower() in _TRUE:
        reading.take("loadExamples", True, "Helm value config.core.load_examples")


def _replica_counts(release: InstalledRelease) -> Iterator[tuple[str, int]]:
    for key, component in _REPLICAS.items():
        workload = release.workload(component)
        if workload is not None:
            replicas = workload["spec"].get("replicas")
            if isinstance(replicas, int) and replicas > 0:
                yield key, replicas
