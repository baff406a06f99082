"""What many tests start from: the committed stacks' config, made-up secrets, and small whole arguments."""

from __future__ import annotations

import functools
import json
import os
import runpy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import settings
from components.dags import Dags, DagsDelivery
from components.executor import Executor
from components.git_repository import parse_git_repository
from components.images import Images
from components.pgbouncer import PgBouncer
from components.ssh_private_key import normalise_private_key
from components.task_logs import AccessMode, TaskLogs, TaskLogStore
from components.values import ConnectionSecrets, DagAccess, KeySecrets, ReleaseInputs, Scale

ROOT: Final = Path(__file__).parent.parent
CHART: Final = "./.charts/chart-of-the-tests.tgz"
"""Path that the program is told the chart is at; nothing reads it."""

SSH_REPOSITORY: Final = "git@github.com:example/dags.git"
DIGEST: Final = "sha256:" + "0123456789abcdef" * 4


@functools.cache
def ssh_private_key() -> str:
    """A new Ed25519 key as ssh-keygen writes it."""
    key = ed25519.Ed25519PrivateKey.generate()
    return normalise_private_key(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode())


@functools.cache
def sentinels() -> Mapping[str, str]:
    """A valid value for every secret key, that can be searched for."""
    return {
        "fernetKey": "c2VudGluZWwtZmVybmV0LWtleS1vZi0zMi1ieXRlcyE=",
        "apiSecretKey": "sentinel-api-secret-key-0123456789abcdef",
        "jwtSecret": "sentinel-jwt-secret-" + "0123456789abcdef" * 4,
        "redisPassword": "sentinel redis:p@ss/word",
        "adminPassword": "sentinel-admin'\"$`\\password",
        "gitSshPrivateKey": ssh_private_key(),
        "dagsToken": "sentinel-dags-token@:/",
        "registryCredentials": '{"auths": {"registry.example.com": {"auth": "sentinel-registry-auth"}}}',
        "databasePassword": "sentinel database:p@ss/w%rd\"'é",
    }


def traces(key: str, value: str) -> tuple[str, ...]:
    """Texts by which a secret is known wherever it stands: of a file, the part that matters."""
    if key == "gitSshPrivateKey":
        return (value.splitlines()[2],)
    return ("sentinel-registry-auth",) if key == "registryCredentials" else (value,)


@dataclass(frozen=True)
class StackConfig:
    """Config as the engine gives it to the program: texts by full key, and the keys that are encrypted."""

    stack: str
    values: Mapping[str, str]
    secret_keys: frozenset[str]

    def with_(self, changes: Mapping[str, Any] | None = None, secrets: Mapping[str, str] | None = None) -> StackConfig:
        """This config with other values, by short key; None takes a key out."""
        values, secret_keys = dict(self.values), set(self.secret_keys)
        for key, value in (changes or {}).items():
            full = f"{settings.PROJECT}:{key}"
            secret_keys.discard(full)
            values.pop(full, None)
            if value is not None:
                values[full] = value if isinstance(value, str) else json.dumps(value)
        for key, value in (secrets or {}).items():
            values[f"{settings.PROJECT}:{key}"] = value
            secret_keys.add(f"{settings.PROJECT}:{key}")
        return StackConfig(self.stack, values, frozenset(secret_keys))

    def parse(self) -> settings.Settings:
        return settings.parse(self.values, self.secret_keys, self.stack)

    def problems(self) -> tuple[str, ...]:
        """What the settings object to; none where they accept it."""
        try:
            self.parse()
        except settings.SettingsError as error:
            return error.problems
        return ()

    def program(self) -> Callable[[], dict[str, Any]]:
        """`__main__.py`, whole, with this config."""

        def run() -> dict[str, Any]:
            return runpy.run_path(str(ROOT / "__main__.py"))

        return run


@functools.cache
def _committed(stack: str) -> StackConfig:
    values, secret_keys = settings.read_files(ROOT, stack)
    return StackConfig(stack, values, frozenset(secret_keys))


def dev() -> StackConfig:
    """The committed stack `dev`."""
    return _committed("dev")


def prod() -> StackConfig:
    """The committed stack `prod` with the two secrets that it lacks on purpose."""
    given = {key: sentinels()[key] for key in ("databasePassword", "gitSshPrivateKey")}
    return _committed("prod").with_(secrets=given)


def all_secrets(*, but: Iterable[str] = ()) -> dict[str, str]:
    """A sentinel for each secret key but some."""
    return {key: value for key, value in sentinels().items() if key not in but}


def dags(url: str = "https://git.test/dags.git", delivery: DagsDelivery = DagsDelivery.GIT_SYNC) -> Dags:
    return Dags(
        repository=parse_git_repository(url),
        ref="main",
        sub_path="dags",
        delivery=delivery,
        sync_period_seconds=30,
        depth=1,
    )


def release_inputs(
    *,
    executor: Executor = Executor.CELERY,
    images: Images | None = None,
    pgbouncer: PgBouncer | None = None,
    dags_: Dags | None = None,
    dag_access: DagAccess | None = None,
    store: TaskLogStore = TaskLogStore.VOLUME,
    scale: Scale | None = None,
    load_examples: bool = False,
) -> ReleaseInputs:
    """Whole input of the values, with a plain text for the name of each Secret."""
    return ReleaseInputs(
        executor=executor,
        airflow_version="3.2.2",
        images=images or Images(tag="3.2.2"),
        keys=KeySecrets(
            fernet_key="fernet-1", api_secret_key="api-secret-1", jwt_secret="jwt-1", redis_password="redis-1"
        ),
        connections=ConnectionSecrets(
            metadata="metadata-1",
            broker="broker-1" if executor.celery else None,
            result_backend="result-backend-1" if executor.celery else None,
            pgbouncer_config="pgbouncer-config-1" if pgbouncer else None,
            pgbouncer_stats="pgbouncer-stats-1" if pgbouncer else None,
        ),
        pgbouncer=pgbouncer,
        dags=dags_ or dags(),
        dag_access=dag_access or DagAccess(),
        task_logs=TaskLogs(store=store, storage_gib=5, access_mode=AccessMode.READ_WRITE_MANY),
        task_log_claim="task-logs-1" if store is TaskLogStore.VOLUME else None,
        scale=scale or Scale(),
        load_examples=load_examples,
    )


def real_cache() -> Path:
    """The user's cache of archives, as it is outside of the tests. To be asked for when a module is imported."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "airflow-on-kubernetes"
