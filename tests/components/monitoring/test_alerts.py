"""Alerts: each is explained where it links to, Prometheus accepts all of them, and each fires when it is meant to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from components.monitoring.alert_rules import PAGE, rule_groups
from components.monitoring.alerts import ALERTS
from components.monitoring.backup_age import oldest_seconds
from components.monitoring.dashboards import panels
from components.monitoring.expressions import Watched
from components.platform_monitoring import parse_interval_seconds
from components.verification.verified import Verified
from tests.samples import ROOT

PROMTOOL: Final = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (Debian's package prometheus)")

EVERYTHING: Final = Watched(
    namespace="airflow",
    parts=frozenset({"git-sync", "git-bundle", "pgbouncer", "certificates", "verification", "backups", "keda"}),
    sync_period_seconds=30,
    verified_seconds=Verified(dag_id="d", every_minutes=10).seconds,
    backup_seconds=oldest_seconds("30 1 * * *"),
)
AT: Final = 'namespace="airflow"'
LIVES: Final = {
    "statsd_exporter_build_info": "1x120",
    "airflow_exporter_database_up": "1x120",
    **{f"airflow_{name}_heartbeat": "1+6x120" for name in ("scheduler", "dag_processor", "triggerer")},
    'git_sync_count_total{status="noop",pod="worker-1"}': "1+1x120",
    # Each pod changes when it fetches.
    'airflow_git_sync_commit{hostname="worker-1"}': "17x40 18x80",
    'airflow_git_sync_commit{hostname="worker-2"}': "17x42 18x78",
    'airflow_git_sync_commit{hostname="new"}': "_x41 18x79",
    'airflow_executor_open_slots{name="CeleryExecutor"}': "32x120",
    'airflow_pool_open_slots{pool_name="default_pool"}': "128x120",
    'airflow_pool_scheduled_slots{pool_name="default_pool"}': "3x120",
    'airflow_triggerer_capacity_left{hostname="t"}': "1000x120",
    "airflow_dag_processing_import_errors": "0x120",
    'airflow_dag_processing_last_run_seconds_ago{dag_file="a"}': "30x120",
    'airflow_dag_bundle_refreshed_seconds{bundle="dags"}': "30x120",
    'pgbouncer_exporter_pools_waiting_clients{database="airflow-metadata"}': "0x120",
    'airflow_certificate_end_timestamp_seconds{certificate="ingress"}': "8640000x120",
    # The samples begin at the time 0. A verification every ten minutes.
    "airflow_verification_succeeded_timestamp_seconds": "0x20 600x20 1200x20 1800x20 2400x20 3000x20",
    'airflow_backup_age_seconds{database="airflow"}': "3600x120",
    # Of a time that this Prometheus has not seen.
    "airflow_task_instances_without_heartbeats_killed": "3x120",
}
"""Series of a healthy stack, a sample every 30 seconds for an hour."""
STOPS: Final = "1+6x20 121x100"
FAILS: Final[dict[str, dict[str, str | None]]] = {
    "AirflowSchedulerSilent": {"airflow_scheduler_heartbeat": STOPS},
    "AirflowDagProcessorSilent": {"airflow_dag_processor_heartbeat": STOPS},
    "AirflowTriggererSilent": {"airflow_triggerer_heartbeat": None},
    "AirflowPodsMissing": {
        'kube_deployment_spec_replicas{deployment="airflow-worker"}': "3x120",
        'kube_deployment_status_replicas_available{deployment="airflow-worker"}': "1x120",
    },
    "AirflowRollStuck": {
        'kube_deployment_status_condition{deployment="d",condition="Progressing",status="false"}': "1x120"
    },
    "AirflowMetricsMissing": {"statsd_exporter_build_info": None},
    "AirflowParseLag": {'airflow_dag_processing_last_run_seconds_ago{dag_file="a"}': "900x120"},
    "AirflowImportErrors": {"airflow_dag_processing_import_errors": "2x120"},
    "AirflowDagsNotFetched": {'git_sync_count_total{status="noop",pod="worker-1"}': "1+1x20 21x100"},
    "AirflowCommitsDiffer": {'airflow_git_sync_commit{hostname="worker-2"}': "17x120"},
    "AirflowScalingFails": {'keda_scaled_object_errors_total{scaledObject="worker"}': "0+5x120"},
    "AirflowDagBundleStale": {'airflow_dag_bundle_refreshed_seconds{bundle="dags"}': "900x120"},
    "AirflowExecutorFull": {'airflow_executor_open_slots{name="CeleryExecutor"}': "0x120"},
    "AirflowPoolStarving": {'airflow_pool_open_slots{pool_name="default_pool"}': "0x120"},
    "AirflowTriggererFull": {'airflow_triggerer_capacity_left{hostname="t"}': "0x120"},
    "AirflowTasksLost": {"airflow_task_instances_without_heartbeats_killed": "_x90 1x30"},
    "AirflowScheduleDelay": {'airflow_dagrun_schedule_delay{quantile="0.9",dag_id="d"}': "700x120"},
    "AirflowQueuedTooLong": {'airflow_oldest_queued_task_seconds{queue="gpu"}': "301x120"},
    "AirflowVerificationFails": {"airflow_verification_succeeded_timestamp_seconds": "0x120"},
    "AirflowBackupOld": {'airflow_backup_age_seconds{database="airflow"}': "115201x120"},
    "AirflowDatabaseUnreachable": {
        "airflow_exporter_database_up": "0x120",
        **{f"airflow_{name}_heartbeat": "7x120" for name in ("scheduler", "dag_processor", "triggerer")},
    },
    "AirflowClientsWaiting": {'pgbouncer_exporter_pools_waiting_clients{database="airflow-metadata"}': "4x120"},
    "AirflowCertificateEnds": {'airflow_certificate_end_timestamp_seconds{certificate="ingress"}': "86400x120"},
}
"""What makes each alert fire: other values of a series, or None for a series that is not there."""


def series(changes: dict[str, str | None]) -> list[dict[str, str]]:
    found = []
    for name, values in {**LIVES, **changes}.items():
        metric, _, labels = name.partition("{")
        # A target of another namespace, whose own label `namespace` Prometheus has renamed.
        at = 'namespace="keda"' if "exported_namespace" in labels else AT
        if values is not None:
            found.append({"series": f"{metric}{{{at}{',' + labels if labels else '}'}", "values": values})
    return found


def run(folder: Path, *words: str) -> None:
    assert PROMTOOL is not None
    # A process of Go that lives for seconds: it need not collect what it leaves so often.
    seldom = {**os.environ, "GOGC": "400"}
    done = subprocess.run([PROMTOOL, *words], cwd=folder, env=seldom, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-6000:]


def test_every_alert_is_explained_in_the_section_that_it_links_to() -> None:
    page = (ROOT / PAGE).read_text()
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    by_anchor = {title.lower().replace(" ", "-"): text for title, text in sections.items()}
    for alert in ALERTS:
        assert f"| `{alert.name}` | {alert.severity} |" in by_anchor[alert.section], alert.name
    told = set(re.findall(r"^\| `(Airflow\w+)` \|", page, re.MULTILINE))
    assert told == {alert.name for alert in ALERTS}


def test_page_of_alarms_says_of_every_alert_what_aws_has_instead() -> None:
    page = (ROOT / "docs/alarms.md").read_text()
    named = re.findall(r"`(Airflow\w+)`", " ".join(re.findall(r"^\| (`Airflow[^|]+)\|", page, re.MULTILINE)))
    assert sorted(named) == sorted(alert.name for alert in ALERTS)


def test_every_rule_says_what_it_is_about_and_leads_to_the_page() -> None:
    [group] = rule_groups(EVERYTHING, "https://git.test/docs/monitoring.md")
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert all(rule["annotations"][key] for key in ("summary", "description"))
        assert rule["annotations"]["runbook_url"].startswith("https://git.test/docs/monitoring.md#")
        assert AT in rule["expr"], "another stack of the same Prometheus must not matter"


def test_what_a_stack_does_not_have_is_not_watched() -> None:
    few = Watched(namespace="airflow", parts=frozenset(), sync_period_seconds=30)
    names = {rule["alert"] for rule in rule_groups(few)[0]["rules"]}
    left_out = {rule["alert"] for rule in rule_groups(EVERYTHING)[0]["rules"]} - names
    assert left_out == {alert.name for alert in ALERTS if alert.needs}
    assert "AirflowDagsNotFetched" in left_out


def test_a_slow_fetch_is_given_time() -> None:
    slow = Watched(namespace="airflow", parts=frozenset({"git-sync"}), sync_period_seconds=3600)
    assert any("offset 18000s)" in rule["expr"] for rule in rule_groups(slow)[0]["rules"])


def test_a_team_that_parses_rarely_is_not_told_so_again_and_again() -> None:
    cases: tuple[tuple[dict[str, Any], int], ...] = (
        ({}, 600),
        ({"config": {"dag_processor": {"min_file_process_interval": 60}}}, 600),
        ({"config": {"dag_processor": {"min_file_process_interval": "1800"}}}, 5400),
        ({"env": [{"name": "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "value": "900"}]}, 2700),
        ({"config": {"dag_processor": {"min_file_process_interval": "odd"}}}, 600),
    )
    for values, seconds in cases:
        watched = replace(EVERYTHING, parse_interval_seconds=parse_interval_seconds(values))
        [rule] = [item for item in rule_groups(watched)[0]["rules"] if item["alert"] == "AirflowParseLag"]
        assert rule["expr"].endswith(f"> {seconds}"), values


@needs_promtool
def test_prometheus_accepts_every_expression(tmp_path: Path) -> None:
    groups: list[dict[str, Any]] = rule_groups(EVERYTHING)
    recorded = [
        {"record": f"panel:{index}", "expr": expression} for index, (_, _, expression) in enumerate(panels(EVERYTHING))
    ]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [*groups, {"name": "panels", "rules": recorded}]}))
    run(tmp_path, "check", "rules", "rules.yaml")


@needs_promtool
def test_each_failure_fires_its_alert_alone(tmp_path: Path) -> None:
    assert set(FAILS) == {alert.name for alert in ALERTS}
    rules = rule_groups(EVERYTHING)
    for rule in rules[0]["rules"]:
        rule["annotations"], rule["labels"] = {}, {}
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": rules}))
    # As labels differ, each test asks Prometheus which alerts fire rather than comparing them one by one.
    asks = 'count by (alertname) (ALERTS{alertstate="firing"})'
    pool = '{pool_name="default_pool"}'
    # What lasts until the end is the same whenever the rules are evaluated. What comes and goes is not.
    late = "AirflowTasksLost"
    lasting: list[tuple[str, dict[str, str | None]]] = [
        *((name, changes) for name, changes in FAILS.items() if name != late),
        # As Prometheus stores it without `honor_labels`.
        ("AirflowScalingFails", {'keda_scaled_object_paused{exported_namespace="airflow",scaledObject="w"}': "1x120"}),
        # A task that needs more slots than are left.
        ("AirflowPoolStarving", {f"airflow_pool_starving_tasks{pool}": "3x120"}),
    ]
    changing: list[tuple[str, dict[str, str | None]]] = [
        ("", {}),
        (late, FAILS[late]),
        # A few errors, and pods of a Deployment that has all of them.
        ("", {'keda_scaled_object_errors_total{scaledObject="worker"}': "0x30 4x90"}),
        (
            "",
            {
                'kube_statefulset_replicas{statefulset="airflow-redis"}': "1x120",
                'kube_statefulset_status_replicas_ready{statefulset="airflow-redis"}': "1x120",
                'kube_deployment_status_condition{condition="Progressing",status="false",deployment="d"}': "0x120",
            },
        ),
        # A busy repository: each pod changes again and again, and they are never all alike.
        (
            "",
            {
                'airflow_git_sync_commit{hostname="worker-1"}': "1x10 2x10 3x10 4x10 5x10 6x10 7x10 8x10 9x10 10x20",
                'airflow_git_sync_commit{hostname="worker-2"}': "0x10 1x10 2x10 3x10 4x10 5x10 6x10 7x10 8x10 9x10 10",
            },
        ),
        # A pool that is used up while nothing waits for it.
        ("", {f"airflow_pool_open_slots{pool}": "0x120", f"airflow_pool_scheduled_slots{pool}": "0x120"}),
    ]
    for interval, cases in (("5m", lasting), ("1m", changing)):
        tests = [
            {
                "name": name or "health",
                "interval": "30s",
                "input_series": series(changes),
                "promql_expr_test": [
                    {
                        "expr": asks,
                        "eval_time": time,
                        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else [],
                    }
                    for time in (["50m"] if name else ["2m", "50m"])
                ],
            }
            for name, changes in cases
        ]
        document = {"rule_files": ["rules.yaml"], "evaluation_interval": interval, "tests": tests}
        (tmp_path / f"{interval}.yaml").write_text(json.dumps(document))
    run(tmp_path, "test", "rules", "5m.yaml", "1m.yaml")


@needs_promtool
def test_pod_that_is_new_or_gone_has_not_failed_to_fetch(tmp_path: Path) -> None:
    watched = Watched(namespace="airflow", parts=frozenset({"git-sync"}), sync_period_seconds=150)
    [group] = rule_groups(watched)
    rules = [rule for rule in group["rules"] if rule["alert"] == "AirflowDagsNotFetched"]
    (tmp_path / "rules.yaml").write_text(json.dumps({"groups": [{**group, "rules": rules}]}))
    # A worker that is there for ten minutes, with the first and the last sample between two of its fetches.
    fetches: dict[str, str | None] = {'git_sync_count_total{status="noop",pod="worker-1"}': "1x4 2x4 3x4 4x4 stale"}
    fired = 'count_over_time(ALERTS{alertname="AirflowDagsNotFetched",alertstate="firing"}[1h])'
    asked = [{"expr": fired, "eval_time": "1h", "exp_samples": []}]
    tests = [{"interval": "30s", "input_series": series(fetches), "promql_expr_test": asked}]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": tests}
    (tmp_path / "tests.yaml").write_text(json.dumps(document))
    run(tmp_path, "test", "rules", "tests.yaml")
