"""A state without what was in a cluster that is gone. Pure.

The Kubernetes provider has an option that forgets what it cannot reach, but it refuses that for a release of Helm
(pulumi-kubernetes 4.32.0: "can't delete Helm Release with unreachable cluster").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OF_KUBERNETES: Final = "kubernetes:"


def without_kubernetes(deployment: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a state without objects and releases of Kubernetes, and what was left out: type and name of each.

    Interrupted steps of such resources are left out too.

    deployment: As the engine stores it. Nothing else in it may belong to what is left out.
    """
    resources = [dict(item) for item in deployment.get("resources") or ()]
    gone = {item["urn"] for item in resources if str(item["type"]).startswith(_OF_KUBERNETES)}
    kept = [_without(item, gone) for item in resources if item["urn"] not in gone]
    steps = list(deployment.get("pending_operations") or ())
    pending = [step for step in steps if not str(step["resource"]["type"]).startswith(_OF_KUBERNETES)]
    gone.update(step["resource"]["urn"] for step in steps if step not in pending)
    names = tuple(f"{urn.split('::')[-2].rpartition('$')[2]} {urn.split('::')[-1]}" for urn in sorted(gone))
    left = {**deployment, "resources": kept}
    return ({**left, "pending_operations": pending} if steps else left), names


def _without(resource: dict[str, Any], gone: set[str]) -> dict[str, Any]:
    """Return a resource that depends on none of them any more."""
    found = dict(resource)
    if "dependencies" in found:
        found["dependencies"] = [urn for urn in found["dependencies"] if urn not in gone]
    if "propertyDependencies" in found:
        found["propertyDependencies"] = {
            name: [urn for urn in urns or () if urn not in gone]
            for name, urns in (found["propertyDependencies"] or {}).items()
        }
    if found.get("deletedWith") in gone:
        del found["deletedWith"]
    return found
