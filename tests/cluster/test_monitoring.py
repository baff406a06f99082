"""A real Prometheus beside a deployed stack: every expression has data, and what is stopped fires its alert alone."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from automation.verification.verify import verify
from components.monitoring.alerts import rule_groups, values
from components.monitoring.dashboards import panels
from components.monitoring.expressions import Watched
from components.monitoring.monitoring import RULE_FILE, rule_file
from tests.cluster.harness import CONTEXT, Repository, Stack, destroyed, make_stack
from tests.cluster.modest_values import modest_values
from tests.cluster.prometheus import PROMETHEUS, Prometheus, prometheus, targets, until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.cluster,
    pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus on PATH"),
]

NAMESPACE: Final = "airflow-watched"
PERIOD: Final = 5
WATCHED: Final = Watched(namespace=NAMESPACE, parts=frozenset({"git-sync", "pgbouncer"}), sync_period_seconds=PERIOD)
FASTER: Final = 5
SECONDS: Final = 240
ONLY_IN_TROUBLE: Final = {
    "airflow_pool_starving_tasks",
    "airflow_task_instances_without_heartbeats_killed",
    "airflow_dagrun_schedule_delay",
    "airflow_ti_failures",
    "airflow_ti_queued",
    "airflow_oldest_queued_task_seconds",
}
"""Nothing sends these while all is well and no run is scheduled."""


@pytest.fixture(scope="module")
def stack(engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = make_stack(tmp_path_factory.mktemp("watched"), NAMESPACE, repository)
    stack.set(
        monitoring="annotations",
        metricsNamespaces=["monitoring"],
        pgbouncerEnabled=True,
        pgbouncerReplicas=1,
        dagsSyncPeriodSeconds=PERIOD,
        helmValues=modest_values(),
    )
    yield from destroyed(stack)


@pytest.fixture(scope="module")
def watching(stack: Stack, api: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    stack.up()
    with prometheus(
        tmp_path_factory.mktemp("prometheus"), rule_groups(WATCHED, faster=FASTER), targets(api, NAMESPACE)
    ) as running:
        result = verify(stack.outputs(), kube_context=CONTEXT)
        assert result.ok, [(check.name, check.detail) for check in result.checks]
        yield running


def kubectl(*words: str) -> None:
    subprocess.run(["kubectl", "--context", CONTEXT, "-n", NAMESPACE, *words], check=True, capture_output=True)


def settled(watching: Prometheus) -> None:
    until(lambda: watching.firing() == set(), watching.firing, SECONDS)


def fires(watching: Prometheus, name: str) -> None:
    """Waits until an alert fires, and a while longer: no other one may."""
    seconds = until(lambda: name in watching.firing(), watching.firing, SECONDS)
    time.sleep(20)
    print(f"{name} fired after {seconds:.0f} s, with times that are {FASTER} times as short")
    assert watching.firing() == {name}


def test_deployed_rules_are_those_that_are_tested(watching: Prometheus, api: Any) -> None:
    found = api.list_namespaced_config_map(NAMESPACE, label_selector="app.kubernetes.io/component=alerts")
    [rules] = found.items
    assert rules.data[RULE_FILE] == rule_file(rule_groups(WATCHED))


def test_every_expression_has_data_and_nothing_fires(watching: Prometheus) -> None:
    expressions = [*values(WATCHED, faster=FASTER).values(), *(expression for _, _, expression in panels(WATCHED))]
    text = " ".join(expressions)
    wanted = {re.sub(r"_(sum|count)$", "", name) for name in re.findall(r"\b(\w+)\{namespace=", text)} - ONLY_IN_TROUBLE
    assert len(wanted) > 20

    def missing() -> list[str]:
        names = {re.sub(r"_(sum|count)$", "", name) for name in watching.names()}
        return [*(wanted - names), *(found for found in expressions if not watching.query(found))]

    until(lambda: missing() == [], missing, SECONDS)
    settled(watching)
    pools = watching.query("airflow_pool_open_slots")
    assert [found["metric"].get("pool_name") for found in pools] == ["default_pool"], "none without a label beside it"
    assert not [name for name in watching.names() if "default_pool" in name], "a label, and no part of a name"


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


def test_stopped_pooler_is_told_alone(watching: Prometheus) -> None:
    settled(watching)
    kubectl("scale", "deployment/airflow-pgbouncer", "--replicas=0")
    fires(watching, "AirflowDatabaseUnreachable")
