"""The config of a stack: as a value that a service gives, and as the few facts that a verb needs.

`EnvironmentSettings` stands in place of a file `Pulumi.STACK.yaml`. It is checked by the very function that the program
reads its config with (`settings.parse`), on the very texts that the engine will give it. What is valid here is valid
there, and nothing that is not valid reaches an engine.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import settings
from automation.errors import ClusterUnreachable, SettingsInvalid, from_text
from automation.folder import write_file
from automation.project_files import read_project
from components.kube.kubeconfig import is_content
from components.kube.secret import Secret
from settings import PROJECT, SECRET_KEYS

PROJECT_DIR: Final = Path(settings.__file__).resolve().parents[1]
_ENGINE_KEYS: Final = {"pulumi:disable-default-providers": ["kubernetes", "aws"]}
"""Set in every stack: no provider uses a cluster or an account that the config does not name."""


@dataclass(frozen=True)
class EnvironmentSettings:
    """A valid config, by key without `airflow:`; made by `of`. A key that is absent has the project's default."""

    name: str
    """The stack."""
    values: Mapping[str, Any] = field(repr=False)
    """What is not marked as secret: texts, numbers, booleans, lists and maps. A team's values may hold one."""
    secrets: Mapping[str, Secret]
    """The secret values."""
    checked: settings.Settings = field(repr=False, compare=False)
    """The object that the program makes of the config."""
    _texts: Mapping[str, str] = field(repr=False, compare=False)
    _project_dir: Path = field(repr=False, compare=False)

    @staticmethod
    def of(name: str, values: Mapping[str, Any], project_dir: Path = PROJECT_DIR) -> EnvironmentSettings:
        """Check a config.

        Args:
            name: The stack.
            values: By key; the value of a secret key is a `Secret`, and no other is.
            project_dir: The checkout with `Pulumi.yaml`.

        Raises:
            SettingsInvalid: With every problem.
        """
        schema = read_project(project_dir).get("config") or {}
        wrong = [_misplaced(key, value, schema) for key, value in sorted(values.items(), key=lambda item: str(item[0]))]
        if any(wrong):
            raise SettingsInvalid(name, tuple(problem for problem in wrong if problem))
        secrets = {key: value for key, value in values.items() if isinstance(value, Secret)}
        plain = {key: value for key, value in values.items() if key not in secrets}
        defaults = {key: entry["default"] for key, entry in schema.items() if "default" in entry}
        texts = {f"{PROJECT}:{key}": as_config(value) for key, value in {**defaults, **plain}.items()}
        revealed = {f"{PROJECT}:{key}": secret.reveal() for key, secret in secrets.items()}
        try:
            checked = settings.parse({**texts, **revealed}, revealed, name)
        except settings.SettingsError as error:
            raise SettingsInvalid(name, error.problems) from None
        return EnvironmentSettings(
            name=name,
            values=MappingProxyType(json.loads(json.dumps(plain))),  # a copy that its owner cannot change
            secrets=MappingProxyType(dict(secrets)),
            checked=checked,
            _texts=MappingProxyType(texts),
            _project_dir=project_dir,
        )

    def changed(self, **values: Any) -> EnvironmentSettings:
        """Return the same config with other values; None takes a key out. Raises SettingsInvalid."""
        together = {**self.values, **self.secrets, **values}
        given = {key: value for key, value in together.items() if value is not None}
        return self.of(self.name, given, self._project_dir)

    def texts(self) -> dict[str, str]:
        """Return the config with the project's defaults as the engine gives it to the program, without secrets."""
        return dict(self._texts)

    @functools.cached_property
    def facts(self) -> StackConfig:
        """What a verb must know of it. Each asks many times."""
        return StackConfig.of(self._texts)

    def file_config(self) -> dict[str, Any]:
        """Return the map `config` of the stack's file without secrets: the engine encrypts those into it."""
        return {**{f"{PROJECT}:{key}": value for key, value in self.values.items()}, **_ENGINE_KEYS}


def as_config(value: Any) -> str:
    """Return a value of a file as the engine gives it to a program."""
    return value if isinstance(value, str) else json.dumps(value)


def _misplaced(key: Any, value: Any, schema: Mapping[str, Any]) -> str:
    """Return what is wrong with the type of a key or value, "" if it is right."""
    full, found = f"{PROJECT}:{key}", type(value).__name__
    if not isinstance(key, str):
        return f"{full}: expected a key that is a str, found {type(key).__name__}. Fix: give the name of a key"
    if value is None:
        return f'{full}: expected a value, found none (an empty text is ""). Fix: give one, or leave the key out'
    if isinstance(value, Secret):
        if key not in SECRET_KEYS:
            return f"{full}: expected no Secret. Fix: give the plain value"
        found = type(value.reveal()).__name__
        return "" if found == "str" else f"{full}: expected a Secret of a str, found one of {found}. Fix: Secret(str)"
    if key in SECRET_KEYS:
        return f"{full}: expected a Secret, found {found}. Fix: wrap it: Secret(…)"
    if schema.get(key, {}).get("type") == "string" and isinstance(value, (bool, int, float)):
        return f"{full}: expected a str, found {found}. Fix: give the text, because 3.10 is 3.1"
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return f"{full}: expected JSON, found {found}. Fix: give what JSON can say"
    except RecursionError:
        return f"{full}: expected JSON, found too many levels of {found}. Fix: give fewer"
    return ""


