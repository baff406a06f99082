"""The state of a stack that has a release and its namespace, as if an update had made them.

It is made from the JSON of `pulumi stack export`. `pulumi import` is not used, because it reads the release's values
into the state, and a plain release may have keys and passwords in clear there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from automation.adoption.installed import RELEASE, InstalledRelease
from automation.engine.stack_state import NAMESPACE, kubernetes_outputs
from automation.engine.stack_state import RELEASE as RELEASE_TYPE
from automation.results import Step
from policy.convert import SECRET, SIGNATURE

_HARMLESS: Final = frozenset({"create", "update", "same", "read"})


def with_release(
    deployment: Mapping[str, Any],
    registered: Sequence[Mapping[str, Any]],
    release: InstalledRelease,
    provider_id: str,
) -> dict[str, Any]:
    """Return the deployment of an empty stack with namespace, release, and the resources that these refer to.

    Args:
        deployment: The deployment of the empty stack.
        registered: What the program registers (`operations.registered`).
        release: The release.
        provider_id: A new UUID, as the engine would give.

    Raises:
        ValueError: The program registers no release or no namespace.
    """
    by_urn = {item["urn"]: item for item in registered}
    adopted = {_only(registered, NAMESPACE): _namespace(release), _only(registered, RELEASE_TYPE): _release(release)}
    needed: dict[str, Mapping[str, Any]] = {}
    for urn in adopted:
        for item in _with_ancestors(by_urn, urn):
            for found in (*_with_ancestors(by_urn, _provider_urn(item)), item):
                needed.setdefault(found["urn"], found)
    resources = [_resource(item, by_urn, provider_id, adopted, release) for item in needed.values()]
    return {**deployment, "resources": resources}


def faults(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the steps of a preview that must not happen to a release that is taken over."""
    for step in steps:
        if step.operation not in _HARMLESS:
            paths = sorted(path for path, kind in step.properties.items() if kind.endswith("replace"))
            cause = f" ({', '.join(paths)})" if paths else ""
            yield f"{step}{cause}"
    for type_ in (NAMESPACE, RELEASE_TYPE):
        if any(step.type == type_ and step.operation == "create" for step in steps):
            yield f"create {type_.rpartition(':')[2]}, which already exists"


def _only(registered: Sequence[Mapping[str, Any]], type_: str) -> str:
    found = [str(item["urn"]) for item in registered if item["type"] == type_]
    if len(found) != 1:
        raise ValueError(f"expected one {type_} in the program, found {len(found)}")
    return found[0]


def _with_ancestors(by_urn: Mapping[str, Mapping[str, Any]], urn: str) -> list[Mapping[str, Any]]:
    """Return a resource and its parents, parents first: the engine wants each resource after what it refers to."""
    found, current = [], by_urn.get(urn)
    while current is not None:
        found.append(current)
        current = by_urn.get(current["parent"])
    return found[::-1]


def _provider_urn(item: Mapping[str, Any]) -> str:
    return str(item["provider"] or "").rpartition("::")[0]


def _resource(
    item: Mapping[str, Any],
    by_urn: Mapping[str, Mapping[str, Any]],
    provider_id: str,
    adopted: Mapping[str, Mapping[str, Any]],
    release: InstalledRelease,
) -> dict[str, Any]:
    urn, type_ = item["urn"], item["type"]
    made: dict[str, Any] = {"urn": urn, "type": type_, "custom": item["custom"]}
    if item["parent"] in by_urn:
        made["parent"] = item["parent"]
    if type_.startswith("pulumi:providers:"):
        return {**made, "id": provider_id, "inputs": item["inputs"], "outputs": item["inputs"]}
    if urn not in adopted:
        return made
    inputs = adopted[urn]
    id_ = release.namespace if type_ == NAMESPACE else f"{release.namespace}/{RELEASE}"
    # The provider keeps the inputs of a release as a secret and panics without it; the engine encrypts the plain text.
    secret = {SIGNATURE: SECRET, "plaintext": json.dumps(inputs)}
    return {
        **made,
        "id": id_,
        "inputs": inputs,
        "outputs": kubernetes_outputs(inputs) if type_ == NAMESPACE else {**inputs, "__inputs": secret},
        "provider": f"{_provider_urn(item)}::{provider_id}",
    }


def _namespace(release: InstalledRelease) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": release.namespace}}


def _release(release: InstalledRelease) -> dict[str, Any]:
    """Return the inputs of the release without its values: the first update gives it the stack's own."""
    return {
        "name": RELEASE,
        "namespace": release.namespace,
        "chart": release.chart,
        "version": release.chart_version,
        "values": {},
    }
