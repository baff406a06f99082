"""The secret of the OpenID Connect client, in the Secret that the API server reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kube.immutable_secret import immutable_secret
from components.kube.secret import SecretInput

TYPE: Final = "airflow:index:OidcClient"

CLIENT_SECRET: Final = "client-secret"
"""Data key of the client's secret."""


@dataclass(frozen=True, kw_only=True)
class OidcClientArgs:
    """Arguments of `OidcClient`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    client_secret: SecretInput
    """Secret of the client that is registered with the issuer."""


class OidcClient(pulumi.ComponentResource):
    """The credentials with which the API server asks the issuer who logs in.

    Raises: nothing of its own.
    Replaces: another client secret makes another Secret; the API server rolls.
    Survives a destroy: nothing.
    """

    secret: pulumi.Output[str]
    """Name of the Secret with the key `client-secret`."""

    def __init__(self, name: str, args: OidcClientArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        data = {CLIENT_SECRET: args.client_secret}
        self.secret = immutable_secret(name, args.namespace, data, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"secret": self.secret})
