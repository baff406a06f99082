"""What many tests start from: the config of the shipped stacks, made-up secrets, and small whole arguments."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import runpy
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import settings
from components.aws.eks_cluster import EksCluster, Subnet
from components.aws.pod_identity import PodIdentity, PodRole
from components.chart_values.executor import Executor
from components.chart_values.ingress import Ingress
from components.chart_values.release_inputs import ConnectionSecrets, DagAccess, KeySecrets, ReleaseInputs
from components.chart_values.scale import Scale, WorkerAutoscaling
from components.chart_values.size_preset import SizePreset
from components.chart_values.worker_group import WorkerGroup
from components.dags.delivery import Dags, DagsDelivery
from components.dags.git_repository import parse_git_repository
from components.dags.ssh_private_key import normalise_private_key
from components.database.connection import ContainerDatabase
from components.database.pgbouncer import PgBouncer
from components.keys.escrow_reader import EscrowedKeys
from components.kube.images import Images
from components.kube.safe_yaml import load_yaml
from components.kube.secret import Secret
from components.network.isolation_args import Isolation, IsolationArgs
from components.platform_args import AirflowPlatformArgs
from components.task_logs.remote import RemoteLogs, remote_logs
from components.task_logs.store import AccessMode, LogPlace, TaskLogs, TaskLogStore
from settings import aws_lookup

ROOT: Final = Path(__file__).parent.parent
SHIPPED: Final = ROOT / "tests" / "shipped"
"""What a team changes of this repository, as it was shipped: stacks, allowed registries, decisions. Tests start from
these, so that they stay green whatever the team's own files say; test_committed_stacks.py judges those."""

CHART: Final = "./.charts/chart-of-the-tests.tgz"
"""Path that the program is told the chart is at; nothing reads it."""

SSH_REPOSITORY: Final = "git@github.com:example/dags.git"
OIDC: Final[dict[str, Any]] = {
    "oidcIssuer": "https://login.example.com",
    "oidcClientId": "airflow",
    "oidcRoles": {"engineers": "Op"},
}
"""What the secret of the OpenID Connect client needs beside it."""
REGISTRY_AUTH: Final = base64.b64encode(b"robot:sentinel-registry-password").decode()
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
        "brokerUrl": "rediss://sentinel-user:sentinel-broker-password%40%2F@broker.test:6380/3",
        "adminPassword": "sentinel-admin'\"$`\\password",
        "rotationSecret": "sentinel-value-beside-a-new-one",
        "gitSshPrivateKey": ssh_private_key(),
        "dagsToken": "sentinel-dags-token@:/",
        "oidcClientSecret": "sentinel-oidc-client-secret$(X)",
        "connections": json.dumps({"sentinel_db": "postgres://me:sentinel-connection-password@db.test/x"}),
        "variables": json.dumps({"sentinel_variable": "sentinel-variable-value"}),
        "registryCredentials": json.dumps({"auths": {"registry.example.com": {"auth": REGISTRY_AUTH}}}),
        "databaseLogin": "airflow_5e4711:sentinel-login@:'/word",
        "databaseMasterPassword": "sentinel-of_the~master.password",
        "databasePassword": "sentinel database:p@ss/w%rd\"'é",
    }


def quoted_forms(value: str) -> tuple[str, ...]:
    """How a secret may stand in a document: as it is, quoted, or in another encoding of the same bytes."""
    contents = [value.encode()]
    with contextlib.suppress(ValueError):
        contents.append(base64.b64decode(value.translate(str.maketrans("-_", "+/")), validate=True))
    forms = {value, json.dumps(value)[1:-1], quote(value, safe="")}
    for content in contents:
        forms |= {content.hex(), base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()}
    return tuple(sorted({form.rstrip("=") for form in forms if form}))


