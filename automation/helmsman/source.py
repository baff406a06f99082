"""The parts of a stack that Helmsman's files describe: the release, the objects beside it, the Secrets they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from automation.errors import AutomationError
from automation.helmsman.secrets import NamedSecret, named_secret, secret_path
from automation.plan.model import RELEASE_TYPE, PlannedResource
from components.kube.own_secrets import holds
from components.secrets.encodings import texts

SECRET_TYPE: Final = "kubernetes:core/v1:Secret"
_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_JOB: Final = "kubernetes:batch/v1:Job"
_KEYS: Final = {
    # value of the chart: key in its Secret
    "fernetKeySecretName": "fernet-key",
    "apiSecretKeySecretName": "api-secret-key",
    "jwtSecretName": "jwt-secret",
}
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"
_ENGINES: Final = "pulumi.com/"


class NotExportable(AutomationError):  # noqa: N818 - as its siblings in `errors`
    """The stack cannot be written as files for Helmsman."""


@dataclass(frozen=True, kw_only=True)
class ExportedStack:
    """A stack as Helmsman's files describe it."""

    stack: str
    """The stack's short name."""
    deployed: bool
    """The stack is deployed, and so its Secrets exist."""
    release: Mapping[str, Any]
    """Inputs of the Helm release."""
    chart_version: str
    """Version of the chart."""
    kube_context: str
    """The cluster's context in a kubeconfig, "" where it is not known."""
    namespace_labels: Mapping[str, str]
    """Labels of the namespace."""
    objects: tuple[Mapping[str, Any], ...]
    """The objects beside the release as manifests, ordered by kind and name; no Secret among them."""
    secrets: tuple[NamedSecret, ...]
    """Secrets that the values and the objects name."""
    made_up: tuple[str, ...] = ()
    """Values in the files that are placeholders, one clause each."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Helm values. A null takes the chart's default away, here as in the release: Pulumi's provider keeps it."""
        values: Mapping[str, Any] = self.release.get("values") or {}
        return values


def is_beside_release(type_: str) -> bool:
    """Return whether a resource of this type is a Kubernetes object that the program makes itself."""
    return type_.startswith("kubernetes:") and type_ != RELEASE_TYPE


def source_of(
    *,
    stack: str,
    deployed: bool,
    release: Mapping[str, Any],
    chart_version: str,
    kube_context: Any,
    beside: Iterable[PlannedResource],
    made_up: tuple[str, ...] = (),
) -> ExportedStack:
    """Return the source of a stack.

    Args:
        beside: The Kubernetes objects that the program makes itself.

    Raises:
        NotExportable: The Helm values or an object hold a secret.
    """
    beside = list(beside)
    objects = [_manifest(item) for item in beside if item.type not in (SECRET_TYPE, _NAMESPACE)]
    values = release.get("values") or {}
    for what, content in [("Helm values", values), *((_title(item), item) for item in objects)]:
        path = secret_path(content)
        if path is not None:
            raise NotExportable(
                f"{what} of stack {stack} hold a secret in {path}",
                "put it into a Secret, and name the Secret instead; a file for Helmsman must not hold it",
            )
    named = {text for content in (values, *objects) for text in texts(content)}
    secrets = [*(named_secret(item) for item in beside if item.type == SECRET_TYPE), *_of_others(values)]
    namespace = next((item.inputs for item in beside if item.type == _NAMESPACE), {})
    return ExportedStack(
        stack=stack,
        deployed=deployed,
        release=release,
        chart_version=chart_version,
        kube_context=kube_context if isinstance(kube_context, str) else "",
        namespace_labels=_without_engine(namespace.get("metadata") or {}).get("labels") or {},
        objects=tuple(sorted(objects, key=_title)),
        secrets=tuple(sorted((item for item in secrets if item.name in named), key=lambda item: item.name)),
        made_up=made_up,
    )


def _of_others(values: Mapping[str, Any]) -> list[NamedSecret]:
    """Return the Secrets with keys of Airflow that the stack does not make."""
    return [
        NamedSecret(name=name, type="Opaque", keys=(key,))
        for value, key in _KEYS.items()
        if (name := str(values.get(value) or "")) and holds(name) is None
    ]


def _manifest(resource: PlannedResource) -> dict[str, Any]:
    """Return an object as a person would apply it. Helmsman makes a Job anew at each run, so its name is fixed."""
    metadata = _without_engine(resource.inputs.get("metadata") or {})
    if resource.type == _JOB or not metadata.get("name"):
        metadata["name"] = resource.name
    return {**resource.inputs, "metadata": metadata}


def _without_engine(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata without the labels and annotations that say that Pulumi owns the object."""
    kept = dict(metadata)
    for field in ("labels", "annotations"):
        items = {
            key: item
            for key, item in (kept.pop(field, None) or {}).items()
            if key != _MANAGED_BY and not key.startswith(_ENGINES)
        }
        if items:
            kept[field] = items
    return kept


def _title(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"
