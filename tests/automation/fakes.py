"""A cluster and an Airflow that exist in memory, and a clock that only tests turn."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from automation.cluster.airflow_api import AirflowApi
from automation.cluster.client import KubeClient
from automation.cluster.deployment import Deployment
from automation.cluster.objects import ClusterObjects, Found, ReleaseRecord
from automation.cluster.pods import Pod, SecretUse, Workload
from automation.errors import ClusterRequestFailed
from automation.verification.probe import Outcome
from automation.verification.running_airflow import RunningAirflow
from automation.wait import Clock
from components.kube.look import Look
from components.kube.metadata import LABELS
from components.kube.pod_command import ExecResult
from components.kube.secret import Secret
from components.kube.unready_pods import Cause, Unready
from components.kube.workload_states import WorkloadState
from tests.json_server import JsonHandler, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "fedcba9876543210fedcba9876543210fedcba98"
PASSWORD = "sentinel-password-4711"

OUTPUTS: dict[str, Any] = {
    "namespace": "airflow",
    "release_name": "airflow",
    "kube_context": "kind-airflow",
    "executor": "CeleryExecutor",
    "image": "apache/airflow:3.2.2",
    "api_server_service": "airflow-api-server",
    "api_server_port": 8080,
    "admin_username": "admin",
    "admin_password_secret": "admin-password-1a2b",
    "database_host": "airflow-postgres",
    "database_port": 5432,
    "pooler_host": "",
    "dags_repository": "https://github.com/apache/airflow.git",
    "dags_delivery": "git-sync",
    "dags_sync_period_seconds": 30,
    "isolation": "wanted",
    "load_examples": False,
}


SETTINGS: dict[str, Any] = {
    "kubeContext": "kind-airflow",
    "protect": False,
    "database": "container",
    "taskLogsAccessMode": "ReadWriteOnce",
    "adminPassword": Secret("sentinel-admin-password"),
}
"""Config of a stack on a laptop, by short key."""


def run_verb(project_dir: Path, *words: str) -> tuple[int, str]:
    """Run a verb of the command line in a folder; its exit code, and all that it wrote."""
    from automation.__main__ import parse
    from automation.cli.console import Console
    from automation.cli.declare import Call

    args, written = parse(words), io.StringIO()
    code = args.declared.run(Call(args, Console(results=written, progress=written), project_dir))
    return code, written.getvalue()


def run_on(monkeypatch: pytest.MonkeyPatch, stack: object, *words: str) -> tuple[int, str]:
    """Run a verb of the command line on a stack that takes an environment's place; its exit code and its results."""
    from automation.__main__ import parse
    from automation.cli.console import Console
    from automation.cli.declare import Call

    monkeypatch.setattr("automation.cli.declare.opened", lambda *args, **options: contextlib.nullcontext(stack))
    args, written = parse(words), io.StringIO()
    call = Call(args, Console(results=written, progress=io.StringIO()), Path())
    return args.declared.run(call), written.getvalue()


class FakeEngine:
    """An engine that is never started. told: how often it was told to stop."""

    running = interrupted = False

    def __init__(self) -> None:
        self.told = 0

    def another(self) -> FakeEngine:
        return FakeEngine()

    def cancel(self) -> None:
        self.told += 1


@dataclass
class FakeStack:
    """A stack that was opened."""

    name: str


