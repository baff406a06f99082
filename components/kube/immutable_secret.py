"""The one way in which this program makes a Kubernetes Secret: immutable, with a generated name."""

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
    """A Secret named `name-<hex>`. Other data makes another Secret under another name.

    So the pods that refer to it roll, the old one stays until they have, and no kubelet serves a stale copy: a Secret
    made again under one name may be served from the cache (github.com/kubernetes/kubernetes/issues/131589).
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
    """The generated name, in plain: a Secret's secret data must not make the name one."""
    return pulumi.Output.unsecret(secret.metadata.name)
