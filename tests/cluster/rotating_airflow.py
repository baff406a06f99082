"""An Airflow with work in it that a rotation must not disturb: `python -m tests.cluster.rotating_airflow KEY`.

A task that runs from before the rotation until after it and reads a connection all the while, a run of short tasks
every few seconds, a deferred task, an asset watcher, and somebody who changes a password all the time. The rotation
runs in a process of its own, which may be killed with its engine at chosen moments; it is then begun again. Needs the
engine, the cluster, and AIRFLOW_TEST_GIT_PUSH; see conftest.py.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from automation import Environment, EnvironmentSettings, Secret
from automation.cluster.airflow_api import AirflowApi, TaskInstance
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.engine.events import Event
from automation.errors import AirflowRequestFailed, AutomationError
from automation.verification.verify import airflow_api
from settings import SECRET_KEYS
from tests.cluster import service
from tests.cluster.git_push import pushed_dag
from tests.cluster.harness import CONTEXT, core_api, dag_repository
from tests.cluster.killed_verb import KILLS, Kill, killed
from tests.cluster.modest_values import modest_values
from tests.cluster.rotating_dags import (
    DAG_FILE,
    DAG_NAME,
    DAGS,
    DEFERRED_FILE,
    PASSWORD,
    POD_DAG,
    POD_FILE,
    POD_NAME,
    WATCHED_FILE,
)

NAMESPACE: Final = "airflow-rotate"
STACK: Final = "rotate"
SHORT_TOKENS: Final = {
    "config": {"scheduler": {"task_queued_timeout": "150"}, "execution_api": {"jwt_expiration_time": "120"}}
}
"""Values of the chart with which tokens of tasks end early, so that a test need not wait for ten minutes."""
_REFUSED: Final = "InvalidToken|Invalid auth token|Failed to validate JWT|403 Forbidden"
"""How a log says that a key does not fit."""
_GOOD: Final = ("success", "running", "queued", "scheduled", None)
"""A short run may have begun just now."""
_WAIT_SECONDS: Final = 400


@dataclass
class Work:
    """What runs in the stack, and what became of it."""

    environment: Environment
    api: AirflowApi = field(init=False)
    kube: KubeClient = field(init=False)
    problems: list[str] = field(default_factory=list)
    changed: int = 0
    ends: set[str] = field(default_factory=set)
    """The variables that have let a long task end."""
    long: tuple[str, ...] = ("rotation_long",)
    """The DAGs whose run goes on until it is let end."""

    def __post_init__(self) -> None:
        deployment = Deployment.of(self.environment.outputs().values)
        self.kube = KubeClient(CONTEXT, self.namespace)
        self.api = airflow_api(deployment, self.kube)

    @property
    def namespace(self) -> str:
        return str(self.environment.session.config().namespace)

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.api._request(method, f"/api/v2/{path}", body)

    def begin(self) -> None:
        """Store what tasks read, and let all of it run."""
        for name in ("rotation_fixed", "rotation_changed"):
            password = PASSWORD if name == "rotation_fixed" else "changed-0"
            body = {"connection_id": name, "conn_type": "generic", "password": password, "extra": '{"a": "b"}'}
            self.send("POST", "connections", body)
        self.send("POST", "variables", {"key": "rotation_secret", "value": PASSWORD})
        wait(lambda: {dag.dag_id for dag in self.api.dags()} >= {*DAGS, *self.long}, "the DAGs")
        for dag_id in {*DAGS, *self.long}:
            self.api.set_paused(dag_id, False)
        for dag_id in (*self.long, "rotation_deferred"):
            self.api.trigger(dag_id, "the-run", "")
        for dag_id in self.long:
            wait(lambda dag_id=dag_id: self.states(dag_id) == {"running"}, f"the long task of {dag_id}")
        wait(lambda: self.states("rotation_deferred") == {"deferred"}, "the deferred task")

    def states(self, dag_id: str) -> set[str]:
        return {str(task.state) for task in self.api.task_instances(dag_id, "the-run")}

    @contextmanager
    def somebody_who_changes_a_password(self) -> Iterator[None]:
        """Meanwhile, every few seconds. What was accepted last must be what the tasks read at the end."""
        stop = threading.Event()

        def change() -> None:
            while not stop.wait(4):
                try:
                    body = {"connection_id": "rotation_changed", "conn_type": "generic"}
                    password = f"changed-{self.changed + 1}"
                    self.send(
                        "PATCH", "connections/rotation_changed?update_mask=password", {**body, "password": password}
                    )
                    self.changed += 1
                except AirflowRequestFailed as error:
                    if error.status:  # else no API server answered while it rolled
                        self.problems.append(f"the password was not changed: {error.what}")

        with beside(change, stop):
            yield

    @contextmanager
    def logs(self, folder: Path) -> Iterator[None]:
        """Keep what every container writes meanwhile, those of pods that come and go too."""
        api, stop, seen = core_api(), threading.Event(), set[tuple[str, str]]()
        folder.mkdir()

        def follow(pod: str, container: str) -> None:
            with (folder / f"{pod}.{container}.log").open("wb") as file:
                try:
                    stream = api.read_namespaced_pod_log(
                        pod, self.namespace, container=container, follow=True, _preload_content=False
                    )
                    for chunk in stream.stream():
                        file.write(chunk)
                        file.flush()
                except Exception as error:
                    file.write(f"not followed to its end: {type(error).__name__}".encode())

        def look() -> None:
            while not stop.is_set():
                for pod in api.list_namespaced_pod(self.namespace).items:
                    for status in (pod.status.container_statuses or []) if pod.status else []:
                        key = (pod.metadata.name, status.name)
                        if key not in seen and (status.state.running or status.state.terminated):
                            seen.add(key)
                            threading.Thread(target=follow, args=key, daemon=True).start()
                stop.wait(2)

        with beside(look, stop):
            yield

    def let_workers_end(self) -> None:
        """Let the long task in a worker end, and not that in a pod of its own. It may be let end twice."""
        self._let_end("rotation_end")

    def let_end(self) -> None:
        """Let every long task end."""
        self.let_workers_end()
        self._let_end("rotation_pod_end")

    def _let_end(self, variable: str) -> None:
        if variable not in self.ends:
            self.ends.add(variable)
            self.send("POST", "variables", {"key": variable, "value": "yes"})

    def end(self, folder: Path) -> list[str]:
        """Let all work come to its end; what went wrong with it."""
        self.let_end()
        [triggerer] = [pod for pod in self.kube.pods({"component": "triggerer"}) if pod.ready]
        for path in (DEFERRED_FILE, WATCHED_FILE):
            self.kube.run(triggerer.name, "triggerer", ("touch", path), seconds=30)
        for dag_id in (*self.long, "rotation_deferred"):
            wait(lambda dag_id=dag_id: self.api.run_state(dag_id, "the-run") in ("success", "failed"), dag_id)
        wait(lambda: bool(self.ended("rotation_watched")), "the watcher's run")
        for dag_id in {*DAGS, *self.long}:
            self.problems += [
                f"{dag_id} {run['dag_run_id']}: {task.task_id} {task.state} at try {task.try_number}: "
                f"{self._last_lines(dag_id, str(run['dag_run_id']), task)}"
                for run in self.runs(dag_id)
                for task in self.api.task_instances(dag_id, str(run["dag_run_id"]))
                if task.state not in _GOOD or task.try_number > 1
            ]
        self.problems += [
            f"{line.decode()} in the log of {path.stem}"
            for path in folder.glob("*.log")
            for line in set(re.findall(_REFUSED.encode(), path.read_bytes()))
        ]
        scheduler = next(pod for pod in self.kube.pods({"component": "scheduler"}) if pod.ready)
        found = self.kube.run(
            scheduler.name,
            "scheduler",
            ("grep", "-rlE", _REFUSED, "/opt/airflow/logs"),
            seconds=60,
        )
        self.problems += [f"in a task's log: {line}" for line in found.stdout.splitlines()]
        return self.problems

    def _last_lines(self, dag_id: str, run_id: str, task: TaskInstance) -> str:
        """Return the end of the log of a task's first try, "" if it never began."""
        if not task.try_number:
            return ""
        return "\n".join(self.api.log(dag_id, run_id, replace(task, try_number=1)).lines[-40:])

    def token(self) -> str:
        """Return a new token of the admin, as an API client gets one. It is valid for a day."""
        return self.api._log_in()

    def answer(self, token: str) -> int:
        """Return the status with which the API server answers a request with a token."""
        return self.api._send("GET", "/api/v2/dags", None, token)[0]

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.send("GET", f"dags/{dag_id}/dagRuns?limit=200")["dag_runs"]
        return found

    def ended(self, dag_id: str) -> list[dict[str, Any]]:
        return [run for run in self.runs(dag_id) if run["state"] in ("success", "failed")]


