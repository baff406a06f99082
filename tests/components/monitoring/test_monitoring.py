"""What watches a stack, as it is registered in each mode."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from components.chart_values.metrics import Monitoring
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.monitoring.alerts import ALERTS
from components.monitoring.exporter import ExporterPod
from components.monitoring.monitoring import MonitoringArgs, StackMonitoring
from tests.components.monitoring.test_alerts import EVERYTHING

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Record = Callable[..., Recorder]

CONFIG_MAP: Final = "kubernetes:core/v1:ConfigMap"
DEPLOYMENT: Final = "kubernetes:apps/v1:Deployment"
POD_MONITOR: Final = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
RULES: Final = "kubernetes:monitoring.coreos.com/v1:PrometheusRule"


def made(record: Record, monitoring: Monitoring, keda_namespace: str | None = None) -> Recorder:
    exporter = ExporterPod(
        release_name="airflow",
        images=Images(tag="3.2.2"),
        metadata_secret="metadata-1",
        direct_ca=None,
        database_ca=None,
        tls_secret=None,
        monitoring=monitoring,
        pod=JobPod(),
    )
    args = MonitoringArgs(
        namespace="airflow",
        exporter=exporter,
        watched=EVERYTHING,
        labels={"release": "prometheus"},
        keda_namespace=keda_namespace,
    )
    return record(lambda: StackMonitoring("airflow-monitoring", args))


def test_without_an_operator_the_rules_are_a_file_that_prometheus_loads(record: Record) -> None:
    recorder = made(record, Monitoring.ANNOTATIONS)
    assert recorder.every(RULES) == recorder.every(POD_MONITOR) == []
    rules = recorder.one(CONFIG_MAP, "airflow-monitoring-alerts").inputs
    assert rules["metadata"]["labels"]["app.kubernetes.io/component"] == "alerts"
    [group] = json.loads(rules["data"]["airflow.rules.yaml"])["groups"]
    assert group["rules"]


def test_operator_selects_its_objects_by_the_labels_that_it_is_told(record: Record) -> None:
    recorder = made(record, Monitoring.OPERATOR)
    for type_ in (RULES, POD_MONITOR):
        assert recorder.one(type_).inputs["metadata"]["labels"]["release"] == "prometheus"
    assert [found.name for found in recorder.every(CONFIG_MAP)] == ["airflow-monitoring-dashboards"]


def test_monitor_looks_at_every_port_with_metrics(record: Record) -> None:
    spec = made(record, Monitoring.OPERATOR).one(POD_MONITOR).inputs["spec"]
    assert spec["selector"]["matchLabels"] == {"tier": "airflow", "release": "airflow"}
    named, git_sync = spec["podMetricsEndpoints"][:2], spec["podMetricsEndpoints"][2]
    assert [endpoint["port"] for endpoint in named] == ["statsd-scrape", "metrics"]
    keep, *addresses = git_sync["relabelings"]
    assert (keep["action"], keep["regex"]) == ("keep", "git-sync")
    for ip, wanted in (("10.0.0.7", "10.0.0.7:1234"), ("fd00::7", "[fd00::7]:1234")):
        [found] = [(rule, match) for rule in addresses if (match := re.fullmatch(rule["regex"], ip))]
        assert found[1].expand(found[0]["replacement"].replace("$1", r"\1")) == wanted


def test_operator_s_prometheus_gets_what_keda_says_of_this_stack_alone(record: Record) -> None:
    assert len(made(record, Monitoring.OPERATOR).every(POD_MONITOR)) == 1
    assert made(record, Monitoring.ANNOTATIONS, "scalers").every(POD_MONITOR) == []
    monitor = made(record, Monitoring.OPERATOR, "scalers").one(POD_MONITOR, "airflow-monitoring-keda").inputs
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    spec = monitor["spec"]
    assert spec["namespaceSelector"] == {"matchNames": ["scalers"]}
    assert spec["selector"] == {"matchLabels": {"app": "keda-operator"}}
    [endpoint] = spec["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True
    [keep] = endpoint["metricRelabelings"]
    assert re.fullmatch(keep["regex"], "keda_scaled_object_errors_total;airflow")
    for other in ("keda_scaled_object_errors_total;airflow-2", "keda_scaler_active;airflow"):
        assert not re.fullmatch(keep["regex"], other)
    named = re.findall(r"keda_\w+", " ".join(alert.value for alert in ALERTS if alert.needs == "keda"))
    assert all(re.fullmatch(keep["regex"], f"{name};airflow") for name in named)


def test_dashboards_have_the_label_of_grafana_s_sidecar(record: Record) -> None:
    for monitoring in (Monitoring.ANNOTATIONS, Monitoring.OPERATOR):
        metadata = made(record, monitoring).one(CONFIG_MAP, "airflow-monitoring-dashboards").inputs["metadata"]
        assert metadata["labels"]["grafana_dashboard"] == "1"


def test_one_exporter_runs_at_a_time(record: Record) -> None:
    spec = made(record, Monitoring.OPERATOR).one(DEPLOYMENT).inputs["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")
    assert spec["template"]["metadata"]["labels"].items() >= spec["selector"]["matchLabels"].items()
