"""The user name and token with which git-sync fetches DAGs from a private HTTPS repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kube.immutable_secret import immutable_secret
from components.kube.secret import SecretInput

TYPE: Final = "airflow:index:GitToken"


@dataclass(frozen=True, kw_only=True)
class GitTokenArgs:
    """Arguments of `GitToken`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    username: str
    """User name for HTTPS basic authentication."""
    token: SecretInput
    """Token that the Git host accepts as the password."""


class GitToken(pulumi.ComponentResource):
    """The credentials of a private HTTPS repository, in the Secret that git-sync reads.

    Raises: nothing of its own.
    Replaces: another token makes another Secret; the pods that fetch DAGs roll.
    Survives a destroy: nothing.
    """

    secret: pulumi.Output[str]
    """Name of the Secret with the four keys that the chart's `dags.gitSync.credentialsSecret` requires."""

    def __init__(self, name: str, args: GitTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        username = pulumi.Output.from_input(args.username)
        self.secret = immutable_secret(
            name,
            args.namespace,
            {
                # The chart refers to the names of git-sync 3 and 4, and a pod does not start if one is missing.
                "GIT_SYNC_USERNAME": username,
                "GITSYNC_USERNAME": username,
                "GIT_SYNC_PASSWORD": args.token,
                "GITSYNC_PASSWORD": args.token,
            },
            pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"secret": self.secret})
