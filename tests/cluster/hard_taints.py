"""Hard taints on every node, which no stack beside that of the test may notice.

Pods of every other namespace get a toleration while they are made, by a MutatingAdmissionPolicy. So a test with taints
can run beside others, and one that was killed leaves a cluster that works.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import pytest
from kubernetes import client as kubernetes

POLICY: Final = "airflow-tests-tolerate"
_API: Final = "admissionregistration.k8s.io/v1"
_IN_FORCE_SECONDS: Final = 60


@dataclass(frozen=True)
class HardTaints:
    """The taints of a test."""

    api: Any
    namespace: str
    """Whose pods get no toleration."""
    keys: Sequence[str]
    """Keys of all taints that the test sets."""

    def set(self, *keys: str) -> None:
        """Give every node the taints of these keys, and no other one of the test."""
        for node in self.api.list_node().items:
            others = [taint for taint in self._plain(node.spec.taints) if taint["key"] not in self.keys]
            mine = [{"key": key, "value": "tests", "effect": "NoSchedule"} for key in keys]
            self.api.patch_node(node.metadata.name, {"spec": {"taints": [*others, *mine] or None}})

    def tolerate_waiting(self) -> None:
        """Give the tolerations to pods of other namespaces that were made before the policy and have no node yet."""
        for pod in self.api.list_pod_for_all_namespaces(field_selector="status.phase=Pending").items:
            if pod.metadata.namespace == self.namespace or pod.spec.node_name:
                continue
            given = self._plain(pod.spec.tolerations)
            missing = [each for each in self.tolerations if each["key"] not in {item.get("key") for item in given}]
            if missing:
                body = {"spec": {"tolerations": [*given, *missing]}}
                with suppress(kubernetes.ApiException):  # it may be gone by now
                    self.api.patch_namespaced_pod(pod.metadata.name, pod.metadata.namespace, body)

    @property
    def tolerations(self) -> list[dict[str, str]]:
        return [{"key": key, "operator": "Exists"} for key in self.keys]

    def in_force(self) -> bool:
        """Whether pods of other namespaces get the tolerations."""
        pod = {"metadata": {"generateName": "trial-"}, "spec": {"containers": [{"name": "trial", "image": "trial"}]}}
        made = self.api.create_namespaced_pod("default", pod, dry_run="All")
        return set(self.keys) <= {toleration.key for toleration in made.spec.tolerations or ()}

    def policy_spec(self) -> dict[str, Any]:
        pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        others = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [self.namespace]}
        return {
            "failurePolicy": "Ignore",
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": [pods], "namespaceSelector": {"matchExpressions": [others]}},
            "mutations": [
                {"patchType": "JSONPatch", "jsonPatch": {"expression": _tolerated(key)}} for key in self.keys
            ],
        }

    def _plain(self, items: Any) -> list[dict[str, Any]]:
        return list(self.api.api_client.sanitize_for_serialization(items or []))


def _tolerated(key: str) -> str:
    """Return the expression that adds a toleration."""
    toleration = f'Object.spec.tolerations{{key: "{key}", operator: "Exists"}}'
    return (
        "has(object.spec.tolerations) ? "
        f'[JSONPatch{{op: "add", path: "/spec/tolerations/-", value: {toleration}}}] : '
        f'[JSONPatch{{op: "add", path: "/spec/tolerations", value: [{toleration}]}}]'
    )


@contextmanager
def hard_taints(api: Any, namespace: str, *keys: str) -> Iterator[HardTaints]:
    """Let pods of other namespaces tolerate the keys, and yield what sets taints. Nothing of it is left at the end."""
    taints = HardTaints(api, namespace, keys)
    admission: Any = kubernetes.AdmissionregistrationV1Api(api.api_client)
    served = {item.name for item in admission.get_api_resources().resources}
    if "mutatingadmissionpolicies" not in served:
        pytest.skip(f"no MutatingAdmissionPolicy in {_API} (Kubernetes 1.36), by which other stacks tolerate a taint")
    _removed(taints, admission)  # by a run that was killed
    try:
        metadata = {"name": POLICY}
        admission.create_mutating_admission_policy({"metadata": metadata, "spec": taints.policy_spec()})
        admission.create_mutating_admission_policy_binding({"metadata": metadata, "spec": {"policyName": POLICY}})
        deadline = time.monotonic() + _IN_FORCE_SECONDS
        while not taints.in_force():
            assert time.monotonic() < deadline, "the policy is not in force"
            time.sleep(1)
        taints.tolerate_waiting()
        yield taints
    finally:
        _removed(taints, admission)


def _removed(taints: HardTaints, admission: Any) -> None:
    """Take the taints away, and then what lets other pods tolerate them."""
    taints.set()
    for delete in (
        admission.delete_mutating_admission_policy_binding,
        admission.delete_mutating_admission_policy,
    ):
        try:
            delete(POLICY)
        except kubernetes.ApiException as error:
            if error.status != 404:
                raise
