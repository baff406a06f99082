"""The config that leaves a release's keys and database as they are, found in what its pods run with.

Pure but for reading Secrets. What the stack's config says already is kept, but for keys and the database: there it must
say the same.
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
from components.database.connection import SslMode
from components.database.uri import POSTGRES, read_database_uri
from components.kube.secret import Secret

ReadSecret = Callable[[str], Mapping[str, str]]

_KEYS: Final = {
    "fernetKey": ("scheduler", "AIRFLOW__CORE__FERNET_KEY"),
    "apiSecretKey": ("api-server", "AIRFLOW__API__SECRET_KEY"),
    "jwtSecret": ("api-server", "AIRFLOW__API_AUTH__JWT_SECRET"),
}
"""Part of Airflow and variable, by config key."""
_REPLICAS: Final = {
    "apiServerReplicas": "api-server",
    "schedulerReplicas": "scheduler",
    "dagProcessorReplicas": "dag-processor",
    "triggererReplicas": "triggerer",
    "workerReplicas": "worker",
}
_POOLER: Final = f"{RELEASE}-pgbouncer"
_DATABASE: Final = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
_LOGIN: Final = re.compile(r"(?P<scheme>https?://)(?P<user>[^:/@]*)(?::(?P<token>[^/@]*))?@(?P<rest>.+)")
_TRUE: Final = ("true", "1", "t", "y", "yes", "on")


@dataclass(frozen=True, kw_only=True)
class TakenOver(Result):
    """One config value. key: without `airflow:`. source: where in the release it was found. value: shown as text.

    must_stay: the release cannot be taken over with another one.
    """

    key: str
    source: str
    value: str
    must_stay: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a release says of a stack's config. values: by key, secret ones as `Secret`. problems: a sentence each."""

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    must_stay: frozenset[str]
    problems: tuple[str, ...]

    def shown(self, key: str) -> TakenOver:
        """One value as it may be shown."""
        value = self.values[key]
        text = "[secret]" if isinstance(value, Secret) else str(value)
        return TakenOver(key=key, source=self.sources[key], value=text, must_stay=key in self.must_stay)


@dataclass
class _Finding:
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
        """A value and its source; "" with a problem noted where it cannot be found."""
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


def taken_over(release: InstalledRelease, read: ReadSecret) -> Found:
    """The config that the release says. read: a Secret's data by its name, decoded; {} where there is none."""
    finding = _Finding(release, read)
    _keys(finding)
    _database(finding)
    _dags(finding)
    _rest(finding)
    return Found(
        values=finding.values,
        sources=finding.sources,
        must_stay=frozenset(finding.must_stay),
        problems=tuple(finding.problems),
    )


def _keys(finding: _Finding) -> None:
    for key, (component, variable) in _KEYS.items():
        value, source = finding.secret(variable, finding.release.variable(variable, component=component), key)
        if value:
            finding.take(key, Secret(value), source, must_stay=True)
    if finding.release.workload("redis") is not None:
        found = finding.release.variable("REDIS_PASSWORD", component="redis")
        value, source = finding.secret("REDIS_PASSWORD", found, "redisPassword")
        if value:
            finding.take("redisPassword", Secret(value), source, must_stay=True)


def _database(finding: _Finding) -> None:
    uri, source = finding.secret(_DATABASE, finding.release.variable(_DATABASE), "databaseHost")
    if not uri:
        return
    parts = read_database_uri(uri)
    if parts is not None and parts.dialect not in POSTGRES:
        finding.problems.append(
            f"airflow:databaseHost: expected a release with PostgreSQL, found one with {parts.dialect}. Fix: move "
            "its data to PostgreSQL first"
        )
        return
    if parts is None or not parts.is_clear or not parts.user:
        finding.problems.append(
            f"airflow:databaseHost: expected postgresql://USER:PASSWORD@HOST:PORT/NAME in {source}, found something "
            "else, which is not shown. Fix: percent-encode in USER and PASSWORD there all but letters, digits and "
            "-._~, or add what is missing, and upgrade the release"
        )
        return
    host, port, name = parts.host, 5432 if parts.port is None else parts.port, parts.name
    pooled = host.partition(".")[0] == _POOLER
    if pooled:
        behind = _behind_pooler(finding, name)
        if behind is None:
            return
        (host, port, name), source = behind, f"pgbouncer.ini of {_POOLER}"
        finding.take("pgbouncerEnabled", True, f"Deployment {_POOLER}")
    finding.take("database", "external", source, must_stay=True)
    finding.take("databaseHost", host, source, must_stay=True)
    finding.take("databasePort", port, source, must_stay=True)
    finding.take("databaseName", name, source, must_stay=True)
    finding.take("databaseUser", parts.user, source, must_stay=True)
    finding.take("databasePassword", Secret(parts.password), source, must_stay=True)
    mode = parts.parameter("sslmode")
    if mode in list(SslMode) and mode != SslMode.VERIFY_FULL and not pooled:
        finding.take("databaseSslMode", mode, source)


