"""Several repositories of DAGs, each an Airflow GitDagBundle with its own connection, key and host keys.

The DAG processor and whoever runs tasks clone a bundle (airflow 3.2.2: dag_processing/manager.py, and task_runner.py of
the task SDK). The triggerer does not (jobs/triggerer_job_runner.py), so it gets none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.dags.delivery import DagBundle
from components.dags.git_bundle import bundle_entry, connection_json
from components.dags.git_login import (
    SSH_PRIVATE_KEY,
    GitLogin,
    GitLoginKind,
    login_mount,
    login_volume,
    token_variables,
)
from components.dags.git_ssh_key import KNOWN_HOSTS, PRIVATE_KEY
from components.dags.known_hosts import pinned_known_hosts
from components.kube.env import from_secret
from components.kube.immutable_secret import immutable_secret

TYPE: Final = "airflow:index:GitBundles"

_KEYS: Final = "/etc/git-secret"
_CONNECTION: Final = "connection"


@dataclass(frozen=True, kw_only=True)
class GitBundlesArgs:
    """Arguments of `GitBundles`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secrets."""
    bundles: Sequence[DagBundle]
    """The repositories."""
    sync_period_seconds: int
    """Time between two fetches."""


class GitBundles(pulumi.ComponentResource):
    """The connections of several GitDagBundles, as environment variables from Secrets.

    Raises: ValueError for known_hosts that do not fit a repository.
    Replaces: another repository, or other host keys, make another Secret; DAG processor and workers roll.
    Survives a destroy: nothing.
    """

    bundle_config: list[dict[str, Any]]
    """The chart's `dagProcessor.dagBundleConfigList`."""
    env: list[dict[str, Any]]
    """Variables of the containers that load DAGs."""
    volumes: list[dict[str, Any]]
    """Volumes of their pods: keys, host keys and logins."""
    volume_mounts: list[dict[str, Any]]
    """Mounts of these volumes."""

    def __init__(self, name: str, args: GitBundlesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self._name, self._namespace = name, args.namespace
        self.bundle_config, self.env, self.volumes, self.volume_mounts = [], [], [], []
        for bundle in args.bundles:
            self._add(bundle, args.sync_period_seconds)
        logins = [
            (bundle.repository, _login_folder(bundle)) for bundle in args.bundles if bundle.secret and not bundle.by_key
        ]
        self.env += token_variables(logins, whole_path=True) if logins else []
        self.register_outputs({"bundles": [bundle.name for bundle in args.bundles]})

    def _add(self, bundle: DagBundle, sync_period_seconds: int) -> None:
        key_folder = f"{_KEYS}/{bundle.name}" if bundle.by_key else None
        data = {_CONNECTION: connection_json(bundle.repository.url, key_folder=key_folder)}
        if bundle.by_key:
            data[KNOWN_HOSTS] = pinned_known_hosts(bundle.known_hosts, bundle.repository)
        secret = immutable_secret(
            f"{self._name}-{bundle.name}",
            self._namespace,
            {key: pulumi.Output.from_input(value) for key, value in data.items()},
            pulumi.ResourceOptions(parent=self),
        )
        self.env.append(from_secret(f"AIRFLOW_CONN_{bundle.connection_id.upper()}", secret, _CONNECTION))
        if bundle.secret is not None and bundle.by_key:
            self._mount(_key_volume(bundle.name, bundle.secret, secret), f"{_KEYS}/{bundle.name}")
        elif bundle.secret is not None:
            login = GitLogin(secret=bundle.secret, kind=GitLoginKind.TOKEN)
            self._mount(login_volume(login, f"git-login-{bundle.name}"), _login_folder(bundle))
        self.bundle_config.append(
            bundle_entry(
                bundle.name,
                bundle.connection_id,
                ref=bundle.ref,
                sub_path=bundle.sub_path,
                sync_period_seconds=sync_period_seconds,
                submodules=bundle.submodules,
            )
        )

    def _mount(self, volume: dict[str, Any], folder: str) -> None:
        self.volumes.append(volume)
        self.volume_mounts.append(login_mount(volume["name"], folder))


def _key_volume(bundle: str, key_secret: str, own_secret: pulumi.Input[str]) -> dict[str, Any]:
    """Return a volume with the key of another's Secret, and with the host keys."""
    sources = [
        {"secret": {"name": key_secret, "items": [{"key": SSH_PRIVATE_KEY, "path": PRIVATE_KEY}]}},
        {"secret": {"name": own_secret, "items": [{"key": KNOWN_HOSTS, "path": KNOWN_HOSTS}]}},
    ]
    # 0440: readable by the pod's group. ssh refuses that only for a file that its own user owns.
    return {"name": f"git-ssh-key-{bundle}", "projected": {"sources": sources, "defaultMode": 0o440}}


def _login_folder(bundle: DagBundle) -> str:
    return f"/etc/git-login/{bundle.name}"
