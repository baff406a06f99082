"""An object without the SDK's models is registered as the SDK's own class registers it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as k8s
from google.protobuf import json_format

from components.kube.kube_object import KubeObject

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

SDK: Final[tuple[tuple[Any, str, str], ...]] = (
    (k8s.core.v1.Namespace, "v1", "Namespace"),
    (k8s.core.v1.ConfigMap, "v1", "ConfigMap"),
    (k8s.core.v1.Secret, "v1", "Secret"),
    (k8s.core.v1.Service, "v1", "Service"),
    (k8s.core.v1.PersistentVolumeClaim, "v1", "PersistentVolumeClaim"),
    (k8s.apps.v1.Deployment, "apps/v1", "Deployment"),
    (k8s.apps.v1.StatefulSet, "apps/v1", "StatefulSet"),
    (k8s.batch.v1.Job, "batch/v1", "Job"),
    (k8s.batch.v1.CronJob, "batch/v1", "CronJob"),
    (k8s.networking.v1.NetworkPolicy, "networking.k8s.io/v1", "NetworkPolicy"),
    (k8s.policy.v1.PodDisruptionBudget, "policy/v1", "PodDisruptionBudget"),
    (k8s.rbac.v1.Role, "rbac.authorization.k8s.io/v1", "Role"),
    (k8s.rbac.v1.RoleBinding, "rbac.authorization.k8s.io/v1", "RoleBinding"),
    (
        k8s.admissionregistration.v1.ValidatingAdmissionPolicy,
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicy",
    ),
    (
        k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding,
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
    ),
)
"""Every kind that a component registers by the generic class, and that the SDK has a class of."""


def test_every_kind_is_registered_as_the_sdk_registers_it(record: Record) -> None:
    metadata = {"namespace": "ns", "labels": {"a": "b"}}
    needed: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "CronJob": ({"spec": {}}, {"spec": {}}),
        "RoleBinding": ({"role_ref": {"kind": "Role"}}, {"roleRef": {"kind": "Role"}}),
        "ValidatingAdmissionPolicyBinding": ({"spec": {}}, {"spec": {}}),
    }

    def program() -> None:
        for sdk, api_version, kind in SDK:
            theirs, ours = needed.get(kind, ({}, {}))
            sdk("theirs", metadata=metadata, **theirs)
            KubeObject(api_version, kind, "ours", {"metadata": metadata, **ours})

    recorder = record(program)
    requests = {}
    for item in recorder.every():
        request = json_format.MessageToDict(item.request)
        requests[item.type, item.name] = {
            field: value for field, value in request.items() if field not in ("name", "sourcePosition", "stackTrace")
        }
    assert len(requests) == 2 * len(SDK)
    for type_, name in requests:
        assert requests[type_, "ours"] == requests[type_, "theirs"], name


def test_name_is_the_one_in_the_cluster_and_fields_may_be_outputs(record: Record) -> None:
    names: list[str] = []

    def program() -> None:
        fields = {"metadata": {"namespace": pulumi.Output.from_input("ns")}, "data": {"key": pulumi.Output.secret("s")}}
        KubeObject("v1", "ConfigMap", "map", fields).name.apply(names.append)

    item = record(program).one("kubernetes:core/v1:ConfigMap", "map")
    assert item.inputs["metadata"] == {"namespace": "ns"}
    assert names
    assert names[0].startswith("map-")


def test_program_of_a_stack_loads_no_models_of_the_core_group() -> None:
    """They would be loaded by anything that uses the SDK's class of a single object."""
    code = (
        "import sys, pulumi_kubernetes\n"
        "import components.airflow_platform, providers\n"
        "print(sorted(name for name in sys.modules if name.startswith('pulumi_kubernetes.core.v1._')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
