"""KubernetesExecutor's rights: the scheduler's, and just what it needs to run task pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from components.release.task_pod_access import TaskPodAccess, TaskPodAccessArgs

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def made(record: Record) -> Recorder:
    args = TaskPodAccessArgs(namespace="ns", scheduler_service_account="airflow-scheduler")
    return record(lambda: TaskPodAccess("tasks", args))


def test_scheduler_alone_is_bound_to_the_role(record: Record) -> None:
    recorder = made(record)
    binding = recorder.one("kubernetes:rbac.authorization.k8s.io/v1:RoleBinding").inputs
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "airflow-scheduler", "namespace": "ns"}]
    role = recorder.outputs[recorder.one("airflow:index:TaskPodAccess").urn]["role"]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}


def test_role_makes_and_watches_pods_and_nothing_else(record: Record) -> None:
    rules = made(record).one("kubernetes:rbac.authorization.k8s.io/v1:Role").inputs["rules"]
    granted = {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert {verb for _, resource, verb in granted if resource == "pods"} == {
        "create",
        "get",
        "list",
        "watch",
        "patch",
        "delete",
    }
    assert {resource for _, resource, _ in granted} == {"pods", "pods/log", "events"}, "no Secrets, no exec"
    assert {group for group, _, _ in granted} == {""}
    assert "*" not in {part for grant in granted for part in grant}
