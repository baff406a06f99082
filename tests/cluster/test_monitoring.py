"""A real Prometheus beside a deployed stack: every expression has data, and what is stopped fires its alert alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.errors import AirflowRequestFailed
from automation.verification.verify import airflow_api, verify
from components.chart_values.chart_defaults import merged
from components.monitoring.alert_rules import rule_groups
from components.monitoring.alerts import ALERTS
from components.monitoring.backup_age import oldest_seconds
from components.monitoring.dashboards import panels
from components.monitoring.expressions import Watched
from components.monitoring.monitoring import RULE_FILE, rule_file
from components.verification.in_image.user import permissions
from components.verification.verified import USERNAME, Verified
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack
from tests.cluster.modest_values import modest_values
from tests.cluster.prometheus import PROMETHEUS, Prometheus, prometheus, targets, until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.cluster,
    pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus on PATH"),
]

NAMESPACE: Final = "airflow-watched"
DAG: Final = "hello"
"""In the repository of `AIRFLOW_TEST_GIT_REPOSITORY`."""
PERIOD: Final = 5
MINUTES: Final = 30
SCHEDULE: Final = "@monthly"
HEALTHY_MINUTES: Final = int(os.environ.get("AIRFLOW_TEST_HEALTHY_MINUTES", "0"))
WATCHED: Final = Watched(
    namespace=NAMESPACE,
    parts=frozenset({"git-sync", "pgbouncer", "verification", "backups"}),
    sync_period_seconds=PERIOD,
    verified_seconds=Verified(dag_id="", every_minutes=MINUTES).seconds,
    backup_seconds=oldest_seconds(SCHEDULE),
)
LOST_SOON: Final = {"config": {"scheduler": {"task_instance_heartbeat_timeout": "60"}}}
"""Seconds. With Airflow's 300, a task of a killed worker would be given up after more than `SECONDS`."""
WORKS: Final = "works_on"
WORKS_ON: Final = f"""\
import time
from airflow.sdk import dag, task

@dag(schedule=None, catchup=False)
def {WORKS}():
    @task(retries=0)
    def work():
        time.sleep(600)

    work()

{WORKS}()
"""
JSON_LOGS: Final = {"config": {"logging": {"json_logs": "True"}}}
NOT_JSON: Final = {"statsd", "redis", "pgbouncer", "metrics-exporter", "postgres", "exporter", "verification"}
"""Containers in which neither Airflow nor git-sync runs."""
TEXT: Final = {
    # Celery's banner.
    "worker": r"\s*|\s*-.*|\s+\.> .*|\[tasks\]|\s+\. \w+",
    # What it says of old names of variables, before it sets its log up.
    **dict.fromkeys(
        ("git-sync", "git-sync-init"), r"INFO: detected pid 1, .*|env \$\w+ (has been deprecated|was overr).*"
    ),
    # Airflow 3.2.2 sets the log of its main process up anew without JSON, from which on it says what follows (`sdk.log`
    # in jobs/triggerer_job_runner.py). What triggers, libraries and `serve-logs` say is no such line.
    "triggerer": r"[0-9T:.-]+Z \[(?:info|warning) *\] .* \[airflow\.[\w.]+\](?: \w+=\S+)*",
    "api-server": r"\[\] \[\]",
    # The program's own Jobs.
    "airflow": r"Fernet key: .*|Database: .*|the user scheduled-verification may run .*",
}
"""Lines that stay text, as docs/monitoring.md says, by container."""
FASTER: Final = 5
SECONDS: Final = 300
ONLY_IN_TROUBLE: Final = {
    "airflow_pool_starving_tasks",
    "airflow_task_instances_without_heartbeats_killed",
    "airflow_dagrun_schedule_delay",
    "airflow_ti_failures",
    "airflow_ti_queued",
    "airflow_oldest_queued_task_seconds",
}
"""Nothing sends these while all is well and no run is scheduled."""
ELSEWHERE: Final = "kube_"
"""How the names of what kube-state-metrics sends begin, which is not in this cluster: its alerts are silent."""


def ended(airflow: AirflowApi, dag_id: str, run: str) -> None:
    until(lambda: airflow.run_state(dag_id, run) == "success", lambda: f"{run} goes on", SECONDS)


