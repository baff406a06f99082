"""What monitoring adds to the values: labels for metrics, git-sync's own metrics, annotations."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.chart_values.chart_defaults import chart_values, schema_problems
from components.chart_values.metrics import COMMIT_SCRIPT, GIT_SYNC_PORT, MAPPINGS, Monitoring
from components.chart_values.values import airflow_values
from components.dags.delivery import DagsDelivery
from components.user_values.user_values import with_helm_values
from tests import samples
from tests.cases import each
from tests.chart import rendering

ON = (Monitoring.ANNOTATIONS, Monitoring.OPERATOR)


def values(monitoring: Monitoring, delivery: DagsDelivery = DagsDelivery.GIT_SYNC) -> dict[str, Any]:
    inputs = samples.release_inputs(dags_=samples.dags(delivery=delivery))
    return airflow_values(replace(inputs, monitoring=monitoring))


def test_off_sets_nothing() -> None:
    found = values(Monitoring.OFF)
    assert "metrics" not in found["config"]
    assert "overrideMappings" not in found["statsd"]
    assert "GITSYNC_HTTP_METRICS" not in str(found)
    assert "containerLifecycleHooks" not in found["dags"]["gitSync"]


@each("monitoring", ON)
def test_metrics_get_labels_and_git_sync_serves_its_own(monitoring: Monitoring) -> None:
    found = values(monitoring)
    assert schema_problems(found) == []
    assert found["config"]["metrics"] == {"statsd_influxdb_enabled": "True", "legacy_names_on": "False"}
    given = {variable["name"]: variable.get("value") for variable in found["dags"]["gitSync"]["env"]}
    assert (given["GITSYNC_HTTP_BIND"], given["GITSYNC_HTTP_METRICS"]) == (":1234", "true")
    assert chart_values()["dags"]["gitSync"]["httpPort"] == GIT_SYNC_PORT


def test_a_pod_tells_its_commit_as_a_number_that_statsd_holds_exactly(tmp_path: Path) -> None:
    (tmp_path / "repo").symlink_to(f".worktrees/fedcba9876543210{'0' * 24}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(10)
        script = COMMIT_SCRIPT.replace("/git/", f"{tmp_path}/")
        service = f"airflow-statsd/{chart_values()['ports']['statsdIngest']}"
        assert service in script
        script = script.replace(service, f"127.0.0.1/{statsd.getsockname()[1]}")
        pipe = subprocess.PIPE
        with subprocess.Popen(["bash", "-c", script], start_new_session=True, stdout=pipe, stderr=pipe) as hook:
            hook.communicate(timeout=10)  # the container starts when nobody holds what the hook writes to
            assert hook.returncode == 0, "it would end git-sync"
            sent = statsd.recv(1000).decode().strip()
            os.killpg(hook.pid, signal.SIGTERM)
    name, _, number = sent.removesuffix("|g").partition(":")
    assert name == f"airflow.git_sync.commit,hostname={socket.gethostname()}"
    assert f"{int(float(number)):x}" == "fedcba987654"
    [mapping] = [found for found in MAPPINGS if re.search(found["match"], "airflow.git_sync.commit")]
    assert mapping["name"] == "airflow_git_sync_commit"


def test_a_pod_that_has_no_commit_yet_tells_nothing_and_goes_on(tmp_path: Path) -> None:
    script = COMMIT_SCRIPT.replace("/git/", f"{tmp_path}/").replace("sleep 30", "echo lives >&3; exit")
    script = script.replace("</dev/null", f"3>{tmp_path}/log </dev/null").replace(">/dev/udp/", f">{tmp_path}/sent # ")
    subprocess.run(["bash", "-c", f"{script}wait"], check=True, timeout=10)
    assert (tmp_path / "log").read_text() == "lives\n"
    assert not (tmp_path / "sent").exists()


@rendering.needs_chart
def test_git_sync_starts_the_script_and_its_init_container_does_not() -> None:
    own = {"preStop": {"exec": {"command": ["true"]}}}
    given = {"dags": {"gitSync": {"containerLifecycleHooks": own}}}
    wanted = own | {"postStart": {"exec": {"command": ["bash", "-c", COMMIT_SCRIPT]}}}
    hooks: dict[str, list[Any]] = {"git-sync": [], "git-sync-init": []}
    for found in rendering.objects(with_helm_values(values(Monitoring.OPERATOR), given)):
        pod = (found.get("spec") or {}).get("template", {}).get("spec", {})
        for container in (*pod.get("containers", ()), *(pod.get("initContainers") or ())):
            if container["name"] in hooks:
                hooks[container["name"]].append(container.get("lifecycle"))
    assert hooks == {"git-sync": [wanted] * 3, "git-sync-init": [None] * 3}


def test_only_pods_with_git_sync_are_annotated() -> None:
    for delivery in DagsDelivery:
        found = values(Monitoring.ANNOTATIONS, delivery)
        for component in (found["dagProcessor"], found["triggerer"], found["workers"]["celery"]):
            assert ("podAnnotations" in component) is (delivery is DagsDelivery.GIT_SYNC)
        assert "podAnnotations" not in found["apiServer"]


def test_a_team_s_mappings_are_added() -> None:
    own = {"match": "airflow.own.*", "name": "own"}
    given = {"statsd": {"overrideMappings": [own]}}
    assert with_helm_values(values(Monitoring.OPERATOR), given)["statsd"]["overrideMappings"] == [*MAPPINGS, own]
    assert with_helm_values(values(Monitoring.OFF), given)["statsd"]["overrideMappings"] == [own]


@rendering.needs_chart
def test_monitoring_changes_configuration_and_what_serves_metrics_alone() -> None:
    def rendered(monitoring: Monitoring) -> dict[str, Any]:
        objects = rendering.objects(values(monitoring))
        return {f"{found['kind']} {found['metadata']['name']}": found for found in objects}

    before = rendered(Monitoring.OFF)
    for monitoring in ON:
        after = rendered(monitoring)
        assert set(after) == set(before), "no object more"
        changed = {name for name in after if after[name] != before[name]}
        # The configuration rolls what reads it.
        read_it = {f"Deployment airflow-{name}" for name in ("api-server", "scheduler", "dag-processor", "triggerer")}
        read_it |= {"Deployment airflow-worker"}
        assert changed == read_it | {
            "ConfigMap airflow-config",
            "ConfigMap airflow-statsd",
            "Deployment airflow-statsd",
        }
        config = rendering.airflow_cfg(list(after.values()))
        assert "statsd_influxdb_enabled = True" in config
        for name in ("dag-processor", "triggerer", "worker"):
            template = after[f"Deployment airflow-{name}"]["spec"]["template"]
            pod = template["spec"]
            fetching = [item for item in (*pod["containers"], *pod["initContainers"]) if "git-sync" in item["name"]]
            assert [item["name"] for item in fetching] == ["git-sync", "git-sync-init"]
            for item in fetching:
                given = {variable["name"]: variable.get("value") for variable in item["env"]}
                # One without the other ends git-sync at its start.
                assert (given["GITSYNC_HTTP_BIND"], given["GITSYNC_HTTP_METRICS"]) == (":1234", "true")
            scraped = template["metadata"]["annotations"].get("prometheus.io/port")
            assert scraped == ("1234" if monitoring is Monitoring.ANNOTATIONS else None)


@rendering.needs_chart
def test_other_mappings_roll_statsd() -> None:
    def checksum(given: dict[str, Any]) -> str:
        objects = rendering.objects(with_helm_values(values(Monitoring.OPERATOR), given))
        [found] = [
            item for item in objects if (item["kind"], item["metadata"]["name"]) == ("Deployment", "airflow-statsd")
        ]
        return str(found["spec"]["template"]["metadata"]["annotations"]["checksum/statsd-config"])

    assert checksum({}) != checksum({"statsd": {"overrideMappings": [{"match": "airflow.own.*", "name": "own"}]}})


def mapped(stat: str) -> dict[str, Any]:
    """The first mapping that fits, as the exporter takes it: it looks for a match anywhere in a name."""
    return next((found for found in MAPPINGS if re.search(found["match"], stat)), {})


@each(
    ("twice", "once"),
    [
        ("ti.start.dag.with.dots.task", "ti.start"),
        ("ti.finish.dag.task.success", "ti.finish"),
        ("dag.a.dag.task.duration", "task.duration"),
        ("operator_failures_PythonOperator", "operator_failures"),
        ("pool.open_slots.etl", "pool.open_slots"),
        ("triggerer.capacity_left.host", "triggerer.capacity_left"),
        ("ti.queued.default.dag.task", "ti.queued"),
        ("dagrun.duration.success.dag", "dagrun.duration.success"),
        ("dagrun.dependency-check.dag", "dagrun.dependency-check"),
        ("dagrun.dag.first_task_scheduling_delay", "dagrun.first_task_scheduling_delay"),
        ("dag_processing.last_duration.bundle.file", "dag_processing.last_duration"),
    ],
)
def test_what_is_sent_twice_is_kept_once(twice: str, once: str) -> None:
    assert mapped(f"airflow.{twice}").get("action") == "drop"
    assert mapped(f"airflow.{once}").get("action") != "drop"
