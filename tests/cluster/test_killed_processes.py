"""A killed process of Airflow comes back by itself: its pod restarts or replaces it, and DAGs run on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from automation import Environment
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.errors import AutomationError
from automation.verification.verify import airflow_api
from tests.cluster import service
from tests.cluster.harness import CONTEXT, Repository
from tests.cluster.modest_values import modest_values

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

NAMESPACE: Final = "airflow-killed"
SECONDS: Final = 240
"""For a pod to be as before. A container that is restarted often waits longer and longer for it."""
HEARTBEATS: Final = {"scheduler": "scheduler", "dag-processor": "dag_processor", "triggerer": "triggerer"}
"""Names of the components in the answer of Airflow's health."""
SERVES_LOGS: Final = "serve-logs"
"""A process of triggerer and worker that nothing replaces. Without it, logs of what runs there cannot be read."""
LIST: Final = r"""
for folder in /proc/[0-9]*; do
  read -r line 2>/dev/null < "$folder/stat" || continue
  after=${line##*) }; set -- $after
  printf '%s %s ' "${folder#/proc/}" "$2"; tr '\0\n' '  ' < "$folder/cmdline"; echo
done
"""
"""Prints pid, parent and command of each process; Airflow's image has no ps."""


@dataclass(frozen=True)
class Process:
    """A process in a container."""

    pid: int
    parent: int
    command: str


class Component:
    """The pod of a component, and the container of its name in it."""

    def __init__(self, api: Any, kube: KubeClient, name: str) -> None:
        self.name, self._api, self._kube = name, api, kube

    def _pod(self) -> Any:
        pods = self._api.list_namespaced_pod(NAMESPACE, label_selector=f"release=airflow,component={self.name}").items
        [pod] = [pod for pod in pods if pod.metadata.deletion_timestamp is None]
        return pod

    def _status(self) -> Any:
        return next(item for item in self._pod().status.container_statuses if item.name == self.name)

    def restarts(self) -> int:
        return int(self._status().restart_count)

    def ready(self) -> bool:
        return bool(self._status().ready)

    def _run(self, script: str) -> str:
        return self._kube.run(self._pod().metadata.name, self.name, ["bash", "-c", script], seconds=30).stdout

    def processes(self) -> list[Process]:
        """All but that of the script itself."""
        lines = [line.split(maxsplit=2) for line in self._run(LIST).splitlines()]
        found = [Process(int(item[0]), int(item[1]), " ".join(item[2:])) for item in lines if len(item) > 1]
        return [process for process in found if process.parent]

    def main(self) -> Process:
        """What the first process of the container, which only hands on signals, has started."""
        [found] = [process for process in self.processes() if process.parent == 1]
        return found

    def below(self) -> list[Process]:
        main = self.main()
        return [process for process in self.processes() if process.parent == main.pid]

    def kill(self, process: Process) -> None:
        print(f"{self.name}: kill -9 {process.pid} {process.command[:90]}")
        self._run(f"kill -9 {process.pid}")


@pytest.fixture(scope="module")
def stack(
    engine: None, api: Any, repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    folder: Path = tmp_path_factory.mktemp("killed")
    settings = service.settings("killed", NAMESPACE, repository, helmValues=modest_values(pgbouncer=False))
    with service.removed(service.environments(folder).open("killed", settings), api, NAMESPACE) as made:
        made.up()
        yield made


@pytest.fixture(scope="module")
def kube() -> KubeClient:
    return KubeClient(CONTEXT, NAMESPACE)


def until(condition: Callable[[], bool], what: str) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < SECONDS, f"not within {SECONDS} s: {what}"
        time.sleep(1)
    return time.monotonic() - started


def beats_after(stack: Environment, kube: KubeClient, component: str, moment: float) -> Callable[[], bool]:
    """Whether a component has told the database since a moment that it works."""
    airflow = airflow_api(Deployment.of(stack.outputs().values), kube)
    name = HEARTBEATS[component]

    def beats() -> bool:
        try:
            said = airflow._request("GET", "/api/v2/monitor/health", login=False)[name]
        except AutomationError:
            return False
        last = said[f"latest_{name}_heartbeat"]
        return said["status"] == "healthy" and datetime.fromisoformat(last).timestamp() > moment

    return beats


def works(stack: Environment, kube: KubeClient, component: str, moment: float) -> None:
    """The component works since a moment, and a DAG runs to its end."""
    if component in HEARTBEATS:
        seconds = until(beats_after(stack, kube, component, moment), f"{component} beats")
        print(f"{component}: beats after {seconds:.0f} s more")
    result = stack.verify()
    assert result.ok, [(check.name, check.detail) for check in result.checks if str(check.status) == "failed"]


@pytest.mark.parametrize("name", ["api-server", "scheduler", "dag-processor", "triggerer", "worker"])
def test_pod_whose_main_process_is_killed_restarts_it(
    stack: Environment, api: Any, kube: KubeClient, name: str
) -> None:
    component = Component(api, kube, name)
    before = component.restarts()
    component.kill(component.main())
    moment = time.time()
    restarted = until(lambda: component.restarts() > before, f"{name} is restarted")
    ready = until(component.ready, f"{name} is ready")
    print(f"{name}: restarted after {restarted:.0f} s, ready after {ready:.0f} s more")
    works(stack, kube, name, moment + 1)
    assert component.restarts() == before + 1


def test_triggerer_restarts_when_what_runs_its_triggers_is_killed(
    stack: Environment, api: Any, kube: KubeClient
) -> None:
    component = Component(api, kube, "triggerer")
    before = component.restarts()
    [runner] = [process for process in component.below() if SERVES_LOGS not in process.command]
    component.kill(runner)
    moment = time.time()
    until(lambda: component.restarts() > before, "the triggerer is restarted")
    until(component.ready, "the triggerer is ready")
    works(stack, kube, "triggerer", moment + 1)


def test_worker_replaces_a_killed_process_of_its_pool(stack: Environment, api: Any, kube: KubeClient) -> None:
    component = Component(api, kube, "worker")
    restarts, before = component.restarts(), pool(component)
    component.kill(before[0])
    until(lambda: bool({found.pid for found in pool(component)} - {found.pid for found in before}), "it is replaced")
    works(stack, kube, "worker", time.time())
    assert component.restarts() == restarts


def pool(component: Component) -> list[Process]:
    return [process for process in component.below() if "ForkPoolWorker" in process.command]
