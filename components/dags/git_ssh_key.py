"""The SSH key with which DAGs are fetched, and the host keys that are trusted, in one Secret.

Without known_hosts the chart would switch host key checking off; this component cannot be used without them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.dags.git_repository import GitRepository
from components.dags.known_hosts import pinned_known_hosts
from components.kube.immutable_secret import immutable_secret
from components.kube.secret import SecretInput

TYPE: Final = "airflow:index:GitSshKey"

PRIVATE_KEY: Final = "gitSshKey"
"""Data key of the SSH key, as the chart reads it."""
KNOWN_HOSTS: Final = "known_hosts"


@dataclass(frozen=True, kw_only=True)
class GitSshKeyArgs:
    """Arguments of `GitSshKey`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    repository: GitRepository
    """An SSH repository."""
    private_key: SecretInput
    """OpenSSH private key without a passphrase; see `ssh_private_key.normalise_private_key`."""
    known_hosts: str | None
    """Lines in known_hosts format, or None for the published keys of a well-known host."""


class GitSshKey(pulumi.ComponentResource):
    """The deploy key of an SSH repository, with its pinned host keys.

    Raises: ValueError if known_hosts lacks the repository's host, or has a key for a well-known host that the host has
    not published.
    Replaces: another key makes another Secret; the pods that fetch DAGs roll.
    Survives a destroy: nothing.
    """

    secret: pulumi.Output[str]
    """Name of the Secret with keys `gitSshKey` and `known_hosts`."""
    known_hosts: str
    """Checked lines, as the chart's `dags.gitSync.knownHosts` takes them."""

    def __init__(self, name: str, args: GitSshKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self.known_hosts = pinned_known_hosts(args.known_hosts, args.repository)
        self.secret = immutable_secret(
            name,
            args.namespace,
            {
                PRIVATE_KEY: args.private_key,
                KNOWN_HOSTS: pulumi.Output.from_input(self.known_hosts),
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"secret": self.secret, "known_hosts": self.known_hosts})
