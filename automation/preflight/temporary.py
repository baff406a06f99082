"""Objects that the checks need, and that are there only as long as the checks run.

The config may be another than the deployed one, or nothing may be deployed. So the Secrets and ConfigMaps that the
documents name are made anew, from what the program registers, under names of their own.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from automation.plan.recorder import Recorder, Registration
from components.kube.client import KubeApi
from components.kube.kubeconfig import KubeUnreachable
from components.kube.rest import KubeRequestFailed
from components.preflight.checks import DOCUMENT
from components.preflight.pod_run import LABEL

_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_POLICY: Final = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
_CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"
_NAMED: Final = {"kubernetes:core/v1:Secret": "Secret", _CONFIG_MAP: "ConfigMap"}
_LABELS: Final = {LABEL: "true"}
_LONGEST_NAME: Final = 63
_RANDOM_BYTES: Final = 3
_LEFT_SECONDS: Final = 600
"""The checks take less than a minute."""


def documents(recorder: Recorder) -> list[str]:
    """Return the documents of the checks that a program has registered."""
    data = [item.revealed.get("data") or {} for item in recorder.every(_CONFIG_MAP)]
    return [str(item[DOCUMENT]) for item in data if DOCUMENT in item]


@contextmanager
def present(api: KubeApi, namespace: str, recorder: Recorder, texts: Sequence[str]) -> Iterator[str]:
    """Make what the documents name, yield the namespace in which it is, and delete it at the end.

    First, what a killed preflight of this stack left is deleted.

    If the stack's namespace does not exist, a temporary one with its labels and network policies stands in for it. It
    has another name: an update or another preflight may make the real one meanwhile. If it exists, its own policies
    apply. Raises KubeRequestFailed, KubeUnreachable.

    Args:
        api: The cluster.
        namespace: The stack's namespace.
        recorder: What the program registered.
        texts: The documents.
    """
    _clean(api, namespace)
    with contextlib.ExitStack() as made:
        there = api.get("v1", "Namespace", "", namespace) if texts else {}
        if there is None:
            namespace = _make_namespace(api, namespace, recorder, made)
        elif (there.get("metadata") or {}).get("deletionTimestamp"):
            raise KubeRequestFailed(
                f"check anything in namespace {namespace}",
                "it is being deleted",
                "wait until kubectl get namespaces does not list it any more, and run this again",
            )
        for item in _named(recorder, texts):
            _make(api, _manifest(item), namespace, made)
        yield namespace


def _clean(api: KubeApi, namespace: str) -> None:
    """Delete what a killed preflight of this namespace left. What the user may not see or delete stays."""
    with contextlib.suppress(KubeRequestFailed):
        for item in api.items("v1", "Namespace", "", labels=_LABELS, metadata_only=True):
            if _stand_in(namespace).fullmatch(item["metadata"]["name"]) and _is_old(api, item):
                api.delete("v1", "Namespace", "", item["metadata"]["name"])
    for kind in _NAMED.values():
        with contextlib.suppress(KubeRequestFailed):
            for item in api.items("v1", kind, namespace, labels=_LABELS, metadata_only=True):
                if _is_old(api, item):
                    api.delete("v1", kind, namespace, item["metadata"]["name"])


def _is_old(api: KubeApi, item: Mapping[str, Any]) -> bool:
    """Return whether an object is older than any preflight that runs, by the cluster's own time."""
    made = datetime.fromisoformat(item["metadata"]["creationTimestamp"]).timestamp()
    return api.now is not None and api.now - made > _LEFT_SECONDS


def _stand_in(namespace: str) -> re.Pattern[str]:
    """Return what the names of the temporary namespaces of this one look like."""
    return re.compile(rf"{re.escape(_beginning(namespace))}-preflight-[0-9a-f]{{{2 * _RANDOM_BYTES}}}")


def _beginning(namespace: str) -> str:
    return namespace[: _LONGEST_NAME - len("-preflight-") - 2 * _RANDOM_BYTES].rstrip("-")


def _make_namespace(api: KubeApi, name: str, recorder: Recorder, made: contextlib.ExitStack) -> str:
    temporary = f"{_beginning(name)}-preflight-{secrets.token_hex(_RANDOM_BYTES)}"
    labels = recorder.one(_NAMESPACE).revealed["metadata"]["labels"]
    metadata = {"name": temporary, "labels": {**labels, **_LABELS}}
    _make(api, {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, "", made)
    for number, policy in enumerate(recorder.every(_POLICY)):
        manifest = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"{LABEL}-{number}"},
            "spec": policy.revealed["spec"],
        }
        api.create(manifest, temporary)  # it goes with its namespace
    return temporary


def _make(api: KubeApi, manifest: dict[str, Any], namespace: str, made: contextlib.ExitStack) -> None:
    """Create an object that `made` deletes."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]

    def delete() -> None:
        with contextlib.suppress(KubeRequestFailed, KubeUnreachable):
            api.delete("v1", kind, namespace, name)

    # Noted first: an interrupt may come when the cluster has made it, and its answer is not here yet.
    made.callback(delete)
    api.create(manifest, namespace)


def _named(recorder: Recorder, texts: Sequence[str]) -> list[Registration]:
    """Return the Secrets and ConfigMaps that a document names."""
    candidates = [item for type_ in _NAMED for item in recorder.every(type_)]
    return [item for item in candidates if any(f'"{item.object_name}"' in text for text in texts)]


def _manifest(item: Registration) -> dict[str, Any]:
    content = item.revealed
    manifest: dict[str, Any] = {key: content[key] for key in ("data", "stringData", "type") if key in content}
    metadata = {"name": item.object_name, "labels": _LABELS}
    return {"apiVersion": "v1", "kind": _NAMED[item.type], "metadata": metadata, **manifest}
