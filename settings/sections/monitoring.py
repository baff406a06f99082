"""Whether a stack is watched, and how Prometheus finds what there is to scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.given_options import given_options
from components.chart_values.metrics import Monitoring
from components.chart_values.value_paths import at
from components.kube.names import LABEL_VALUE, qualified
from components.network.isolation_args import Isolation
from components.platform_args import AirflowPlatformArgs
from components.texts import fields
from components.user_values.airflow_options import variable_of
from settings.keys import Section
from settings.reading import Config
from settings.sections.isolation import METRICS_NAMESPACES, NETWORK_ISOLATION
from settings.sections.release import HELM_VALUES

SECTION = Section("Monitoring", "with off, none of it is made")

_TAKEN: Final = (
    *("statsd.enabled", "statsd.args", "statsd.extraMappings", "otelCollector.metricsEnabled"),
    "dags.gitSync.containerLifecycleHooks.postStart",
    *("config.metrics.statsd_on", "config.metrics.statsd_host", "config.metrics.statsd_prefix"),
    *("config.metrics.statsd_influxdb_enabled", "config.metrics.legacy_names_on"),
    *("config.metrics.statsd_datadog_enabled", "config.metrics.statsd_custom_client_path"),
    *("config.metrics.metrics_allow_list", "config.metrics.stat_name_handler"),
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
    values = config[HELM_VALUES]
    beside = f"beside {MONITORING.full} {monitoring}"
    found = [
        f"{what} may not be set {beside}, which sets it; leave it out. More mappings go into statsd.overrideMappings"
        for what in _taken(values)
    ]
    if at(values, "triggerer.enabled") is False:
        found.append(f"triggerer.enabled may not be false {beside}, whose alert would never end; leave it out")
    for text in found:
        config.problem(HELM_VALUES, text, "edit it in Pulumi.STACK.yaml", one_of_many=True)


def _taken(values: Mapping[str, Any]) -> Iterator[str]:
    for path in _TAKEN:
        if not path.startswith("config."):
            yield from [path] if at(values, path) is not None else []
            continue
        for found, _ in given_options(values, path):
            yield path if found == path else f"{variable_of(path.removeprefix('config.'))} in {found}"
