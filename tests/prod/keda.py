"""KEDA on the cluster of the tests, as far as a stack notices it: its APIs, and an operator that asks the database.

The operator is a pod with the operator's labels, in its namespace. It takes query and connection from the objects of
the stack, as KEDA does (pkg/scalers/postgresql_scaler.go), and asks when a test tells it. Nothing is scaled.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kubernetes import client as kubernetes
from kubernetes.stream import stream

import versions

NAMESPACE: Final = "keda"
OPERATOR: Final = "keda-operator"
STRANGER: Final = "stranger"
"""A pod beside the operator, without its labels."""
_GROUP: Final = "keda.sh"
_VERSION: Final = "v1alpha1"
_KINDS: Final = (
    (_GROUP, _VERSION, "ScaledObject"),
    (_GROUP, _VERSION, "TriggerAuthentication"),
    ("external.metrics.k8s.io", "v1beta1", "ExternalMetric"),
)
_SECONDS: Final = 120


@dataclass(frozen=True)
class Keda:
    """The stand-in, in the cluster."""

    api: Any

    def asks(self, namespace: str, pod: str = OPERATOR) -> str:
        """Return what the database answers to the query of the stack's only ScaledObject, or the error of psql."""
        objects: Any = kubernetes.CustomObjectsApi(self.api.api_client)
        [scaled] = objects.list_namespaced_custom_object(_GROUP, _VERSION, namespace, "scaledobjects")["items"]
        [trigger] = scaled["spec"]["triggers"]
        authentication = objects.get_namespaced_custom_object(
            _GROUP, _VERSION, namespace, "triggerauthentications", trigger["authenticationRef"]["name"]
        )
        [reference] = authentication["spec"]["secretTargetRef"]
        secret = self.api.read_namespaced_secret(reference["name"], namespace)
        connection = base64.b64decode(secret.data[reference["key"]]).decode()
        command = ["env", "PGCONNECT_TIMEOUT=10", "psql", connection, "-tAc", trigger["metadata"]["query"]]
        core = type(self.api)(self.api.api_client)
        options: Any = {"stderr": True, "stdin": False, "stdout": True, "tty": False}
        return str(
            stream(core.connect_get_namespaced_pod_exec, pod, NAMESPACE, command=command, **options),
        ).strip()


@contextmanager
def keda(api: Any) -> Iterator[Keda]:
    """Install it until the end of the block."""
    extensions: Any = kubernetes.ApiextensionsV1Api(api.api_client)
    for group, version, kind in _KINDS:
        extensions.create_custom_resource_definition(_definition(group, version, kind))
    api.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        for name, labels in ((OPERATOR, {"app": OPERATOR}), (STRANGER, {"app": STRANGER})):
            api.create_namespaced_pod(NAMESPACE, _pod(name, labels))
        deadline = time.monotonic() + _SECONDS
        while {pod.status.phase for pod in api.list_namespaced_pod(NAMESPACE).items} != {"Running"}:
            assert time.monotonic() < deadline, "KEDA's pods do not start"
            time.sleep(1)
        yield Keda(api)
    finally:
        api.delete_namespace(NAMESPACE)
        for group, _, kind in _KINDS:
            extensions.delete_custom_resource_definition(f"{kind.lower()}s.{group}")


def _definition(group: str, version: str, kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "metadata": {
            "name": f"{plural}.{group}",
            # Kubernetes asks for it where a group is one of its own.
            "annotations": {"api-approved.kubernetes.io": "unapproved, a stand-in of a test"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


def _pod(name: str, labels: dict[str, str]) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "psql",
                    "image": f"postgres:{versions.POSTGRES_IMAGE_TAG}",
                    "command": ["sleep", "infinity"],
                }
            ],
        },
    }
