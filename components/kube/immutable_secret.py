"""Kubernetes Secrets as this program creates them: immutable, with a generated name."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.kube.secret import SecretInput, secret_output


def immutable_secret(
    name: str,
    namespace: pulumi.Input[str],
    data: Mapping[str, SecretInput],
    opts: pulumi.ResourceOptions,
    *,
    type_: str = "Opaque",
) -> pulumi.Output[str]:
    """Create a Secret named `name-<hex>`, and return this name. Other data makes another Secret under another name.

    The pods that refer to it then roll, and the old Secret stays until they have. No kubelet serves a stale copy, which
    can happen to a Secret that is recreated under its name (github.com/kubernetes/kubernetes/issues/131589).
    """
    secret = KubeObject(
        "v1",
        "Secret",
        name,
        {
            "metadata": object_metadata(namespace),
            "immutable": True,
            "type": type_,
            "stringData": pulumi.Output.secret({key: secret_output(value) for key, value in data.items()}),
        },
        opts,
    )
    return pulumi.Output.unsecret(secret.name)  # it is not secret although the data is
