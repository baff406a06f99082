"""Kubernetes Secrets as this program creates them: immutable, with a generated name."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as k8s

from components.kube.metadata import object_metadata
from components.kube.secret import secret_output


def immutable_secret(
    name: str,
    namespace: pulumi.Input[str],
    data: Mapping[str, pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
    *,
    type_: str = "Opaque",
) -> k8s.core.v1.Secret:
    """Create a Secret named `name-<hex>`. Other data makes another Secret under another name.

    The pods that refer to it then roll, and the old Secret stays until they have. No kubelet serves a stale copy, which
    can happen to a Secret that is recreated under its name (github.com/kubernetes/kubernetes/issues/131589).
    """
    return k8s.core.v1.Secret(
        name,
        metadata=object_metadata(namespace),
        immutable=True,
        type=type_,
        string_data={key: secret_output(value) for key, value in data.items()},
        opts=opts,
    )


def secret_name(secret: k8s.core.v1.Secret) -> pulumi.Output[str]:
    """Return the generated name, which is not secret although the Secret's data is."""
    return pulumi.Output.unsecret(secret.metadata.name)