Keep = Callable[[EnvironmentSettings], object]
"""Stores changed settings. The stage that needs them begins when it has returned."""


def forget(settings: EnvironmentSettings) -> None:
    """Store nothing: the caller reads the settings at the end."""


@dataclass(frozen=True)
class StackConfig:
    """What a verb must know of a stack's config before, or without, a run of the program."""

    kube_context: str
    """The context of the cluster; that of an EKS cluster follows from `reached`."""
    kubeconfig: str | None
    """A path; None means kubectl's own."""
    protect: bool
    """The stack's data and keys must not be deleted."""
    eks: tuple[str, str, str] | None = None
    """Name, region and account of an EKS cluster."""
    namespace: str = ""
    """The namespace that the stack owns."""
    image_digest: str = ""
    """The digest of the Airflow image, "" if only a tag is set."""
    airflow_version: str = ""
    """Airflow in the image."""
    rotation: str = ""
    """The mark of a rotation that is under way, "" if none is."""
    restore: str = ""
    """The mark of a restore that is under way, "" if none is."""
    running: str = ""
    """How much of Airflow runs: `all`, `frozen` or `stopped`."""
    upgrade: str = ""
    """The mark of an upgrade or rollback that is under way, "" if none is."""
    image_tag: str = ""
    """The tag of the Airflow image."""
    database: str = ""
    """Which kind of database: `container`, `external` or `managed`."""
    database_identifier: str = ""
    """Identifier of a managed database's instance."""
    database_user: str = ""
    """Login role; master user of a managed database."""
    database_name: str = ""
    """Name of an external or managed database."""
    database_ca: str = ""
    """PEM of the authority of an external database, "" if none is given."""
    database_storage_gib: int = 0
    """Size of a database's storage at first, 0 if the config does not say."""
    worker_grace_seconds: float = 0
    """Seconds that a worker which stops gives its tasks to end."""

    @property
    def managed(self) -> bool:
        """The database is an instance of RDS that the stack makes."""
        return self.database == "managed"

    @staticmethod
    def of(values: Mapping[str, str]) -> StackConfig:
        """Read it from values as the engine gives them: texts by full key."""

        def text(key: str) -> str:
            return values.get(f"{PROJECT}:{key}", "")

        return StackConfig(
            kube_context=text("kubeContext"),
            kubeconfig=text("kubeconfig") or None,
            protect=text("protect") != "false",
            eks=(eks, text("awsRegion"), text("awsAccountId")) if (eks := text("eksCluster")) else None,
            namespace=text("namespace"),
            image_digest=text("imageDigest"),
            airflow_version=text("airflowVersion"),
            rotation=text("rotation"),
            restore=text("restore"),
            running=text("running"),
            upgrade=text("upgrade"),
            image_tag=text("imageTag"),
            database=text("database"),
            database_identifier=text("databaseIdentifier"),
            database_user=text("databaseUser"),
            database_name=text("databaseName"),
            database_ca=text("databaseCaCertificate"),
            database_storage_gib=int(size) if (size := text("databaseStorageGib")).isdecimal() else 0,
            worker_grace_seconds=float(text("workerGraceSeconds") or 0),
        )

    def reached(self, work_dir: Path) -> StackConfig:
        """Return the config with a kubeconfig of its EKS cluster, written into the stack's work directory.

        The file names no credential. But another user who could change it could swap the command in it, so only its
        owner may read and write it. Raises ClusterUnreachable.
        """
        if self.eks is None:
            return self
        # Imported here: the stack of a laptop has nothing to ask AWS.
        from components.aws.client import AwsError
        from components.aws.eks_cluster import find_cluster

        try:
            cluster = find_cluster(*self.eks)
        except AwsError as error:
            raise from_text(ClusterUnreachable, str(error)) from None
        path = work_dir / "kubeconfig"
        write_file(path, cluster.kubeconfig, mode=0o600)
        return replace(self, kube_context=cluster.context, kubeconfig=str(path))

    def kubectl(self) -> str:
        """Return the beginning of a `kubectl` command for the stack's namespace. It never shows a kubeconfig itself."""
        by_path = self.kubeconfig is not None and not is_content(self.kubeconfig)
        file = ["--kubeconfig", self.kubeconfig] if self.kubeconfig and by_path else []
        return shlex.join(["kubectl", *file, "--context", self.kube_context, "--namespace", self.namespace])


def check_files(folder: Path, name: str) -> None:
    """Check the committed config of a stack. Raises SettingsInvalid."""
    try:
        settings.check(folder, name)
    except settings.SettingsError as error:
        raise SettingsInvalid(name, error.problems) from None


def read_stack_config(folder: Path, name: str) -> StackConfig:
    """Read what a verb must know from the committed config of a stack. Raises SettingsInvalid."""
    try:
        values, _ = settings.read_files(folder, name)
    except settings.SettingsError as error:
        raise SettingsInvalid(name, error.problems) from None
    return StackConfig.of(values)