def texts(value: Any) -> Iterator[str]:
    """Every key and every value at any depth, as text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)
    else:
        yield str(value)


def traces(key: str, value: str) -> tuple[str, ...]:
    """Texts by which a secret is known wherever it stands: of a file, the part that matters."""
    if key == "gitSshPrivateKey":
        return (value.splitlines()[2],)
    if key == "connections":
        return ("sentinel-connection-password",)
    if key == "brokerUrl":
        return ("sentinel-broker-password",)
    if key == "databaseLogin":
        return ("sentinel-login",)
    if key == "variables":
        return ("sentinel-variable-value",)
    return (REGISTRY_AUTH,) if key == "registryCredentials" else (value,)


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


def ship(folder: Path) -> Path:
    """Puts the shipped stacks and lists into a folder, with the schema of the config; gives the folder back."""
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    return shutil.copytree(SHIPPED, folder, dirs_exist_ok=True)


@functools.cache
def _shipped(stack: str) -> StackConfig:
    with tempfile.TemporaryDirectory() as folder:
        values, secret_keys = settings.read_files(ship(Path(folder)), stack)
    return StackConfig(stack, values, frozenset(secret_keys))


def dev() -> StackConfig:
    """The shipped stack `dev`."""
    return _shipped("dev")


def prod() -> StackConfig:
    """The shipped stack `prod` with the secret that it lacks on purpose."""
    return _shipped("prod").with_(secrets={"gitSshPrivateKey": sentinels()["gitSshPrivateKey"]})


AWS_KEYS: Final = (
    *("eksCluster", "awsRegion", "awsAccountId", "awsTags", "keyEscrow", "databaseIdentifier", "databaseAlarmTopicArn"),
    *("ingressHost", "ingressClass", "ingressCertificateArn", "uiCidrs"),
)
"""What `prod` has that only AWS can give, or that goes with it."""


def external() -> StackConfig:
    """`prod` on another cluster, with a database that exists: what production is without AWS."""
    changes: dict[str, Any] = {
        **{key: schema()[key]["default"] for key in AWS_KEYS},
        "kubeContext": "airflow-prod",
        "database": "external",
        "databaseHost": "airflow.example.internal",
        "databaseCidrs": ["10.0.32.0/20"],
        "taskLogs": "volume",
    }
    return prod().with_(changes, {"databasePassword": sentinels()["databasePassword"]})


def platform_args(**changes: Any) -> AirflowPlatformArgs:
    """The platform on any cluster, with a database container and a log volume."""
    given: dict[str, Any] = {
        "kubeconfig": None,
        "kube_context": "ctx",
        "namespace": "ns",
        "protect": False,
        "chart": CHART,
        "executor": Executor.CELERY,
        "dags": dags(),
        "database": ContainerDatabase(storage_gib=2),
        "task_logs": TaskLogs(store=TaskLogStore.VOLUME, storage_gib=2, access_mode=AccessMode.READ_WRITE_ONCE),
        "isolation": IsolationArgs(mode=Isolation.REQUIRED),
    }
    return AirflowPlatformArgs(**{**given, **changes})


@functools.cache
def schema() -> dict[str, dict[str, Any]]:
    """The config keys of Pulumi.yaml."""
    found: dict[str, dict[str, Any]] = load_yaml((ROOT / "Pulumi.yaml").read_text())["config"]
    return found


def eks_cluster(**changes: Any) -> EksCluster:
    """The cluster of `prod`, as AWS would tell of it: three private subnets and three public ones."""
    zones = ("a", "b", "c")
    subnets = [
        Subnet(
            id=f"subnet-{kind}{zone}000000",
            cidr=f"10.0.{index * 16 + (0 if kind == 'b' else 64)}.0/20",
            availability_zone=f"eu-central-1{zone}",
            private=kind == "a",
        )
        for index, zone in enumerate(zones)
        for kind in ("a", "b")
    ]
    values: dict[str, Any] = {
        "name": "example",
        "region": "eu-central-1",
        "account_id": "123456789012",
        "arn": "arn:aws:eks:eu-central-1:123456789012:cluster/example",
        "endpoint": "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
        "certificate_authority": "Y2VydGlmaWNhdGU=",
        "vpc_id": "vpc-0a000000",
        "security_group_id": "sg-0a000000",
        "subnets": tuple(subnets),
        "oidc_issuer": "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF",
        "version": "1.35",
    }
    return EksCluster(**{**values, **changes})


ESCROWED: Final[Mapping[str, str]] = {
    "fernet_key": "ZXNjcm93ZWQtZmVybmV0LWtleS1vZi0zMi1ieXRlcyE=",
    "api_secret_key": "escrowed-api-secret-key-0123456789abcdef",
    "jwt_secret": "escrowed-jwt-secret-" + "0123456789abcdef" * 4,
    "redis_password": "escrowed-redis-password",
    "admin_password": "escrowed-admin-password",
    "database_password": "escrowed-database-password",
}
"""What AWS Secrets Manager holds for `fake_aws`."""

KEY_DATA: Final[Mapping[str, str]] = {
    "fernet_key": "fernet-key",
    "api_secret_key": "api-secret-key",
    "jwt_secret": "jwt-secret",
    "redis_password": "password",
    "admin_password": "password",
}
"""Role of each key that has a Kubernetes Secret, and its data key there."""


def fake_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS as `prod` needs it, without asking any: the cluster, other subnets, no database yet, keys in the escrow."""

    def find_subnets(ids: Sequence[str], cluster: EksCluster) -> tuple[Subnet, ...]:
        return tuple(
            Subnet(id=id_, cidr=f"10.9.{index}.0/24", availability_zone=f"eu-central-1{'abc'[index]}", private=True)
            for index, id_ in enumerate(ids)
        )

    escrowed = EscrowedKeys(**{role: Secret(value) for role, value in ESCROWED.items()})
    monkeypatch.setattr(aws_lookup, "find_cluster", lambda *_: eks_cluster())
    monkeypatch.setattr(aws_lookup, "find_subnets", find_subnets)
    monkeypatch.setattr(aws_lookup, "check_existing_instance", lambda *_: None)
    monkeypatch.setattr(aws_lookup, "read_escrowed_keys", lambda *_: escrowed)