def wait(good: Any, what: str) -> None:
    """Until it is so, or fail."""
    end = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            if good():
                return
        except AirflowRequestFailed:
            pass
        assert time.monotonic() < end, f"{what}: not in {_WAIT_SECONDS} s"
        time.sleep(2)


def rotate(folder: Path, key: str, kills: Sequence[Kill] = (), given: str = "") -> list[str]:
    """Rotate in another process, which is killed at each of these moments and begun again. Return what it told.

    given: The new value of a key that others make.
    """
    words = [sys.executable, "-m", "tests.cluster.rotating_airflow", key, "--child", str(folder)]
    if given:
        (folder / f"given-{key}").write_text(given)
    return killed(folder, f"rotate-{key}", words, kills)


@contextmanager
def beside(work: Callable[[], None], stop: threading.Event) -> Iterator[None]:
    """Let work that ends with `stop` run meanwhile."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def answered(folder: Path, key: str, asks: str, act: Callable[[str], object]) -> Iterator[None]:
    """Act once, as a person would, when the rotation of a key asks for it: with what `asks`, a pattern, has found."""
    stop = threading.Event()

    def listen() -> None:
        while not stop.wait(1):
            for log in sorted(folder.glob(f"rotate-{key}-*.txt")):
                if found := re.search(asks, log.read_text()):
                    act(found[0])
                    return

    with beside(listen, stop):
        yield


def store(folder: Path, settings: EnvironmentSettings) -> None:
    """Keep the settings as a service would."""
    secrets = {key: secret.reveal() for key, secret in settings.secrets.items()}
    (folder / "settings.new").write_text(json.dumps({**settings.values, **secrets}))
    (folder / "settings.new").replace(folder / "settings.json")


def environment(folder: Path) -> Environment:
    """The stack with the settings that were kept last."""
    values = json.loads((folder / "settings.json").read_text())
    given = {key: Secret(value) if key in SECRET_KEYS else value for key, value in values.items()}
    return service.environments(folder, lock_seconds=60).open(STACK, EnvironmentSettings.of(STACK, given))


@contextmanager
def deployed(
    folder: Path, helm: Mapping[str, Any] | None = None, *, task_pod: bool = False, **changed: Any
) -> Iterator[Work]:
    """An Airflow with the work in it. Nothing of it is left afterwards.

    Args:
        folder: For its settings and its state.
        helm: More values of the chart.
        task_pod: Whether a long task runs in a pod of its own, too.
        changed: Config of the stack.
    """
    namespace = str(changed.pop("namespace", NAMESPACE))
    # Without PgBouncer the chart has no use for its values.
    unused = () if changed.get("pgbouncerEnabled") else ("pgbouncer",)
    values = {key: value for key, value in modest_values().items() if key not in unused} | dict(helm or {})
    if task_pod:
        changed["executor"] = "CeleryExecutor,KubernetesExecutor"
    store(
        folder,
        service.settings(STACK, namespace, dag_repository(dagsSyncPeriodSeconds=5), helmValues=values, **changed),
    )
    with (
        pushed_dag(folder / "clone", DAG_NAME, DAG_FILE),
        pushed_dag(folder / "clone-2", POD_NAME, POD_FILE) if task_pod else nullcontext(),
        service.removed(environment(folder), core_api(), namespace) as made,
    ):
        made.up()
        work = Work(made, long=("rotation_long", *([POD_DAG] if task_pod else [])))
        try:
            work.begin()
            yield work
        finally:
            with suppress(AutomationError):  # a worker that stops would wait for the long task
                work.let_end()


def _child(folder: Path, key: str) -> int:
    """What is killed, and what continues."""

    def tell(event: Event) -> None:
        print(f"{time.strftime('%H:%M:%S')} {event.text.splitlines()[0]}", flush=True)

    try:
        found, file = environment(folder), folder / f"given-{key}"
        given = Secret(file.read_text()) if file.is_file() else None
        done = found.rotate(key, given=given, keep=lambda settings: store(folder, settings), on_event=tell)
        print(json.dumps(done.to_json(), indent=2), flush=True)
    except AutomationError as error:
        print(f"{error.kind}: {error}", flush=True)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Rotate keys one after the other while the work runs; tell each stage's duration and what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.rotating_airflow", description=__doc__)
    parser.add_argument("keys", nargs="+")
    parser.add_argument("--kill", action="store_true", help="kill after and inside each stage")
    parser.add_argument("--short-tokens", action="store_true", help="let the tokens of tasks end early")
    parser.add_argument("--task-pod", action="store_true", help="let a long task run in a pod of its own, too")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all that is told there")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        return _child(given.child, given.keys[0])
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        pooled = {"pgbouncerEnabled": True, "pgbouncerReplicas": 1} if "database-password" in given.keys else {}
        with (
            deployed(folder, SHORT_TOKENS if given.short_tokens else None, task_pod=given.task_pod, **pooled) as work,
            work.logs(folder / "logs"),
            work.somebody_who_changes_a_password(),
        ):
            for key in given.keys:
                for line in rotate(folder, key, KILLS.get(key, ()) if given.kill else ()):
                    print(line, flush=True)
            problems = work.end(folder / "logs")
        print(f"{work.changed} changes of a password; problems: {problems or 'none'}", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
