"""The monitoring of a stack: the exporter, scrape objects, alerts, dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.chart_values.availability import component_labels
from components.chart_values.metrics import GIT_SYNC_PORT, Monitoring
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.monitoring.alert_rules import PAGE, rule_groups
from components.monitoring.dashboards import SIDECAR_LABEL, dashboard_files
from components.monitoring.exporter import PORT_NAME, ExporterPod, exporter_spec
from components.monitoring.expressions import Watched
from components.network.pods import EXPORTER, KEDA_OPERATOR

TYPE: Final = "airflow:index:StackMonitoring"
API_VERSION: Final = "monitoring.coreos.com/v1"
"""The Prometheus operator's."""

RULE_LABEL: Final = {"app.kubernetes.io/component": "alerts"}
"""Label of the ConfigMap with the rules."""
_, _KEDA_OPERATOR = KEDA_OPERATOR  # the label that its Helm chart and its plain manifests set
RULE_FILE: Final = "airflow.rules.yaml"


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """Arguments of `Monitoring`."""

    namespace: pulumi.Input[str]
    """Namespace of the stack."""
    exporter: ExporterPod
    """The exporter's pod."""
    watched: Watched
    """What alerts and dashboards are about."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels by which the Prometheus operator selects PodMonitors and PrometheusRules."""
    page: str = PAGE
    """Address of the page that explains the alerts."""
    keda_namespace: str | None = None
    """Namespace of KEDA's operator, or None where nothing is scaled."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist first: the policies, and a migrated database."""


class StackMonitoring(pulumi.ComponentResource):
    """An exporter, dashboards, and either objects of the Prometheus operator or a ConfigMap with the rules.

    Raises: nothing of its own. Without the operator's CRDs the engine's error is `no matches for kind`.
    Replaces: nothing; everything changes in place. Survives a destroy: nothing.
    """

    resources: tuple[pulumi.Resource, ...]
    """All of it. The release comes after it: a destroy that stops at a protected release leaves the alerts."""

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        release_name = args.exporter.release_name
        exporter = KubeObject(
            "apps/v1",
            "Deployment",
            f"{name}-{EXPORTER}",
            {
                # Nothing waits for it: an alert tells if it is missing.
                "metadata": object_metadata(args.namespace, component_labels(release_name, EXPORTER), skip_await=True),
                "spec": exporter_spec(args.exporter),
            },
            pulumi.ResourceOptions(parent=self, depends_on=args.after),
        )

        def config_map(role: str, labels: Mapping[str, str], data: Mapping[str, str]) -> pulumi.Resource:
            metadata = object_metadata(args.namespace, labels)
            return KubeObject("v1", "ConfigMap", f"{name}-{role}", {"metadata": metadata, "data": dict(data)}, child)

        def of_operator(role: str, kind: str, spec: Mapping[str, Any]) -> pulumi.Resource:
            metadata = object_metadata(args.namespace, args.labels)
            return KubeObject(API_VERSION, kind, f"{name}-{role}", {"metadata": metadata, "spec": spec}, child)

        dashboards = config_map("dashboards", SIDECAR_LABEL, dashboard_files(args.watched))
        groups = rule_groups(args.watched, args.page)
        found: tuple[pulumi.Resource, ...]
        if args.exporter.monitoring is Monitoring.OPERATOR:
            found = (
                of_operator("pods", "PodMonitor", pod_monitor(release_name)),
                of_operator("alerts", "PrometheusRule", {"groups": groups}),
            )
            if args.keda_namespace is not None:
                monitor = keda_monitor(args.keda_namespace, args.watched.namespace)
                found = (*found, of_operator("keda", "PodMonitor", monitor))
        else:
            found = (config_map("alerts", RULE_LABEL, {RULE_FILE: rule_file(groups)}),)
        self.resources = (exporter, dashboards, *found)
        self.register_outputs({"exporter": exporter.name})


def pod_monitor(release_name: str) -> dict[str, Any]:
    """Return the spec of the PodMonitor for every pod of the stack that has metrics."""
    git_sync = [
        {"action": "keep", "sourceLabels": ["__meta_kubernetes_pod_container_name"], "regex": "git-sync"},
        # The chart does not declare this port. An address of IPv6 stands in brackets before a port.
        *(
            {
                "action": "replace",
                "sourceLabels": ["__meta_kubernetes_pod_ip"],
                "regex": addresses,
                "targetLabel": "__address__",
                "replacement": f"{address}:{GIT_SYNC_PORT}",
            }
            for addresses, address in (("([^:]+)", "$1"), ("(.+:.*)", "[$1]"))
        ),
    ]
    return {
        "selector": {"matchLabels": {"tier": "airflow", "release": release_name}},
        "podMetricsEndpoints": [
            {"port": "statsd-scrape", "interval": "30s"},
            {"port": PORT_NAME, "interval": "30s"},
            {"interval": "30s", "relabelings": git_sync},
        ],
    }


def keda_monitor(keda_namespace: str, namespace: str) -> dict[str, Any]:
    """Return the spec of the PodMonitor for what KEDA's operator says of a stack, and of no other.

    KEDA's Helm chart can make one of its own. The alerts take either, and both.
    """
    ours = {
        "action": "keep",
        "sourceLabels": ["__name__", "namespace"],
        "regex": f"keda_scaled_object_(errors_total|paused);{namespace}",
    }
    return {
        "namespaceSelector": {"matchNames": [keda_namespace]},
        "selector": {"matchLabels": _KEDA_OPERATOR},
        "podMetricsEndpoints": [
            {"port": "http", "interval": "30s", "honorLabels": True, "metricRelabelings": [ours]},
        ],
    }


def rule_file(groups: list[dict[str, Any]]) -> str:
    """Return a rule file for Prometheus's `rule_files`. JSON is YAML too."""
    return json.dumps({"groups": groups}, indent=2)
