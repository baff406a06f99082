"""The Secret with credentials for private registries, which pods name in `imagePullSecrets`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kube.immutable_secret import immutable_secret
from components.kube.secret import SecretInput

TYPE: Final = "airflow:index:ImagePullSecret"


@dataclass(frozen=True, kw_only=True)
class ImagePullSecretArgs:
    """Arguments of `ImagePullSecret`."""

    namespace: pulumi.Input[str]
    """Namespace of the Secret."""
    docker_config: SecretInput
    """A Docker config.json with `auths`."""


class ImagePullSecret(pulumi.ComponentResource):
    """A Secret of type `kubernetes.io/dockerconfigjson`, created before the first pod pulls an image.

    Raises: nothing of its own; the settings validate the content.
    Replaces: other credentials make another Secret; every pod that names it rolls.
    Survives a destroy: nothing.
    """

    secret: pulumi.Output[str]
    """Name of the Secret."""

    def __init__(self, name: str, args: ImagePullSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self.secret = immutable_secret(
            name,
            args.namespace,
            {".dockerconfigjson": args.docker_config},
            pulumi.ResourceOptions(parent=self),
            type_="kubernetes.io/dockerconfigjson",
        )
        self.register_outputs({"secret": self.secret})
