"""Labels and annotations of the program's own Kubernetes objects, outside of the Helm release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pulumi

LABELS: Final = {"app.kubernetes.io/part-of": "airflow", "app.kubernetes.io/managed-by": "pulumi"}


def cluster_labels(namespace: str) -> dict[str, str]:
    """Return the labels of an object of the whole cluster, by which the stack of a namespace knows its own."""
    return {**LABELS, "app.kubernetes.io/instance": namespace}


def object_metadata(
    namespace: pulumi.Input[str],
    labels: Mapping[str, str] | None = None,
    *,
    skip_await: bool = False,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return metadata without a name: the provider generates one, so that a replacement can exist beside the old one.

    With `skip_await`, the provider does not wait until the object is ready.
    """
    noted = {**({"pulumi.com/skipAwait": "true"} if skip_await else {}), **(annotations or {})}
    return {
        "namespace": namespace,
        "labels": {**LABELS, **(labels or {})},
        **({"annotations": noted} if noted else {}),
    }
