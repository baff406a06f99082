"""Whether a stack is watched, and how Prometheus finds what there is to scrape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from components import fields
from components.chart_values.metrics import Monitoring
from components.chart_values.value_paths import at
from components.kube.names import LABEL_VALUE, qualified
from components.network.isolation_args import Isolation
from components.platform_args import AirflowPlatformArgs
from settings.keys import Section
from settings.reading import Config
from settings.sections.isolation import METRICS_NAMESPACES, NETWORK_ISOLATION
from settings.sections.release import HELM_VALUES

SECTION = Section("Monitoring", "with off, none of it is made")

_TAKEN: Final = (
    *("statsd.enabled", "statsd.args", "statsd.extraMappings", "otelCollector.metricsEnabled"),
    *("config.metrics.statsd_on", "config.metrics.statsd_host", "config.metrics.statsd_prefix"),
    *("config.metrics.statsd_influxdb_enabled", "config.metrics.legacy_names_on"),
)
"""Values with which the alerts would be about metrics that do not exist."""


def _label_problems(labels: Mapping[str, str]) -> dict[str, str]:
    return {
        name: f"expected a label of Kubernetes, found {fields.shown(value)}"
        for name, value in labels.items()
        if not qualified(name) or not LABEL_VALUE.fullmatch(value)
    }


def _page(text: str) -> str:
    return fields.matching(text, r"https?://[!-~]{1,500}", "the URL of a page")


MONITORING = SECTION.choice(
    "monitoring",
    Monitoring,
    default=AirflowPlatformArgs.monitoring,
    description="off, annotations (Prometheus finds pods by prometheus.io annotations), or operator (PodMonitor and "
    "PrometheusRule). Both make alerts, dashboards and an exporter.",
)
MONITORING_LABELS = SECTION.text_map(
    "monitoringLabels",
    problems_of=_label_problems,
    description="Labels by which the Prometheus operator selects PodMonitors and PrometheusRules, such as release.",
)
RUNBOOK_URL = SECTION.optional(
    "runbookUrl",
    _page,
    description="Where your team reads docs/monitoring.md in a browser. Each alert links to its section there.",
)


def check_monitoring(config: Config) -> None:
    """Note what would leave the stack unwatched although monitoring is on."""
    monitoring = config[MONITORING]
    if config.bad(MONITORING):
        return
    if monitoring is not Monitoring.OPERATOR:
        config.refuse_set((MONITORING_LABELS,), f"without {MONITORING.full} operator")
    if monitoring is Monitoring.OFF:
        config.refuse_set((RUNBOOK_URL,), f"while {MONITORING.full} is off")
        return
    isolated = not config.bad(NETWORK_ISOLATION) and config[NETWORK_ISOLATION] is not Isolation.OFF
    if isolated and not config.bad(METRICS_NAMESPACES) and not config[METRICS_NAMESPACES]:
        config.problem(
            METRICS_NAMESPACES,
            f"expected the namespace of Prometheus beside {MONITORING.full} {monitoring}, found none: "
            "Prometheus could not reach the metrics",
            f"pulumi config set --path '{METRICS_NAMESPACES.full}[0]' NAMESPACE",
        )
    for path in _TAKEN:
        if at(config[HELM_VALUES], path) is not None:
            config.problem(
                HELM_VALUES,
                f"{path} may not be set beside {MONITORING.full} {monitoring}, which sets it; leave it out. More "
                "mappings go into statsd.overrideMappings",
                "edit it in Pulumi.STACK.yaml",
                one_of_many=True,
            )
