"""An object without the SDK's models is registered as the SDK's own class registers it."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_kubernetes as k8s
from google.protobuf import json_format

from components.kube.kube_object import KubeObject

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

SDK: Final = {
    "core.v1.Namespace": "v1",
    "core.v1.ConfigMap": "v1",
    "core.v1.Secret": "v1",
    "core.v1.Service": "v1",
    "core.v1.PersistentVolumeClaim": "v1",
    "apps.v1.Deployment": "apps/v1",
    "apps.v1.StatefulSet": "apps/v1",
    "batch.v1.Job": "batch/v1",
    "batch.v1.CronJob": "batch/v1",
    "networking.v1.NetworkPolicy": "networking.k8s.io/v1",
    "policy.v1.PodDisruptionBudget": "policy/v1",
    "rbac.v1.Role": "rbac.authorization.k8s.io/v1",
    "rbac.v1.RoleBinding": "rbac.authorization.k8s.io/v1",
    "admissionregistration.v1.ValidatingAdmissionPolicy": "admissionregistration.k8s.io/v1",
    "admissionregistration.v1.ValidatingAdmissionPolicyBinding": "admissionregistration.k8s.io/v1",
}
"""API version of every kind that a component registers by the generic class, by the name of the SDK's class of it. The
models of a group load slowly, so only the test that needs them does it."""


def test_every_kind_is_registered_as_the_sdk_registers_it(record: Record) -> None:
    metadata = {"namespace": "ns", "labels": {"a": "b"}}
    needed: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "CronJob": ({"spec": {}}, {"spec": {}}),
        "RoleBinding": ({"role_ref": {"kind": "Role"}}, {"roleRef": {"kind": "Role"}}),
        "ValidatingAdmissionPolicyBinding": ({"spec": {}}, {"spec": {}}),
    }

    def program() -> None:
        for name, api_version in SDK.items():
            kind = name.rpartition(".")[2]
            theirs, ours = needed.get(kind, ({}, {}))
            attrgetter(name)(k8s)("theirs", metadata=metadata, **theirs)
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
