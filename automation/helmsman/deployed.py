"""The source of a stack that is deployed: its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import outputs
import versions
from automation.helmsman.source import ExportedStack, NotExportable, is_beside_release, source_of
from automation.plan.model import RELEASE_TYPE, PlannedResource

_STACK: Final = "pulumi:pulumi:Stack"


def from_state(stack: str, deployment: Mapping[str, Any]) -> ExportedStack | None:
    """Return the source of a deployed stack, or None where its state holds no release.

    Args:
        deployment: The state as the engine exports it.

    Raises:
        NotExportable: An update was interrupted, or the values hold a secret.
    """
    resources = [item for item in deployment.get("resources") or () if not item.get("delete")]
    release = next((item for item in resources if item["type"] == RELEASE_TYPE), None)
    if release is None:
        return None
    if deployment.get("pending_operations"):
        raise NotExportable(
            f"an update of stack {stack} was interrupted, so its state does not say what is there",
            f"python -m automation recover {stack}",
        )
    stack_outputs = next((item.get("outputs") or {} for item in resources if item["type"] == _STACK), {})
    return source_of(
        stack=stack,
        deployed=True,
        release=release["inputs"],
        chart_version=_chart_version(release.get("outputs") or {}),
        kube_context=stack_outputs.get(outputs.KUBE_CONTEXT),
        beside=[
            PlannedResource(
                urn=item["urn"],
                type=item["type"],
                name=item["urn"].rpartition("::")[2],
                component=False,
                inputs=item["inputs"],
            )
            for item in resources
            if is_beside_release(item["type"])
        ],
    )


def _chart_version(release: Mapping[str, Any]) -> str:
    """Return the chart's version by a release's outputs, or the pinned one where they do not say it."""
    status = release.get("status")
    version = (status.get("version") if isinstance(status, Mapping) else "") or release.get("version")
    return version if isinstance(version, str) and version else versions.AIRFLOW_CHART
