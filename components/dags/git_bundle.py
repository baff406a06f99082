"""DAG delivery by Airflow's own GitDagBundle: its connection, and what the pods need.

A run stays on the commit on which it began. The image must contain `apache-airflow-providers-git`, as the official one
does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.dags.delivery import Dags, Submodules
from components.dags.git_login import GitLogin, login_mount, login_variables, login_volume
from components.dags.git_ssh_key import KNOWN_HOSTS, PRIVATE_KEY
from components.kube.env import from_secret
from components.kube.immutable_secret import immutable_secret
from components.kube.secret import SecretInput, secret_output

TYPE: Final = "airflow:index:GitBundle"

BUNDLE_NAME: Final = "dags"
CONNECTION_ID: Final = "git_dags"
_MOUNT_PATH = "/etc/git-secret"
_VOLUME = "git-ssh-key"


@dataclass(frozen=True, kw_only=True)
class GitBundleArgs:
    """Arguments of `GitBundle`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    dags: Dags
    """Repository of the DAGs."""
    ssh_key_secret: pulumi.Input[str] | None = None
    """Name of the Secret of a `GitSshKey`, for an SSH repository."""
    username: str | None = None
    """User name for a private HTTPS repository."""
    token: SecretInput | None = None
    """Token for a private HTTPS repository."""
    login: GitLogin | None = None
    """A Secret of another with user name and token, for a private HTTPS repository."""


class GitBundle(pulumi.ComponentResource):
    """The Airflow connection of a GitDagBundle, as an environment variable from a Secret.

    Raises: nothing of its own.
    Replaces: another token or repository makes another Secret; DAG processor, triggerer and workers roll.
    Survives a destroy: nothing.
    """

    bundle_config: list[dict[str, Any]]
    """The chart's `dagProcessor.dagBundleConfigList`."""
    env: list[dict[str, Any]]
    """Variables of the containers that load DAGs."""
    volumes: list[dict[str, Any]]
    """Volumes of the pods that load DAGs: the SSH key and the host keys, or the login, if any."""
    volume_mounts: list[dict[str, Any]]
    """Mounts of these volumes."""

    def __init__(self, name: str, args: GitBundleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        token = secret_output(args.token) if args.token is not None else pulumi.Output.from_input(None)
        connection = token.apply(
            lambda value: connection_json(
                args.dags.repository.url,
                key_folder=None if args.ssh_key_secret is None else _MOUNT_PATH,
                username=args.username,
                token=value,
            )
        )
        secret = immutable_secret(name, args.namespace, {"connection": connection}, pulumi.ResourceOptions(parent=self))
        self.env = [from_secret(f"AIRFLOW_CONN_{CONNECTION_ID.upper()}", secret, "connection")]
        self.bundle_config = [
            bundle_entry(
                BUNDLE_NAME,
                CONNECTION_ID,
                ref=args.dags.ref,
                sub_path=args.dags.sub_path,
                sync_period_seconds=args.dags.sync_period_seconds,
                submodules=args.dags.submodules is Submodules.RECURSIVE,
            )
        ]
        self.volumes, self.volume_mounts = [], []
        if args.ssh_key_secret is not None:
            # 0440: readable by the pod's group. ssh refuses that only for a file that its own user owns.
            self.volumes = [{"name": _VOLUME, "secret": {"secretName": args.ssh_key_secret, "defaultMode": 0o440}}]
            self.volume_mounts = [{"name": _VOLUME, "mountPath": _MOUNT_PATH, "readOnly": True}]
        if args.login is not None:
            self.env += login_variables(args.login, args.dags.repository)
            self.volumes, self.volume_mounts = [login_volume(args.login)], [login_mount()]
        self.register_outputs({"secret": secret})


def bundle_entry(
    name: str, connection_id: str, *, ref: str, sub_path: str, sync_period_seconds: int, submodules: bool
) -> dict[str, Any]:
    """Return an entry of the chart's `dagProcessor.dagBundleConfigList`."""
    return {
        "name": name,
        "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
        "kwargs": {
            "git_conn_id": connection_id,
            "tracking_ref": ref,
            "subdir": sub_path or None,
            "refresh_interval": sync_period_seconds,
            **({"submodules": True} if submodules else {}),
        },
    }


def connection_json(url: str, *, key_folder: str | None, username: str | None = None, token: str | None = None) -> str:
    """Return the connection as Airflow reads it from the environment (JSON, fields of the `git` connection type).

    key_folder: Where the SSH key and the host keys are mounted, or None without them.
    """
    connection: dict[str, Any] = {"conn_type": "git", "host": url}
    if username is not None and token is not None:
        connection |= {"login": username, "password": token}
    if key_folder is not None:
        connection["extra"] = {
            "key_file": f"{key_folder}/{PRIVATE_KEY}",
            "known_hosts_file": f"{key_folder}/{KNOWN_HOSTS}",
            "strict_host_key_checking": "yes",
        }
    return json.dumps(connection, sort_keys=True)
