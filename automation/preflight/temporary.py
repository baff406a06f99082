"""Objects that the checks need, and that are there only as long as the checks run.

The config may be another than the deployed one, or nothing may be deployed. So the Secrets that the documents name are
made anew, from what the program registers, under names of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from automation.plan.recorder import Recorder, Registration
from components.kube.client import KubeApi, KubeRequestFailed
from components.kube.kubeconfig import KubeUnreachable
from components.preflight.checks import DOCUMENT

_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"
_NAMED: Final = {"kubernetes:core/v1:Secret": "Secret", _CONFIG_MAP: "ConfigMap"}
_LABELS: Final = {"airflow-preflight": "true"}


def documents(recorder: Recorder) -> list[str]:
    """Return the documents of the checks that a program has registered."""
    data = [item.revealed.get("data") or {} for item in recorder.every(_CONFIG_MAP)]
    return [str(item[DOCUMENT]) for item in data if DOCUMENT in item]


@contextmanager
def present(api: KubeApi, namespace: str, recorder: Recorder, texts: Sequence[str]) -> Iterator[None]:
    """Make what the documents name, and delete it at the end. Raises KubeRequestFailed, KubeUnreachable.

    A namespace that does not exist is made with its network policies, and deleted with all that is in it. One that
    exists keeps the policies that it has.

    Args:
        api: The cluster.
        namespace: The stack's namespace.
        recorder: What the program registered.
        texts: The documents.
    """
    is_new = api.get("v1", "Namespace", "", namespace) is None
    made: list[tuple[str, str]] = []
    try:
        if is_new:
            labels = recorder.one(_NAMESPACE).revealed["metadata"]["labels"]
            metadata = {"name": namespace, "labels": {**labels, **_LABELS}}
            api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, "")
            for number, policy in enumerate(recorder.every(_POLICY)):
                metadata = {"name": f"airflow-preflight-{number}"}
                spec = policy.revealed["spec"]
                api.create(
                    {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec},
                    namespace,
                )
        for item in _named(recorder, texts):
            manifest = _manifest(item)
            api.create(manifest, namespace)
            made.append((manifest["kind"], manifest["metadata"]["name"]))
        yield
    finally:
        with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
            if is_new:
                api.delete("v1", "Namespace", "", namespace)
            for kind, name in () if is_new else made:
                api.delete("v1", kind, namespace, name)


def _named(recorder: Recorder, texts: Sequence[str]) -> list[Registration]:
    """Return the Secrets and ConfigMaps that a document names."""
    candidates = [item for type_ in _NAMED for item in recorder.every(type_)]
    return [item for item in candidates if any(f'"{item.object_name}"' in text for text in texts)]


def _manifest(item: Registration) -> dict[str, Any]:
    content = item.revealed
    manifest: dict[str, Any] = {key: content[key] for key in ("data", "stringData", "type") if key in content}
    metadata = {"name": item.object_name, "labels": _LABELS}
    return {"apiVersion": "v1", "kind": _NAMED[item.type], "metadata": metadata, **manifest}
