"""The user name and token that fetch DAGs from a private HTTPS repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kube.immutable_secret import immutable_secret, secret_name
from components.kube.secret import SecretInput, secret_output

TYPE: Final = "airflow:index:GitToken"


@dataclass(frozen=True, kw_only=True)
class GitTokenArgs:
    """namespace: of the Secret. username, token: HTTPS basic authentication, as the Git host takes it."""

    namespace: pulumi.Input[str]
    username: str
    token: SecretInput


class GitToken(pulumi.ComponentResource):
    """The credentials of a private HTTPS repository, in the Secret that git-sync reads.

    Raises: nothing of its own.
    Replaces: another token makes another Secret; the pods that fetch DAGs roll.
    Survives a destroy: nothing.
    """

    secret: pulumi.Output[str]
    """Name of the Secret with the four keys that the chart's `dags.gitSync.credentialsSecret` must have."""

    def __init__(self, name: str, args: GitTokenArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        username, token = pulumi.Output.from_input(args.username), secret_output(args.token)
        self.secret = secret_name(
            immutable_secret(
                name,
                args.namespace,
                {
                    # Both spellings: the chart refers to those of git-sync 3 and 4, and a missing one stops the pod.
                    "GIT_SYNC_USERNAME": username,
                    "GITSYNC_USERNAME": username,
                    "GIT_SYNC_PASSWORD": token,
                    "GITSYNC_PASSWORD": token,
                },
                pulumi.ResourceOptions(parent=self),
            )
        )
        self.register_outputs({"secret": self.secret})
