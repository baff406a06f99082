"""The objects of the Prometheus operator: the cluster admits them, and they select what has metrics.

Needs the operator's CRDs in the cluster, and not the operator: what it does with a PodMonitor is done here.
"""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from kubernetes import client as kubernetes

from components.kube.client import KubeApi
from components.monitoring.alert_rules import rule_groups
from components.monitoring.expressions import Watched
from components.monitoring.monitoring import API_VERSION
from tests.cluster import service
from tests.cluster.harness import CONTEXT, Repository
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-operator"
PERIOD: Final = 5
LABELS: Final = {"release": "kube-prometheus-stack"}
METRICS: Final = {
    "statsd": "airflow_scheduler_heartbeat",
    "exporter": "airflow_exporter_database_up 1",
    "git-sync": "git_sync_count_total",
}
"""What each container must say; PgBouncer's exporter may be one that only waits."""


@pytest.fixture(scope="module")
def deployed(
    engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubeApi]:
    cluster = KubeApi(CONTEXT)
    if not cluster.serves(API_VERSION):
        pytest.skip("no CRDs of the Prometheus operator in the cluster")
    folder: Path = tmp_path_factory.mktemp("operator")
    settings = service.settings(
        "operator",
        NAMESPACE,
        repository,
        monitoring="operator",
        monitoringLabels=LABELS,
        metricsNamespaces=["monitoring"],
        pgbouncerEnabled=True,
        pgbouncerReplicas=1,
        dagsSyncPeriodSeconds=PERIOD,
        helmValues=modest_values(),
    )
    with service.removed(service.environments(folder).open("operator", settings), api, NAMESPACE) as made:
        made.up()
        yield cluster


def one(cluster: KubeApi, kind: str) -> dict[str, Any]:
    [found] = cluster.items(API_VERSION, kind, NAMESPACE)
    assert found["metadata"]["labels"].items() >= LABELS.items()
    spec: dict[str, Any] = found["spec"]
    return spec


def targets(api: Any, monitor: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Component, container and address of all that the operator would let Prometheus scrape by a PodMonitor."""
    selector = ",".join(f"{name}={value}" for name, value in monitor["selector"]["matchLabels"].items())
    pods = [pod for pod in api.list_namespaced_pod(NAMESPACE, label_selector=selector).items if running(pod)]
    found = set()
    for endpoint in monitor["podMetricsEndpoints"]:
        for pod in pods:
            for container in [*(pod.spec.init_containers or []), *pod.spec.containers]:
                for port in container.ports or [kubernetes.V1ContainerPort(container_port=0, name="")]:
                    address = scraped(endpoint, pod, container.name, port)
                    if address:
                        found.add((pod.metadata.labels["component"], container.name, address))
    return found


def running(pod: Any) -> bool:
    return pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None


def scraped(endpoint: Mapping[str, Any], pod: Any, container: str, port: Any) -> str:
    """The address of one port of a container; "" if the endpoint does not have it."""
    if "port" in endpoint and port.name != endpoint["port"]:
        return ""
    known: dict[str, str] = {
        "__meta_kubernetes_pod_container_name": container,
        "__meta_kubernetes_pod_ip": pod.status.pod_ip,
    }
    known["__address__"] = f"{pod.status.pod_ip}:{port.container_port}"
    for rule in endpoint.get("relabelings", []):
        value = ";".join(known[name] for name in rule["sourceLabels"])
        matched = re.fullmatch(rule.get("regex", "(.*)"), value)
        if rule["action"] == "keep" and not matched:
            return ""
        if rule["action"] == "replace" and matched:
            known[rule["targetLabel"]] = matched.expand(rule["replacement"].replace("$1", r"\g<1>"))
    return known["__address__"]


def test_cluster_admits_the_alerts_as_they_are_tested(deployed: KubeApi) -> None:
    watched = Watched(namespace=NAMESPACE, parts=frozenset({"git-sync", "pgbouncer"}), sync_period_seconds=PERIOD)
    stored, wanted = one(deployed, "PrometheusRule")["groups"], rule_groups(watched)
    assert [(group["name"], group["rules"]) for group in stored] == [
        (group["name"], group["rules"]) for group in wanted
    ]


def test_every_container_with_metrics_is_selected_and_answers(deployed: KubeApi, api: Any) -> None:
    found = targets(api, one(deployed, "PodMonitor"))
    assert sorted((component, container) for component, container, _ in found) == [
        ("dag-processor", "git-sync"),
        ("exporter", "exporter"),
        ("pgbouncer", "metrics-exporter"),
        ("statsd", "statsd"),
        ("triggerer", "git-sync"),
        ("worker", "git-sync"),
    ]
    for _, container, address in found:
        if container in METRICS:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
                assert METRICS[container] in answer.read().decode(), (container, address)
