"""The verification's script: what it asks Airflow for, and what it says of each failure."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from components.verification.in_image import dag_run
from tests.cases import each
from tests.json_server import JsonHandler, serving

TASK = {"task_id": "say", "state": "success", "hostname": "worker-0", "try_number": 1, "map_index": -1}


class Airflow(JsonHandler):
    """An API server that runs one DAG."""

    asked: ClassVar[list[str]] = []
    broken: ClassVar[int] = 0
    paused: ClassVar[bool] = False
    state: ClassVar[str] = "success"
    tasks: ClassVar[list[dict[str, Any]]] = [TASK]
    log: ClassVar[list[Any]] = []

    def _handle(self) -> None:
        cls, body, method = type(self), self.content(), self.command
        path = self.path.partition("?")[0]
        cls.asked.append(f"{method} {path}")
        if cls.broken:
            cls.broken -= 1
            return self.answer(503, {})
        if path == "/airflow/auth/token":
            known = body == {"username": "scheduled-verification", "password": "sentinel"}
            return self.answer(201 if known else 401, {"access_token": "token"} if known else {})
        assert self.headers["Authorization"] == "Bearer token"
        if not path.startswith("/airflow/api/v2/dags/probe"):
            return self.answer(404, {"detail": "sentinel"})
        if method == "PATCH":
            cls.paused = body["is_paused"]
        answers = {
            r"probe": {"is_paused": cls.paused},
            r"dagRuns": {},
            r"verification__[0-9a-f]{16}": {"state": cls.state if not cls.paused else "queued"},
            r"taskInstances": {"task_instances": cls.tasks},
            r"1": {"content": cls.log},
        }
        last = path.rpartition("/")[2]
        return self.answer(200, next(answer for name, answer in answers.items() if re.fullmatch(name, last)))

    do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - names that http.server asks for


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {"asked": [], "broken": 0, "paused": False, "state": "success", "tasks": [TASK]}.items():
        monkeypatch.setattr(Airflow, name, value)
    monkeypatch.setattr(Airflow, "log", ["::group::sources", "file", "::endgroup::", {"event": "hello"}])
    monkeypatch.setattr(dag_run, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(dag_run, "LOG_SECONDS", 0)
    monkeypatch.setenv("VERIFICATION_USERNAME", "scheduled-verification")
    monkeypatch.setenv("VERIFICATION_PASSWORD", "sentinel")
    with serving(Airflow) as port:
        yield f"http://127.0.0.1:{port}/airflow"


def test_success_is_one_run_whose_log_can_be_read(airflow: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dag_run.main(airflow, "probe", "30") == 0
    assert sum(line.startswith("POST") for line in Airflow.asked) == 2, "a login and a run"
    assert "probe: 1 tasks ran, 1 lines of say's log could be read" in capsys.readouterr().out


def test_statsd_learns_of_a_success_alone(airflow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(10)
        address = f"127.0.0.1:{statsd.getsockname()[1]}"
        monkeypatch.setattr(Airflow, "state", "failed")
        assert dag_run.main(airflow, "probe", "30", address) == 1
        monkeypatch.setattr(Airflow, "state", "success")
        assert dag_run.main(airflow, "probe", "30", address) == 0
        packet = statsd.recv(1000).decode()
        statsd.setblocking(False)
        with pytest.raises(BlockingIOError):
            statsd.recv(1000)
    assert re.fullmatch(r"airflow\.verification\.succeeded_timestamp_seconds:[0-9]{10}\|g", packet)


@each(
    ("changes", "dag_id", "said"),
    [
        ({"state": "failed", "tasks": [{**TASK, "state": "failed"}]}, "probe", "is failed: say failed"),
        ({"tasks": [{**TASK, "hostname": ""}]}, "probe", "no task ran on a worker"),
        ({"log": [{"event": "Could not read served logs"}]}, "probe", "Could not read served logs"),
        ({"log": []}, "probe", "it is empty"),
        ({}, "missing", "airflow:verificationDag: expected a DAG that Airflow has, found missing"),
    ],
)
def test_each_failure_is_said_in_one_line(
    airflow: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    dag_id: str,
    said: str,
) -> None:
    with monkeypatch.context() as changed:
        for name, value in changes.items():
            changed.setattr(Airflow, name, value)
        assert dag_run.main(airflow, dag_id, "30") == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert "sentinel" not in told


def test_a_run_that_does_not_end_is_told_with_its_tasks(
    airflow: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Airflow, "state", "running")
    monkeypatch.setattr(Airflow, "tasks", [{**TASK, "state": "queued", "hostname": ""}])
    assert dag_run.main(airflow, "probe", "0") == 1
    assert "is running: say queued" in capsys.readouterr().err


def test_wrong_login_is_told_without_the_password(
    airflow: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERIFICATION_PASSWORD", "sentinel-of-another")
    assert dag_run.main(airflow, "probe", "30") == 1
    assert capsys.readouterr().err == "Airflow answers POST /auth/token with 401\n"


def test_server_that_does_not_answer_is_asked_again_until_the_time_is_up(
    airflow: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Airflow, "broken", 3)
    assert dag_run.main(airflow, "probe", "30") == 0
    assert dag_run.main("http://127.0.0.1:1", "probe", "0") == 1
    assert "does not answer POST /auth/token (ConnectionRefusedError)" in capsys.readouterr().err


def test_paused_dag_is_unpaused_for_the_run_alone(airflow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Airflow, "paused", True)
    assert dag_run.main(airflow, "probe", "30") == 0
    assert Airflow.paused is True
    assert json.dumps(Airflow.asked).count("PATCH") == 2
