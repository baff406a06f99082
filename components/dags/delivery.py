"""Where DAGs come from and how they reach the pods. Value types without Pulumi resources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from components.dags.git_login import KEYS, SSH_PRIVATE_KEY, GitLogin, GitLoginKind
from components.dags.git_repository import GitRepository
from components.kube.secret import SecretInput


@unique
class DagsDelivery(StrEnum):
    """How DAGs reach the pods."""

    GIT_SYNC = "git-sync"
    """A container in every pod keeps one working tree up to date, for all runs."""
    GIT_BUNDLE = "git-bundle"
    """Airflow's own GitDagBundle fetches, and a run stays on the commit on which it began."""
    IMAGE = "image"
    """They are in Airflow's image, and nothing fetches any."""


@unique
class Submodules(StrEnum):
    """Which submodules of the repository are fetched."""

    RECURSIVE = "recursive"
    """All, and those in them."""
    SHALLOW = "shallow"
    """Those of the repository itself. git-sync only."""
    OFF = "off"
    """None."""


@dataclass(frozen=True, kw_only=True)
class DagBundle:
    """One of several repositories of DAGs."""

    name: str
    """Name of the bundle, which Airflow shows with each DAG."""
    repository: GitRepository
    """Its address."""
    ref: str
    """Branch, tag or commit."""
    sub_path: str
    """Folder in the repository, "" for its root."""
    submodules: bool = False
    """Whether submodules are fetched."""
    known_hosts: str | None = None
    """Host keys of an SSH repository. None takes the published ones of a well-known host."""
    secret: str | None = None
    """Name of a Secret of another, with the login: see `secret_keys`. None for a public repository."""

    @property
    def by_key(self) -> bool:
        """Whether an SSH key opens the repository."""
        return self.repository.scheme == "ssh"

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """The keys that the Secret must have: of the type kubernetes.io/ssh-auth, or of kubernetes.io/basic-auth."""
        return (SSH_PRIVATE_KEY,) if self.by_key else KEYS[GitLoginKind.TOKEN]

    @property
    def connection_id(self) -> str:
        """The id of its Airflow connection."""
        return f"git_{self.name.replace('-', '_')}"


@dataclass(frozen=True, kw_only=True)
class Dags:
    """Where DAGs come from. With `image`, all but `delivery` is without effect."""

    repository: GitRepository
    """The Git repository; `NO_REPOSITORY` with `image`, and with several."""
    ref: str
    """Branch, tag or commit."""
    sub_path: str
    """Folder in the repository, "" for its root."""
    delivery: DagsDelivery
    """How the DAGs reach the pods."""
    sync_period_seconds: int
    """Time between two fetches."""
    depth: int
    """Commits of history to fetch, 0 for all."""
    submodules: Submodules | None = None
    """Which submodules are fetched. None leaves it to the delivery: git-sync fetches all, git-bundle none."""
    bundles: tuple[DagBundle, ...] = ()
    """Several repositories, in place of the one above; with git-bundle."""


@dataclass(frozen=True, kw_only=True)
class GitCredentials:
    """Credentials of a private repository."""

    ssh_private_key: SecretInput | None = None
    """OpenSSH private key of an SSH repository, without passphrase."""
    known_hosts: str | None = None
    """Host keys of an SSH repository, in known_hosts format. None takes the published ones of a well-known host."""
    username: str | None = None
    """User name for a private HTTPS repository."""
    token: SecretInput | None = None
    """Token for a private HTTPS repository."""
    login: GitLogin | None = None
    """A Secret of another with the login, for a private HTTPS repository."""