class FakeTime:
    """A clock whose sleep takes no time; `on_sleep` lets the world change while somebody waits."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.on_sleep: Callable[[float], object] = lambda now: None

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.on_sleep(self.seconds)

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep)


def pod(component: str, *, name: str = "", ready: bool = True, reason: str = "", **more: Any) -> Pod:
    containers = {"worker": ("worker", "git-sync")}.get(component, (component, "git-sync"))
    return Pod(
        name=name or f"airflow-{component}-0",
        labels={"tier": "airflow", "component": component, "release": "airflow"},
        containers=more.pop("containers", containers),
        ready=ready,
        reason=reason,
        workload=more.pop("workload", f"airflow-{component}"),
        mounts=more.pop("mounts", {(component, "dags"): "/opt/airflow/dags", ("git-sync", "dags"): "/git"}),
        **more,
    )


def workload(component: str, *, desired: int = 1, ready: int = 1, current: bool = True) -> Workload:
    return Workload(
        kind="Deployment",
        name=f"airflow-{component}",
        labels={"tier": "airflow", "component": component},
        desired=desired,
        ready=ready,
        current=current,
    )


COMPONENTS = ("api-server", "dag-processor", "scheduler", "triggerer", "worker")


@dataclass
class FakeKube(KubeClient):
    """A cluster in memory. network: what a container in a pod meets at a target; the default is open."""

    airflow: FakeAirflow | None = None
    """Its API server, without a socket; else it listens on `airflow_port`."""
    airflow_port: int = 0
    found_pods: list[Pod] = field(default_factory=lambda: [pod(component) for component in COMPONENTS])
    found_workloads: list[Workload] = field(default_factory=lambda: [workload(name) for name in COMPONENTS])
    other_states: list[WorkloadState] = field(default_factory=list)
    commits: dict[str, str] = field(default_factory=dict)
    network: Callable[[str, str], Outcome] = lambda pod, target: Outcome.OPEN
    database_variables: list[str] = field(default_factory=list)
    queues: dict[str, list[str]] = field(default_factory=dict)
    migrations_exit_code: int = 0
    secrets: dict[str, Mapping[str, str]] = field(
        default_factory=lambda: {"admin-password-1a2b": {"password": PASSWORD}}
    )
    config_maps: dict[str, Mapping[str, str]] = field(default_factory=dict)
    new_pods_ready: bool = True
    created: list[Mapping[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    commands: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    def pods(self, labels: Mapping[str, str]) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.found_pods if labels.items() <= dict(pod.labels).items())

    def workloads(self, labels: Mapping[str, str]) -> tuple[Workload, ...]:
        return tuple(item for item in self.found_workloads if labels.items() <= dict(item.labels).items())

    def version(self) -> str:
        return "v1.35.0"

    def look(self) -> Look:
        def state(item: Workload) -> WorkloadState:
            component = item.labels.get("component")
            unready = [pod for pod in self.found_pods if not pod.ready and pod.labels.get("component") == component]
            reason = None
            if unready:
                reason = Unready(
                    unready[0].reason,
                    f"pod {unready[0].name} is not ready ({unready[0].reason})",
                    pod=unready[0].name,
                    cause=Cause.IMAGE,
                )
            ready = min(item.ready, item.desired - 1) if unready else item.ready
            return WorkloadState(
                kind=item.kind, name=item.name, ready=ready, wanted=item.desired, unready=reason, release="airflow"
            )

        return Look(workloads=(*map(state, self.found_workloads), *self.other_states))

    def secret_uses(self, variable: str, containers: Sequence[str]) -> tuple[SecretUse, ...]:
        return ()

    def secret_volumes(self, volume: str) -> tuple[SecretUse, ...]:
        return ()

    def pull_secrets(self, beginning: str) -> tuple[SecretUse, ...]:
        return ()

    def config_map_volumes(self, volume: str) -> tuple[SecretUse, ...]:
        return ()

    def run(self, pod: str, container: str, command: Sequence[str], *, seconds: float, line: str = "") -> ExecResult:
        found = next((item for item in self.found_pods if item.name == pod), None)
        if found is None or container not in found.containers:
            raise ClusterRequestFailed(f"cannot run a command in {pod}: no container {container}", "look")
        self.commands.append((pod, container, tuple(command)))
        if command[0] == "readlink":
            there = command[1] == f"{found.mounts[container, 'dags']}/repo"
            commit = self.commits.get(pod, COMMIT) if there else ""
            return ExecResult(0, f".worktrees/{commit}\n") if commit else ExecResult(1, "")
        if command[0] == "airflow":
            return ExecResult(self.migrations_exit_code, "", f"could not connect with {PASSWORD}")
        script, arguments = command[2], command[3:]
        if "create_connection" in script:
            return ExecResult(0, json.dumps({target: self.network(pod, target) for target in arguments[1:]}) + "\n")
        if "active_queues" in script:
            return ExecResult(0, json.dumps(self.queues.get(pod, [])))
        return ExecResult(0, json.dumps(self.database_variables))

    def connect(self, pod: str, port: int, *, seconds: float) -> http.client.HTTPConnection:
        if self.airflow is not None:
            return InMemory(self.airflow)
        return http.client.HTTPConnection("127.0.0.1", self.airflow_port, timeout=seconds)

    def secret(self, name: str) -> Mapping[str, str]:
        return self.secrets[name]

    def config_map(self, name: str) -> Mapping[str, str]:
        return self.config_maps.get(name, {})

    def create_pod(self, manifest: Mapping[str, Any]) -> str:
        self.created.append(manifest)
        name = f"{manifest['metadata']['generateName']}x"
        container = manifest["spec"]["containers"][0]["name"]
        reason = "" if self.new_pods_ready else f"{container}: ImagePullBackOff"
        self.found_pods.append(
            Pod(
                name=name,
                labels=manifest["metadata"]["labels"],
                containers=(container,),
                ready=self.new_pods_ready,
                reason=reason,
            )
        )
        return name

    def delete_pod(self, name: str) -> None:
        self.deleted.append(name)
        self.found_pods = [pod for pod in self.found_pods if pod.name != name]


def dag_json(dag_id: str, **more: Any) -> dict[str, Any]:
    """As the API gives it, and with `details`, `tasks` of its own for the fake."""
    return {
        "dag_id": dag_id,
        "is_paused": True,
        "timetable_summary": "None",
        "allowed_run_types": None,
        "has_import_errors": False,
        "fileloc": f"/opt/airflow/dags/repo/{dag_id}.py",
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "tags": [],
        "details": {"catchup": False, "params": {}},
        "tasks": [{"task_id": "one", "operator_name": "_PythonDecoratedOperator"}],
        **more,
    }


LOG_HEADER = [
    {"event": "::group::Log message source details"},
    {"event": "http://worker:8793/log"},
    {"event": "::endgroup::"},
]
LOG: list[dict[str, str]] = [*LOG_HEADER, {"event": "Task started"}, {"event": "Task finished"}]


class FakeAirflow:
    """A server that answers as far as `AirflowApi` asks. Its state is plain attributes."""

    def __init__(self) -> None:
        self.dags: dict[str, dict[str, Any]] = {}
        self.health: dict[str, Any] = {
            name: {"status": "healthy"} for name in ("metadatabase", "scheduler", "triggerer", "dag_processor")
        }
        self.run_states = ["queued", "running", "success"]
        self.instances = [
            {"task_id": "one", "map_index": -1, "state": "success", "hostname": "airflow-worker-0", "try_number": 1}
        ]
        self.log: list[Any] = LOG
        self.import_errors: list[dict[str, Any]] = []
        self.token = "token-1"
        self.refusal = 401
        """What a token is answered with that is not valid."""
        self.broken_answers: list[int] = []
        """Statuses to answer with, or 0 to close the connection, before all is well again."""
        self.paused_history: list[tuple[str, bool]] = []
        self.triggered: dict[str, str] = {}
        self.requests: list[str] = []
        self.logins = 0

    def answer(self, method: str, path: str, body: Any, token: str) -> tuple[int, Any]:
        """Status and document; status 0 where the connection is closed instead."""
        if self.broken_answers:
            return self.broken_answers.pop(0), {}
        path, _, query = path.partition("?")
        self.requests.append(f"{method} {path}")
        if path == "/auth/token":
            self.logins += 1
            return (201, {"access_token": self.token}) if body["password"] == PASSWORD else (401, {"detail": "no"})
        if path == "/api/v2/monitor/health":
            return 200, self.health
        if token != f"Bearer {self.token}":
            return self.refusal, {"detail": "Invalid token"}
        return self._authorised(method, path.removeprefix("/api/v2/").split("/"), body, query)

    def _authorised(self, method: str, parts: list[str], body: Any, query: str) -> tuple[int, Any]:
        match method, parts:
            case "GET", ["importErrors"]:
                return 200, {"import_errors": self.import_errors, "total_entries": len(self.import_errors)}
            case "GET", ["dags"]:
                numbers = dict(part.split("=") for part in query.split("&"))
                start, size = int(numbers["offset"]), int(numbers["limit"])
                found = list(self.dags.values())
                return 200, {"dags": found[start : start + size], "total_entries": len(found)}
        if parts[1] not in self.dags:
            return 404, {"detail": f"The Dag with ID: `{parts[1]}` was not found"}
        dag = self.dags[parts[1]]
        match method, parts[2:]:
            case "GET", []:
                return 200, dag
            case "GET", ["details"]:
                return 200, dag["details"]
            case "GET", ["tasks"]:
                return 200, {"tasks": dag["tasks"]}
            case "PATCH", []:
                dag["is_paused"] = body["is_paused"]
                self.paused_history.append((dag["dag_id"], body["is_paused"]))
                return 200, dag
            case "POST", ["dagRuns"]:
                if body["dag_run_id"] in self.triggered:
                    return 409, {"detail": "exists"}
                self.triggered[body["dag_run_id"]] = dag["dag_id"]
                return 200, {"dag_run_id": body["dag_run_id"], "state": "queued"}
            case "GET", ["dagRuns", _]:
                state = self.run_states[0] if dag["is_paused"] else self.run_states.pop(0)
                if not self.run_states:
                    self.run_states.append(state)
                return 200, {"state": state}
            case "GET", ["dagRuns", _, "taskInstances"]:
                return 200, {"task_instances": self.instances, "total_entries": len(self.instances)}
            case "GET", ["dagRuns", _, "taskInstances", _, "logs", _]:
                return 200, {"content": self.log, "continuation_token": None}
        return 405, {"detail": "not in the fake"}

    @contextmanager
    def serving(self) -> Iterator[int]:
        """The port it listens on."""
        fake = self

        class Handler(JsonHandler):
            def handle_any(self) -> None:
                token = self.headers.get("Authorization", "")
                status, content = fake.answer(self.command, self.path, self.content(), token)
                if not status:
                    self.close_connection = True
                    return
                self.answer(status, content)

            do_GET = do_POST = do_PATCH = handle_any  # noqa: N815 - names that http.server asks for

        with serving(Handler) as port:
            yield port


class InMemory(http.client.HTTPConnection):
    """A connection to an Airflow in memory. Through a socket and a thread, a request takes ten times as long."""

    def __init__(self, airflow: FakeAirflow) -> None:
        super().__init__("airflow.test")
        self._airflow = airflow
        self._found: tuple[int, Any] = (0, None)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **_: Any) -> None:
        given = json.loads(body) if body else None
        self._found = self._airflow.answer(method, url, given, (headers or {}).get("Authorization", ""))

    def getresponse(self) -> Any:
        status, content = self._found
        if not status:
            raise http.client.RemoteDisconnected("closed")
        return SimpleNamespace(status=status, read=json.dumps(content).encode)


@dataclass
class World:
    """All of it together, and the running Airflow that checks look at."""

    kube: FakeKube
    airflow: FakeAirflow
    time: FakeTime
    lines: list[str] = field(default_factory=list)

    def running(self, **changed: Any) -> RunningAirflow:
        deployment = Deployment.of({**OUTPUTS, **changed})
        api = AirflowApi(
            lambda: self.kube.connect("airflow-api-server-0", 8080, seconds=5),
            "admin",
            lambda: PASSWORD,
            clock=self.time.clock,
        )
        return RunningAirflow(
            deployment=deployment,
            kube=self.kube,
            api=api,
            timeout_seconds=60,
            clock=self.time.clock,
            on_progress=self.lines.append,
        )


def isolated(pod: str, target: str) -> Outcome:
    """A network in which workers have no way to the database."""
    database = target.startswith(("airflow-postgres:", "airflow-pgbouncer:"))
    return Outcome.TIMED_OUT if "worker" in pod and database else Outcome.OPEN


@dataclass
class FakeObjects(ClusterObjects):
    """Objects in memory. found: what is there."""

    found: list[Found] = field(default_factory=list)
    record: ReleaseRecord | None = None
    bound: set[str] = field(default_factory=set)
    deleted: list[str] = field(default_factory=list)

    def find(self, api_version: str, kind: str, namespace: str, name: str) -> Found | None:
        wanted = (api_version, kind, namespace, name)
        return next(
            (item for item in self.found if (item.api_version, item.kind, item.namespace, item.name) == wanted), None
        )

    def owned(self) -> tuple[Found, ...]:
        return tuple(item for item in self.found if item.is_own)

    def release(self, name: str) -> ReleaseRecord | None:
        return self.record

    def is_bound(self, claim: str) -> bool:
        return claim in self.bound

    def delete(self, found: Found) -> None:
        self.deleted.append(found.id)


def found_object(
    kind: str,
    name: str,
    *,
    api_version: str = "v1",
    namespace: str = "airflow",
    created: str = "2026-01-01T00:00:00Z",
    own: bool = True,
    deleting: bool = False,
) -> Found:
    """An object of the program, or of somebody else."""
    return Found(
        api_version=api_version,
        kind=kind,
        namespace=namespace,
        name=name,
        uid=f"uid-of-{name}",
        created=created,
        deleting=deleting,
        labels=dict(LABELS) if own else {"app.kubernetes.io/managed-by": "somebody"},
    )


def resource_state(type_: str, name: str, *, id_: str = "", **more: Any) -> dict[str, Any]:
    """A resource as the engine exports it."""
    urn = f"urn:pulumi:dev::airflow::airflow:index:AirflowPlatform${type_}::{name}"
    return {"urn": urn, "type": type_, "custom": True, **({"id": id_} if id_ else {}), **more}


def pending_create(
    type_: str, name: str, *, object_name: str = "", namespace: str = "airflow", **more: Any
) -> dict[str, Any]:
    """A create that was interrupted, of a Kubernetes object where it has a name."""
    group, _, kind = type_.removeprefix("kubernetes:").partition(":")
    inputs: dict[str, Any] = {}
    if object_name:
        metadata = {"name": object_name, **({"namespace": namespace} if namespace else {})}
        inputs = {"apiVersion": group.removeprefix("core/"), "kind": kind, "metadata": metadata}
    return {"type": "creating", "resource": resource_state(type_, name, inputs=inputs, **more)}
