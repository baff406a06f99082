"""The policies as objects of the namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from components.chart_values.executor import Executor
from components.database import container
from components.network.database_place import DatabasePods
from components.network.isolation import NetworkIsolation, NetworkIsolationArgs
from components.network.isolation_rules import IsolationRules
from components.network.policies import network_policies

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]


def in_json(value: Any) -> Any:
    """As the engine gives it: lists, no tuples."""
    if isinstance(value, dict):
        return {key: in_json(item) for key, item in value.items()}
    return [in_json(item) for item in value] if isinstance(value, list | tuple) else value


def test_every_policy_of_the_set_is_made_as_it_is(record: Record) -> None:
    rules = IsolationRules(
        release_name="airflow",
        executor=Executor.CELERY,
        database=DatabasePods(labels=container.POD_LABELS, port=5432),
        pgbouncer=True,
        egress_except=("169.254.169.254/32",),
        ui_namespaces=("ingress-nginx",),
        metrics_namespaces=(),
    )
    recorder = record(lambda: NetworkIsolation("walls", NetworkIsolationArgs(namespace="ns", rules=rules)))
    policies = recorder.every("kubernetes:networking.k8s.io/v1:NetworkPolicy")
    found = {policy.name.removeprefix("walls-"): policy.inputs["spec"] for policy in policies}
    assert found == {name: in_json(spec) for name, spec in network_policies(rules).items()}
    assert {policy.inputs["metadata"]["namespace"] for policy in policies} == {"ns"}
