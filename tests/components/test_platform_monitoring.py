"""Which parts of a stack are watched."""

from __future__ import annotations

from typing import Any, Final

from components.kube.images import Images
from components.monitoring.alert_rules import rule_groups
from components.platform_monitoring import exporter_pod, monitoring_args
from tests.samples import dev

ON: Final = {"monitoring": "annotations", "metricsNamespaces": ["monitoring"], "pgbouncerEnabled": True}


def alerts(**changes: Any) -> set[str]:
    args = dev().with_(ON | changes).parse().platform
    exporter = exporter_pod(args, Images(tag="3.2.2"), "metadata-1", None)
    [group] = rule_groups(monitoring_args(args, "airflow", exporter, ()).watched)
    return {rule["alert"] for rule in group["rules"]}


def test_keda_is_watched_where_it_scales_the_workers_or_a_group() -> None:
    group = {"name": "gpu", "queues": ["gpu"], "replicas": 1, "maxReplicas": 4}
    for changes in ({"workerScaling": "keda"}, {"workerGroups": [group]}):
        assert alerts(**changes) - alerts() == {"AirflowScalingFails"}, changes


def test_commits_are_compared_where_each_pod_fetches_for_itself() -> None:
    bundle = alerts(dagsDelivery="git-bundle")
    assert alerts() - bundle == {"AirflowCommitsDiffer", "AirflowDagsNotFetched"}
    assert bundle - alerts() == {"AirflowDagBundleStale"}