def verified_dag(repository: Repository) -> str:
    return DAG if repository.config.get("dagsRepository") else "tutorial_taskflow_api"


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = make_stack(tmp_path_factory.mktemp("watched"), NAMESPACE, repository)
    stack.set(
        monitoring="annotations",
        metricsNamespaces=["monitoring"],
        pgbouncerEnabled=True,
        pgbouncerReplicas=1,
        dagsSyncPeriodSeconds=PERIOD,
        verificationDag=verified_dag(repository),
        verificationMinutes=MINUTES,
        backupStorageGib=1,
        backupSchedule=SCHEDULE,
        helmValues=merged(merged(modest_values(), JSON_LOGS), LOST_SOON),
    )
    yield from destroyed(stack)


@pytest.fixture(scope="module")
def deployed(stack: Stack) -> Stack:
    """The stack, after its ten checks and with one result of each CronJob."""
    stack.up()
    result = verify(stack.outputs(), kube_context=CONTEXT)
    assert result.ok, [(check.name, check.detail) for check in result.checks]
    for name in ("airflow-verification", "airflow-backups"):
        print(run_now(name, f"{name}-now"))
    return stack


@pytest.fixture(scope="module")
def watching(deployed: Stack, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(folder, rule_groups(WATCHED, faster=FASTER), targets(api, NAMESPACE)) as running:
        yield running


def kubectl(*words: str, given: str | None = None) -> str:
    command = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE, *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, input=given).stdout


def run_now(cron_job: str, name: str, *, without: str = "", instead: str = "") -> str:
    """Runs what a CronJob runs, and returns the log; instead: what stands in place of `without` in the Job."""
    cron = json.loads(kubectl("get", "cronjob", "-o", "json"))
    [full] = [item["metadata"]["name"] for item in cron["items"] if item["metadata"]["name"].startswith(cron_job)]
    job = kubectl("create", "job", name, f"--from=cronjob/{full}", "--dry-run=client", "-o", "json")
    kubectl("create", "-f", "-", given=job.replace(without, instead) if without else job)
    wanted = "failed" if without else "complete"
    kubectl("wait", f"job/{name}", f"--for=condition={wanted}", "--timeout=600s")
    return kubectl("logs", f"job/{name}")


def settled(watching: Prometheus) -> None:
    until(lambda: watching.firing() == set(), watching.firing, SECONDS)


def fires(watching: Prometheus, name: str) -> None:
    """Waits until an alert fires, and a while longer: no other one may."""
    seconds = until(lambda: name in watching.firing(), watching.firing, SECONDS)
    time.sleep(20)
    print(f"{name} fired after {seconds:.0f} s, with times that are {FASTER} times as short")
    assert watching.firing() == {name}


@pytest.mark.skipif(not HEALTHY_MINUTES, reason="AIRFLOW_TEST_HEALTHY_MINUTES is not set")
def test_nothing_fires_while_all_is_well(deployed: Stack, api: Any, repository: Repository, tmp_path: Path) -> None:
    """By the rules as they are deployed, while a run ends about every minute."""
    airflow = airflow_api(Deployment.of(deployed.outputs()), KubeClient(CONTEXT, NAMESPACE))
    dag_id, ends = verified_dag(repository), time.monotonic() + 60 * HEALTHY_MINUTES
    airflow.set_paused(dag_id, paused=False)
    with prometheus(tmp_path, rule_groups(WATCHED), targets(api, NAMESPACE)) as healthy:
        while time.monotonic() < ends:
            run = f"healthy-{time.time():.0f}"
            airflow.trigger(dag_id, run, "a test")
            ended(airflow, dag_id, run)
            time.sleep(50)
            assert healthy.query('ALERTS{alertstate="firing"}') == []
        assert healthy.query(f'count_over_time(ALERTS{{alertstate="firing"}}[{HEALTHY_MINUTES}m])') == []
        assert len(healthy.names()) > 20


def test_deployed_rules_are_those_that_are_tested(watching: Prometheus, api: Any) -> None:
    found = api.list_namespaced_config_map(NAMESPACE, label_selector="app.kubernetes.io/component=alerts")
    [rules] = found.items
    assert rules.data[RULE_FILE] == rule_file(rule_groups(WATCHED))


