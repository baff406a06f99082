"""Converts resources of the engine, objects of the cluster and manifests of charts into the model."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from components.kube.any_form import MAPS, mapping
from policy.model import UNKNOWN, JudgedResource, RenderedObject, get

# sdk/go/common/resource/plugin/rpc.go and properties.go of pulumi: how values stand that are not plain.
UNKNOWN_TEXTS: Final = {
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    "030794c1-ac77-496b-92df-f27374a8bd58",
    "e48ece36-62e2-4504-bad9-02848725956a",
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
}
_MASK: Final = "[secret]"
SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
"""Key and value in a map that stands for a secret (pulumi: sdk/go/common/resource/sig/sig.go)."""

TASK_POD: Final = "pod_template_file.yaml"
"""Key of the chart's ConfigMap with the pod in which KubernetesExecutor runs a task."""
TASK_POD_NAME: Final = "of a task"
"""The beginning of the name of such a pod here."""


def known(value: Any, refusals: tuple[type[Exception], ...] = ()) -> Any:
    """Return the value as maps, lists and scalars, with UNKNOWN for what is not known.

    refusals: Exceptions that a container raises when it is asked for an unknown value, as CrossGuard's do.
    """
    if isinstance(value, str):
        return UNKNOWN if value in UNKNOWN_TEXTS or value == _MASK else value
    if isinstance(value, MAPS):
        if value.get(SIGNATURE) == SECRET:
            return known(value["value"], refusals) if "value" in value else UNKNOWN
        return {str(key): _item(value, key, refusals) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_item(value, index, refusals) for index in range(len(value))]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _item(container: Any, key: Any, refusals: tuple[type[Exception], ...]) -> Any:
    try:
        return known(container[key], refusals)
    except refusals:
        return UNKNOWN


# What Kubernetes and charts write


def object_of(body: Mapping[str, Any]) -> RenderedObject:
    """Convert one document of a manifest. An object without a name is one whose name is generated."""
    return RenderedObject(
        kind=_text(body.get("kind")),
        api_version=_text(body.get("apiVersion")),
        name=_text(get(body, "metadata.name")),
        namespace=_text(get(body, "metadata.namespace")),
        body=body,
    )


def objects_of(
    documents: Iterable[Mapping[str, Any]], resources: Iterable[JudgedResource] = ()
) -> list[RenderedObject]:
    """Convert the documents of a manifest, and the task pods that its ConfigMaps describe.

    Of the program's resources, the disruption budgets are among the objects: they may be for pods of the manifest.
    """
    budgets = (object_of_resource(item) for item in resources if item.type.endswith(":PodDisruptionBudget"))
    found = [budget for budget in budgets if budget is not None]
    for document in documents:
        found.append(object_of(document))
        found += _task_pods(found[-1])
    return found


def object_of_resource(resource: JudgedResource) -> RenderedObject | None:
    """Return the object that a resource makes in the cluster, under its logical name; None for other resources."""
    service, _, kind = resource.type.removeprefix("kubernetes:").rpartition(":")
    if not resource.is_kubernetes or service.startswith("helm.sh/"):
        return None
    return RenderedObject(
        kind=kind,
        api_version=_text(resource.inputs.get("apiVersion")) or service.removeprefix("core/"),
        name=resource.name,
        namespace=_text(get(resource.inputs, "metadata.namespace")),
        body=resource.inputs,
        urn=resource.urn,
    )


def secret_data(rendered: RenderedObject) -> dict[str, str]:
    """Return the content of a Secret by key, as far as it is known and is text."""
    found = {key: text for key, text in mapping(rendered.body.get("stringData")).items() if isinstance(text, str)}
    for key, text in mapping(rendered.body.get("data")).items():
        try:
            found.setdefault(key, base64.b64decode(text, validate=True).decode())
        except (TypeError, ValueError, binascii.Error):
            continue
    return found


def _task_pods(config_map: RenderedObject) -> Iterator[RenderedObject]:
    text = mapping(config_map.body.get("data")).get(TASK_POD)
    if config_map.kind != "ConfigMap" or not isinstance(text, str):
        return
    import yaml

    from components.kube.safe_yaml import load_yaml

    try:
        pod = load_yaml(text)
    except yaml.YAMLError:
        return
    if isinstance(pod, Mapping):
        yield RenderedObject(
            kind="Pod",
            api_version="v1",
            name=f"{TASK_POD_NAME} ({config_map.name})",
            namespace=config_map.namespace,
            body=pod,
        )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
