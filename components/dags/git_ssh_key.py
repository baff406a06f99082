"""The SSH key that fetches DAGs, and the host keys that it may be shown to.

Owns one Secret. Without known_hosts the chart switches host key checking off; here there is no way to leave them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.dags.git_repository import GitRepository
from components.dags.known_hosts import pinned_known_hosts
from components.kube.immutable_secret import immutable_secret, secret_name
from components.kube.secret import SecretInput, secret_output

TYPE: Final = "airflow:index:GitSshKey"

PRIVATE_KEY: Final = "gitSshKey"
"""Data key that the chart reads."""
KNOWN_HOSTS: Final = "known_hosts"


@dataclass(frozen=True, kw_only=True)
class GitSshKeyArgs:
    """Arguments of `GitSshKey`.

    namespace: of the Secret.
    repository: an SSH repository.
    private_key: OpenSSH private key without a passphrase (see `ssh_private_key.normalise_private_key`).
    known_hosts: lines in known_hosts format; None for the published keys of a well-known host.
    """

    namespace: pulumi.Input[str]
    repository: GitRepository
    private_key: SecretInput
    known_hosts: str | None


class GitSshKey(pulumi.ComponentResource):
    """The deploy key of an SSH repository, with its pinned host keys.

    Raises: ValueError where known_hosts does not hold the repository's host, or holds a key for a well-known host
    that the host has not published.
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
        self.secret = secret_name(
            immutable_secret(
                name,
                args.namespace,
                {
                    PRIVATE_KEY: secret_output(args.private_key),
                    KNOWN_HOSTS: pulumi.Output.from_input(self.known_hosts),
                },
                pulumi.ResourceOptions(parent=self),
            )
        )
        self.register_outputs({"secret": self.secret, "known_hosts": self.known_hosts})
