"""Finds what Kubernetes would refuse in a pod's volumes and in what its containers mount. Pure.

The limits are those of pkg/apis/core/validation/validation.go of Kubernetes 1.35.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from automation.plan.workload_refusals import QUANTITY, claim_problems
from components.kube.any_form import entries, mapping
from policy.model import UNKNOWN, get

LABEL_NAME: Final = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL_NAME_RULE: Final = "name it by at most 63 of a-z, 0-9 and -, with no - at the ends"
_SOURCES: Final[Mapping[str, str]] = {
    "configMap": "name",
    "csi": "driver",
    "persistentVolumeClaim": "claimName",
    "secret": "secretName",
}
"""Kinds of volumes, each with the field that it must have."""
_MOST_MODE: Final = 0o777


def volume_problems(volume: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a volume, its name left out."""
    name, sources = volume.get("name"), [key for key, value in volume.items() if key != "name" and value is not None]
    if isinstance(name, str) and not LABEL_NAME.fullmatch(name):
        yield f"with a bad name: {LABEL_NAME_RULE}"
    if len(sources) != 1:
        found = " and ".join(sources) or "no source"
        yield f"with {found}: give it one source, such as emptyDir: {{}}"
    for source, field in _SOURCES.items():
        if source in sources and not get(volume, f"{source}.{field}"):
            yield f"without {source}.{field}: name what it mounts"
    for source in sources:
        yield from _mode_problems(source, mapping(volume[source]))
    size = get(volume, "emptyDir.sizeLimit")
    if isinstance(size, str) and not QUANTITY.fullmatch(size):
        yield f"with emptyDir.sizeLimit {size}: write an amount of Kubernetes, such as 10Gi"
    yield from claim_problems(mapping(get(volume, "ephemeral.volumeClaimTemplate.spec")))


def _mode_problems(source: str, body: Mapping[str, Any]) -> Iterator[str]:
    modes = [("defaultMode", body.get("defaultMode"))]
    modes += [("mode", item.get("mode")) for item in entries(body.get("items"))]
    for field, mode in modes:
        if isinstance(mode, int) and not 0 <= mode <= _MOST_MODE:
            meant = re.fullmatch("[0-7]{3}", str(mode))
            way = f"{int(meant[0], 8)}, which is octal {meant[0]}" if meant else f"0 to {_MOST_MODE}"
            yield f"with {source}.{field} {mode}: write {way}"


def mount_problems(mount: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with what a container mounts."""
    path, below = mount.get("mountPath"), mount.get("subPath")
    if path is not UNKNOWN and (not path or ":" in str(path)):
        yield f"at {path!r}: write a path without a colon, such as /data"
    if isinstance(below, str) and (below.startswith("/") or ".." in below.split("/")):
        yield f"with subPath {below}: write a path in the volume, without / before it and without .."
    if below and mount.get("subPathExpr"):
        yield "with subPath and subPathExpr: give one of the two"