def all_secrets(*, but: Iterable[str] = ()) -> dict[str, str]:
    """A sentinel for each secret key but some, and but those of a managed database or an external broker alone."""
    left_out = {*but, "databaseMasterPassword", "brokerUrl"}
    return {key: value for key, value in sentinels().items() if key not in left_out}


def dags(url: str = "https://git.test/dags.git", delivery: DagsDelivery = DagsDelivery.GIT_SYNC) -> Dags:
    return Dags(
        repository=parse_git_repository(url),
        ref="main",
        sub_path="dags",
        delivery=delivery,
        sync_period_seconds=30,
        depth=1,
    )


def pod_role(account: str, identity: PodIdentity = PodIdentity.IRSA) -> PodRole:
    """The IAM role of the pods of a service account."""
    return PodRole(arn=f"arn:aws:iam::123456789012:role/airflow-{account}", region="eu-central-1", identity=identity)


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
    size: SizePreset = SizePreset.NONE,
    worker_grace_seconds: int = 600,
    autoscaling: WorkerAutoscaling | None = None,
    metadata_retention_days: int = 0,
    ingress: Ingress | None = None,
    database_ca: str | None = None,
    worker_groups: tuple[WorkerGroup, ...] = (),
) -> ReleaseInputs:
    """Whole input of the values, with a plain text for the name of each Secret, and a bucket where logs go to one."""
    logs = {
        TaskLogStore.S3: RemoteLogs(folder="s3://logs-1/airflow", region="eu-central-1"),
        TaskLogStore.REMOTE: remote_logs(LogPlace(url="gs://logs-1/airflow", connection_secret="log-store-1"), None),
    }
    accounts = ("api-server", "triggerer", "worker", *(group.account for group in worker_groups))
    roles = {account: pod_role(account) for account in accounts if store is TaskLogStore.S3}
    return ReleaseInputs(
        executor=executor,
        airflow_version="3.2.2",
        images=images or Images(tag="3.2.2"),
        keys=KeySecrets(
            fernet_key="fernet-1",
            worker_key="worker-1",
            api_secret_key="api-secret-1",
            jwt_secret="jwt-1",
            jwt_key_id="jwt-key-id-1",
            jwks="jwks-1",
            redis_password="redis-1",
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
        size=size,
        worker_grace_seconds=worker_grace_seconds,
        autoscaling=autoscaling,
        metadata_retention_days=metadata_retention_days,
        worker_groups=worker_groups,
        remote_logs=logs.get(store),
        pod_roles=roles,
        ingress=ingress,
        database_ca=database_ca,
    )


def real_cache() -> Path:
    """The user's cache of archives, as it is outside of the tests. To be asked for when a module is imported."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "airflow-on-kubernetes"
