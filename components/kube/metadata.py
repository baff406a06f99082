"""Labels and annotations of the objects that the program owns outside the Helm release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pulumi
import pulumi_kubernetes as k8s

LABELS: Final = {"app.kubernetes.io/part-of": "airflow", "app.kubernetes.io/managed-by": "pulumi"}


def object_metadata(
    namespace: pulumi.Input[str], labels: Mapping[str, str] | None = None, *, skip_await: bool = False
) -> k8s.meta.v1.ObjectMetaArgs:
    """Metadata without a name: the provider generates one, so that a replacement can stand beside what it replaces.

    skip_await: the provider registers the object without waiting until it is ready.
    """
    return k8s.meta.v1.ObjectMetaArgs(
        namespace=namespace,
        labels={**LABELS, **(labels or {})},
        annotations={"pulumi.com/skipAwait": "true"} if skip_await else None,
    )
