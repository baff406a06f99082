"""The config keys of monitoring."""

from __future__ import annotations

from typing import Any

from components.chart_values.connection_load import connection_load
from components.chart_values.metrics import Monitoring
from components.chart_values.scale import Scale
from tests.cases import each
from tests.samples import dev, external

ON = {"monitoring": "operator", "metricsNamespaces": ["monitoring"]}


def problems(**changes: Any) -> tuple[str, ...]:
    return dev().with_(changes).problems()


def test_it_is_off_unless_it_is_asked_for() -> None:
    assert dev().parse().platform.monitoring is Monitoring.OFF


def test_everything_reaches_its_place() -> None:
    page = "https://git.test/docs/monitoring.md"
    platform = dev().with_({**ON, "monitoringLabels": {"release": "prom"}, "runbookUrl": page}).parse().platform
    assert (platform.monitoring, platform.monitoring_labels) == (Monitoring.OPERATOR, {"release": "prom"})
    assert platform.runbook_url == page


def test_an_isolated_stack_must_admit_prometheus() -> None:
    (problem,) = problems(monitoring="annotations")
    assert problem.startswith("airflow:metricsNamespaces: expected the namespace of Prometheus")
    assert problems(monitoring="annotations", networkIsolation="off") == ()


def test_a_key_without_effect_is_refused() -> None:
    (problem,) = problems(**ON | {"monitoring": "annotations", "monitoringLabels": {"release": "prom"}})
    assert "airflow:monitoringLabels: must not be set without airflow:monitoring operator" in problem
    (problem,) = problems(runbookUrl="https://git.test/page")
    assert "airflow:runbookUrl: must not be set while airflow:monitoring is off" in problem


@each("labels", [{"release": "a b"}, {"": "a"}, {"a/b/c": "d"}, {"a": "x" * 64}])
def test_labels_are_such_as_kubernetes_takes(labels: dict[str, str]) -> None:
    (problem,) = problems(**ON, monitoringLabels=labels)
    assert "expected a label of Kubernetes" in problem


def test_values_that_would_blind_the_alerts_are_refused() -> None:
    values = {"statsd": {"enabled": False}, "config": {"metrics": {"legacy_names_on": "True"}}}
    found = problems(**ON, helmValues=values)
    assert [problem.split(": ")[1].split(" ")[0] for problem in found] == [
        "statsd.enabled",
        "config.metrics.legacy_names_on",
    ]
    assert problems(helmValues=values) == ()


def test_the_hook_that_tells_the_commit_is_not_replaced() -> None:
    hooks = {"postStart": {"exec": {"command": ["true"]}}, "preStop": {"exec": {"command": ["true"]}}}
    values = {"dags": {"gitSync": {"containerLifecycleHooks": hooks}}}
    (problem,) = problems(**ON, helmValues=values)
    assert "dags.gitSync.containerLifecycleHooks.postStart may not be set" in problem
    del hooks["postStart"]
    assert problems(**ON, helmValues=values) == ()


def test_the_exporter_s_connection_is_counted() -> None:
    with_, without = (connection_load(Scale(), {}, scalers=0, exporters=number) for number in (1, 0))
    assert with_.clients == without.clients + 1
    pooled = {"pgbouncerEnabled": True}
    before, after = (external().with_(changes).parse().platform.pgbouncer for changes in (pooled, pooled | ON))
    assert before is not None
    assert after is not None
    assert after.max_client_connections > before.max_client_connections


def test_what_would_blind_the_alerts_is_refused_in_variables_too() -> None:
    def told(values: dict[str, Any]) -> list[str]:
        return [text for text in dev().with_({**ON, "helmValues": values}).problems() if "beside airflow:mon" in text]

    for option in ("statsd_prefix", "metrics_allow_list", "stat_name_handler", "statsd_datadog_enabled"):
        value = "True" if option.endswith("enabled") else "x"
        name = f"AIRFLOW__METRICS__{option.upper()}"
        [problem] = told({"config": {"metrics": {option: value}}})
        assert f"config.metrics.{option} may not be set beside airflow:monitoring operator" in problem
        [problem] = told({"scheduler": {"env": [{"name": name, "value": value}]}})
        assert f"{name} in scheduler.env may not be set beside airflow:monitoring operator" in problem
    [problem] = told({"triggerer": {"enabled": False}})
    assert "triggerer.enabled may not be false beside airflow:monitoring operator, whose alert would never" in problem
    assert told({"config": {"metrics": {"metrics_block_list": "x"}}, "triggerer": {"enabled": True}}) == []
