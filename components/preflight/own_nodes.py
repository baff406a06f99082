"""Pods that pull images on nodes that not every pod of a release may run on, such as those of a worker group. Pure.

There is one pod for each placement that differs from that of all pods. A component that begins without a pod, such as a
group that KEDA scales from none, has no placement here: a node might have to be made for it first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from components.kube.images import Images
from components.preflight.finding import Finding, skipped
from components.preflight.lookups import ADMISSION
from components.preflight.needs import release_pods
from components.preflight.other_pods import chart_images, pulling_pod
from components.preflight.pods import PLACEMENT, pod_spec


@dataclass(frozen=True, kw_only=True)
class OwnNodes:
    """A placement that some components have."""

    components: tuple[str, ...]
    """Their names, as `release_pods` has them."""
    pod: Mapping[str, Any]
    """Metadata and spec of a pod with a container for each of their images."""

    @property
    def name(self) -> str:
        """The first component, as a part of a name."""
        return re.sub(r"[^a-z0-9]+", "-", self.components[0].lower())

    @property
    def about(self) -> dict[str, Any]:
        """What the texts name."""
        return {"components": list(self.components)}


def own_nodes(
    values: Mapping[str, Any], images: Images, release_name: str, said: Mapping[str, Any]
) -> Iterator[OwnNodes]:
    """Yield the placements of a release's pods, except that of all pods.

    Args:
        values: The values of the release, with the chart's own below them.
        images: The images of the stack.
        release_name: Value of the chart's label `release`.
        said: What a team says of the security context of all pods.
    """
    everywhere, found = _placement(pod_spec(values, "", images, {})), dict[str, list[dict[str, Any]]]()
    for item in release_pods(values, images, release_name):
        placement = _placement(item["pod"]["spec"])
        if placement != everywhere:
            found.setdefault(json.dumps(placement, sort_keys=True), []).append(item)
    roles = {reference: key for key, reference in chart_images(values).items()}
    for placement_text, items in found.items():
        used = dict.fromkeys(each["image"] for item in items for each in item["pod"]["spec"]["containers"])
        references = {roles.get(image, "airflow"): image for image in used}
        pod = pulling_pod(references, values, images, said)
        kept = {key: value for key, value in pod["spec"].items() if key not in PLACEMENT}
        yield OwnNodes(
            components=tuple(item["component"] for item in items),
            pod={**pod, "spec": {**kept, **json.loads(placement_text)}},
        )


def on_own_nodes(findings: Iterable[Finding], about: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what was found of a pod's images, with the components on whose nodes it is so.

    A pod that is not admitted says nothing: it may only be one too many for a quota, and the release's are tried apart.
    """
    where = f"on the nodes of {', '.join(about['components'])}"
    return tuple(
        skipped(f"images {where}", finding.what)
        if finding.check == ADMISSION
        else replace(finding, check=f"{finding.check} {where}", what=f"{finding.what} ({where})")
        for finding in findings
    )


def _placement(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return which nodes a pod may run on. What it says of other pods is about the pods of the release."""
    chosen = {key: spec[key] for key in PLACEMENT if key in spec}
    if "affinity" in chosen:
        nodes = chosen.pop("affinity").get("nodeAffinity")
        chosen |= {"affinity": {"nodeAffinity": nodes}} if nodes else {}
    return chosen