def test_every_expression_has_data_and_nothing_fires(watching: Prometheus) -> None:
    values = [
        WATCHED.filled(alert.value, alert.window(WATCHED) // FASTER) for alert in ALERTS if WATCHED.has(alert.needs)
    ]
    expressions = [*values, *(expression for _, _, expression in panels(WATCHED))]
    text = " ".join(expressions)
    wanted = {re.sub(r"_(sum|count)$", "", name) for name in re.findall(r"\b(\w+)\{namespace=", text)} - ONLY_IN_TROUBLE
    wanted = {name for name in wanted if not name.startswith(ELSEWHERE)}
    assert len(wanted) > 20

    def missing() -> list[str]:
        names = {re.sub(r"_(sum|count)$", "", name) for name in watching.names()}
        return [*(wanted - names), *(found for found in expressions if not watching.query(found))]

    until(lambda: missing() == [], missing, SECONDS)
    settled(watching)
    pools = watching.query("airflow_pool_open_slots")
    assert [found["metric"].get("pool_name") for found in pools] == ["default_pool"], "none without a label beside it"
    assert not [name for name in watching.names() if "default_pool" in name], "a label, and no part of a name"


def test_user_of_the_verification_may_run_its_dag_and_nothing_else(
    watching: Prometheus, stack: Stack, repository: Repository
) -> None:
    deployment = Deployment.of(stack.outputs())
    kube = KubeClient(CONTEXT, NAMESPACE)
    everything = airflow_api(deployment, kube)
    [secret] = [name for name in kubectl("get", "secret", "-o", "name").split() if "airflow-keys-verification" in name]
    password = kube.secret(secret.partition("/")[2])["password"]
    own = AirflowApi(everything._connect, USERNAME, lambda: password)
    dag_id = verified_dag(repository)
    assert [dag.dag_id for dag in own.dags()] == [dag_id]
    others = [dag.dag_id for dag in everything.dags() if dag.dag_id != dag_id]
    refusals: list[tuple[str, str, Any]] = [
        ("GET", "connections", None),
        ("GET", "variables", None),
        ("GET", "pools", None),
        ("POST", "variables", {"key": "k", "value": "v"}),
        ("DELETE", f"dags/{dag_id}", None),
    ]
    for other in others[:1]:  # a repository may have the one DAG alone
        refusals += [
            ("GET", f"dags/{other}", None),
            ("POST", f"dags/{other}/dagRuns", {"logical_date": None}),
            ("PATCH", f"dags/{other}", {"is_paused": False}),
        ]
    for method, path, body in refusals:
        with pytest.raises(AirflowRequestFailed) as refused:
            own._request(method, f"/api/v2/{path}", body)
        assert refused.value.status == 403, (method, path, refused.value)
    assert len(permissions(dag_id)) == 7


def test_failed_verification_is_in_the_status(watching: Prometheus, repository: Repository) -> None:
    dag_id = verified_dag(repository)
    log = run_now("airflow-verification", "not-there", without=f'"{dag_id}"', instead='"not-there"')
    print(log)
    [failed] = KubeClient(CONTEXT, NAMESPACE).look().schedules
    print(failed.sentence)
    assert failed.sentence.startswith("CronJob airflow-verification")
    assert "Airflow answers GET /api/v2/dags/not-there with 403" in failed.sentence
    run_now("airflow-verification", "there-again")
    assert KubeClient(CONTEXT, NAMESPACE).look().schedules == ()


def test_every_line_of_airflow_and_git_sync_is_json(watching: Prometheus) -> None:
    looked, wrong = set(), []
    for pod in json.loads(kubectl("get", "pod", "-o", "json"))["items"]:
        containers = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
        for name in (container["name"] for container in containers):
            if name in NOT_JSON or name.endswith("log-groomer"):
                continue
            looked.add(name)
            for line in kubectl("logs", pod["metadata"]["name"], "-c", name).splitlines():
                try:
                    assert isinstance(json.loads(line), dict)
                except (ValueError, AssertionError):
                    if re.fullmatch(TEXT.get(name, "-"), line):
                        continue
                    wrong.append(f"{pod['metadata']['name']} {name}: {line}")
    print(*wrong, sep="\n")
    assert {"api-server", "scheduler", "dag-processor", "triggerer", "worker", "git-sync"} <= looked
    assert wrong == []


def test_stopped_scheduler_is_told_alone(watching: Prometheus) -> None:
    settled(watching)
    kubectl("scale", "deployment/airflow-scheduler", "--replicas=0")
    fires(watching, "AirflowSchedulerSilent")
    kubectl("scale", "deployment/airflow-scheduler", "--replicas=1")
    settled(watching)


def test_pod_that_cannot_fetch_is_told_alone(watching: Prometheus, repository: Repository) -> None:
    url = repository.config.get("dagsRepository")
    if not url:
        pytest.skip("no repository over SSH: AIRFLOW_TEST_GIT_REPOSITORY is not set")
    settled(watching)
    # In the repository: git-sync reads no other user's configuration. It says itself that it trusts the folder.
    git = ("git", "-c", "safe.directory=*", "-C", "/git")
    config = ("exec", "deployment/airflow-triggerer", "-c", "git-sync", "--", *git, "config")
    key = "url.ssh://127.0.0.1:1/.insteadOf"
    kubectl(*config, key, str(url))
    fires(watching, "AirflowDagsNotFetched")
    kubectl(*config, "--unset", key)


def test_pod_with_a_stale_mirror_is_told_alone(watching: Prometheus, repository: Repository, tmp_path: Path) -> None:
    url, ref = repository.config.get("dagsRepository"), repository.config.get("dagsRef", "main")
    if not url:
        pytest.skip("no repository over SSH: AIRFLOW_TEST_GIT_REPOSITORY is not set")
    settled(watching)
    commits = {found["value"][1] for found in watching.query("airflow_git_sync_commit")}
    assert len(commits) == 1, commits
    # It goes on fetching without an error, from a copy of what it has.
    git = "git -c safe.directory=* -C /git"
    mirror = (
        "git init -q --bare /git/mirror && git -C /git/mirror config receive.shallowUpdate true"
        f" && {git} push -q /git/mirror $(basename $(readlink /git/repo)):refs/heads/{ref}"
        f" && {git} config url./git/mirror.insteadOf {url}"
    )
    in_triggerer = ("exec", "deployment/airflow-triggerer", "-c", "git-sync", "--", "bash", "-c")
    kubectl(*in_triggerer, mirror)
    with pushed_dag(tmp_path, f"{WORKS}.py", WORKS_ON):
        fires(watching, "AirflowCommitsDiffer")
    kubectl(*in_triggerer, f"{git} config --unset url./git/mirror.insteadOf && rm -rf /git/mirror")
    settled(watching)


def test_stopped_pooler_is_told_alone(watching: Prometheus) -> None:
    settled(watching)
    kubectl("scale", "deployment/airflow-pgbouncer", "--replicas=0")
    fires(watching, "AirflowDatabaseUnreachable")
    kubectl("scale", "deployment/airflow-pgbouncer", "--replicas=1")
    kubectl("rollout", "status", "deployment/airflow-pgbouncer", "--timeout=120s")
    settled(watching)


def test_used_up_pool_is_told_alone(watching: Prometheus, stack: Stack, repository: Repository) -> None:
    settled(watching)
    run_now("airflow-verification", "in-time")  # the last one would be too old before these tests end
    airflow = airflow_api(Deployment.of(stack.outputs()), KubeClient(CONTEXT, NAMESPACE))
    dag_id, pool = verified_dag(repository), "/api/v2/pools/default_pool"
    slots = airflow._request("GET", pool)["slots"]
    airflow.set_paused(dag_id, paused=False)
    airflow._request("PATCH", f"{pool}?update_mask=slots", {"slots": 0})
    try:
        airflow.trigger(dag_id, "waits", "a test")
        fires(watching, "AirflowPoolStarving")
    finally:
        airflow._request("PATCH", f"{pool}?update_mask=slots", {"slots": slots})
    ended(airflow, dag_id, "waits")


def test_task_of_a_killed_worker_is_told_alone(watching: Prometheus, stack: Stack, tmp_path: Path) -> None:
    settled(watching)
    airflow = airflow_api(Deployment.of(stack.outputs()), KubeClient(CONTEXT, NAMESPACE))

    def states() -> list[str | None]:
        return [task.state for task in airflow.task_instances(WORKS, "killed")]

    with pushed_dag(tmp_path, f"{WORKS}.py", WORKS_ON):
        until(lambda: WORKS in {dag.dag_id for dag in airflow.dags()}, lambda: "the DAG is parsed", SECONDS)
        airflow.set_paused(WORKS, paused=False)
        airflow.trigger(WORKS, "killed", "a test")
        until(lambda: states() == ["running"], states, SECONDS)
        kubectl("delete", "pod", "-l", "component=worker", "--grace-period=0", "--force")
        fires(watching, "AirflowTasksLost")
    settled(watching)