def _behind_pooler(finding: _Finding, pool: str) -> tuple[str, int, str] | None:
    """Host, port and name that PgBouncer's own file gives a pool."""
    secret = finding.release.mounted_secret("pgbouncer", "pgbouncer-config")
    text = finding.read(secret).get("pgbouncer.ini", "") if secret else ""
    parser = configparser.ConfigParser(interpolation=None, strict=False, delimiters=("=",))
    try:
        parser.read_string(text)
        entry = dict(word.split("=", 1) for word in shlex.split(parser["databases"][pool]))
        return entry["host"], int(entry.get("port", 5432)), entry.get("dbname", pool)
    except (configparser.Error, KeyError, ValueError):
        finding.problems.append(
            f"airflow:databaseHost: expected a pool {pool} in pgbouncer.ini of {_POOLER}, found none that can be read. "
            f"Fix: let it have a line `{pool} = host=HOST port=PORT dbname=NAME`"
        )
        return None


def _dags(finding: _Finding) -> None:
    release = finding.release
    component = next((name for name in ("dag-processor", "scheduler") if release.container(name, "git-sync")), None)
    if component is None:
        return
    sync = {"component": component, "container": "git-sync"}
    source = f"container git-sync of {RELEASE}-{component}"
    repository, ref = (release.variable(f"GITSYNC_{name}", **sync) for name in ("REPO", "REF"))
    if isinstance(repository, str) and repository:
        _repository(finding, repository, source)
    if isinstance(ref, str) and ref:
        finding.take("dagsRef", ref, source)
    sub_path = str(release.value("dags", "gitSync", "subPath") or "").strip("/")
    if sub_path:
        finding.take("dagsSubPath", sub_path, "Helm value dags.gitSync.subPath")
    key_secret = release.mounted_secret(component, "git-sync-ssh-key")
    if key_secret:
        private_key = finding.read(key_secret).get("gitSshKey", "")
        if private_key:
            finding.take("gitSshPrivateKey", Secret(private_key), f"Secret {key_secret}")
        known_hosts = str(release.value("dags", "gitSync", "knownHosts") or "").strip()
        if known_hosts:
            finding.take("gitKnownHosts", f"{known_hosts}\n", "Helm value dags.gitSync.knownHosts")
    username, token = (release.variable(f"GITSYNC_{name}", **sync) for name in ("USERNAME", "PASSWORD"))
    if isinstance(username, SecretKey) and isinstance(token, SecretKey):
        user, password = (finding.read(item.name).get(item.key, "") for item in (username, token))
        if user and password:
            finding.take("dagsUsername", user, str(username))
            finding.take("dagsToken", Secret(password), str(token))


def _repository(finding: _Finding, repository: str, source: str) -> None:
    """A login in the address is secret, and the config has keys of its own for it."""
    found = _LOGIN.fullmatch(repository)
    if found is None:
        finding.take("dagsRepository", repository, source)
    elif found["user"] and found["token"]:
        finding.take("dagsRepository", f"{found['scheme']}{found['rest']}", source)
        finding.take("dagsUsername", unquote(found["user"]), source)
        finding.take("dagsToken", Secret(unquote(found["token"])), source)
    # Else it is a user without a token, or a token alone: which of them, nobody can tell.


def _rest(finding: _Finding) -> None:
    release = finding.release
    repository, tag, digest = release.image()
    for key, value in (("imageRepository", repository), ("imageTag", tag), ("imageDigest", digest)):
        if value:
            finding.take(key, value, "image of the scheduler")
    executor = str(release.value("executor") or "")
    if executor:
        finding.take("executor", executor, "Helm value executor")
    for key, replicas in _replica_counts(release):
        finding.take(key, replicas, f"{RELEASE}-{_REPLICAS[key]}")
    if str(release.value("config", "core", "load_examples")).lower() in _TRUE:
        finding.take("loadExamples", True, "Helm value config.core.load_examples")


def _replica_counts(release: InstalledRelease) -> Iterator[tuple[str, int]]:
    for key, component in _REPLICAS.items():
        workload = release.workload(component)
        if workload is not None:
            replicas = workload["spec"].get("replicas")
            if isinstance(replicas, int) and replicas > 0:
                yield key, replicas
