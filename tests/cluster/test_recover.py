"""Killed at the places that hurt most, a stack is recovered by `recover` alone: nothing is there twice, or lost.

Random moments of `up`, a roll and `destroy`: `python -m tests.cluster.kill_up`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from automation import Environment
from automation.engine.locks import Holder
from automation.errors import RecoveryRefused
from automation.results import Changes
from automation.verification.dag_run import DAG_RUN, TASK_LOG
from automation.verification.result import Check, Verification, failed, passed, skipped, warning
from tests.cluster import kill_up, service
from tests.cluster.harness import ROOT
from tests.cluster.moved_clock import moved_clock

pytestmark = [pytest.mark.engine, pytest.mark.cluster]

PLACES: Final = {
    "the database starts": "creating StatefulSet airflow-postgres",
    "the migration runs": "creating Job airflow-database-migrate",
    "pods start": "creating Release airflow",
}
_SECONDS: Final = 600


@pytest.fixture
def environment(engine: None, api: Any, tmp_path: Path) -> Iterator[Environment]:
    found = kill_up.environment(tmp_path, kill_up.TAGS[0])
    with service.removed(found, api, kill_up.NAMESPACE):
        yield found


def killed(folder: Path, place: str, *, whole: bool) -> None:
    """Starts `up` in another process and kills it as soon as it says that it is there, and a moment later."""
    log = folder / "events.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            kill_up.command(folder, "up", kill_up.TAGS[0]), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    end = time.monotonic() + _SECONDS
    while place not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.1)
    time.sleep(2)  # the object itself is made in a moment; then the provider waits for it
    kill_up.kill(process.pid, whole=whole)
    process.wait()


@pytest.mark.parametrize(("where", "whole"), [(place, index % 2 == 0) for index, place in enumerate(PLACES)])
def test_killed_while(where: str, whole: bool, environment: Environment, api: Any, tmp_path: Path) -> None:
    killed(tmp_path, PLACES[where], whole=whole)
    status = environment.status()
    assert [lock.holder for lock in status.locks or ()] == [Holder.GONE]
    assert status.pending
    servers = uids(api)
    before = kill_up.keys(tmp_path, api)
    found = environment.recover()
    assert found.plan.interrupted
    assert found.status.problems == ()
    assert kill_up.differences(before, kill_up.keys(tmp_path, api)) == []
    assert servers <= uids(api), "adopted, not made again: two servers on one volume would destroy it"
    assert len(uids(api)) == 1
    assert kill_up.health(environment) == []


@pytest.mark.parametrize(
    ("checks", "problems"),
    [
        ([passed(DAG_RUN, "it ran"), warning("worker isolation", "none")], []),
        ([warning(DAG_RUN, "none of 3 DAGs"), skipped(TASK_LOG, "no DAG run")], [f"{DAG_RUN}: none of 3 DAGs"]),
        ([skipped(DAG_RUN, "not ready")], [f"{DAG_RUN}: not ready"]),
        ([passed(DAG_RUN, "it ran"), failed(TASK_LOG, "empty")], [f"{TASK_LOG}: empty"]),
    ],
)
def test_recovered_is_only_where_a_dag_has_run(checks: list[Check], problems: list[str]) -> None:
    """Of what these rounds measure themselves by; asks no cluster."""
    environment: Any = SimpleNamespace(
        status=lambda: SimpleNamespace(problems=()),
        preview=lambda: SimpleNamespace(changes=Changes({})),
        verify=lambda: Verification(tuple(checks)),
    )
    assert kill_up.health(environment) == problems


def uids(api: Any) -> set[str]:
    """Of the pods of the database."""
    found = api.list_namespaced_pod(kill_up.NAMESPACE, label_selector="component=postgres").items
    return {pod.metadata.uid for pod in found}


HOURS: Final = (-1, 1)


def where_the_clock_is_set(
    folder: Path, hours: float, verb: str, within: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """What a process says whose wall clock is wrong by hours. within: a command that begins it."""
    return subprocess.run(
        [*within, *kill_up.command(folder, verb, kill_up.TAGS[0])],
        cwd=ROOT,
        env={**os.environ, **moved_clock(hours, folder)},
        capture_output=True,
        text=True,
        timeout=2 * _SECONDS,
        check=False,
    )


def clocks_apart() -> list[list[str]]:
    """Beginnings of commands: none, and those for a namespace in which the machine was started at another moment."""
    found: list[list[str]] = [[]]
    for seconds in (-3600, 3600):  # less than nothing is refused, where the machine was started within the hour
        begin = ["unshare", "--map-root-user", "--time", "--boottime", str(seconds), "--monotonic", str(seconds)]
        if subprocess.run([*begin, "true"], capture_output=True, check=False).returncode == 0:
            found.append(begin)
    return found


def test_an_update_that_is_alive_is_not_disturbed_where_the_clock_was_set(
    environment: Environment, api: Any, tmp_path: Path
) -> None:
    """By an hour, in both directions, while the update runs: by the wall clock, and by the one from the start on."""
    log = tmp_path / "events.txt"
    with log.open("w") as output:
        process = subprocess.Popen(
            kill_up.command(tmp_path, "up", kill_up.TAGS[0]), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        end = time.monotonic() + _SECONDS
        while PLACES["the database starts"] not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        [lock] = environment.status().locks or ()
        os.kill(lock.pid, signal.SIGSTOP)  # it lives, and cannot end meanwhile
        try:
            for hours in HOURS:
                for within in clocks_apart():
                    status = where_the_clock_is_set(tmp_path, hours, kill_up.STATUS, within)
                    assert status.returncode == 0, status.stdout + status.stderr
                    [seen] = json.loads(status.stdout.splitlines()[-1])["locks"]
                    assert seen["holder"] != "gone", (hours, within)
                    refused = where_the_clock_is_set(tmp_path, hours, "recover", within)
                    assert refused.returncode == 1, refused.stdout
                    assert refused.stdout.splitlines()[-1].startswith(("RecoveryRefused: ", "StackLocked: "))
        finally:
            os.kill(lock.pid, signal.SIGCONT)
        assert process.wait(timeout=_SECONDS) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert len(uids(api)) == 1
    assert kill_up.health(environment) == []


@pytest.mark.parametrize("hours", HOURS)
def test_killed_update_is_recovered_where_the_clock_was_set(
    hours: int, environment: Environment, api: Any, tmp_path: Path
) -> None:
    """By an hour since it was killed: engine alone, so that its plugins live on, or with all that it had started."""
    killed(tmp_path, PLACES["the migration runs"], whole=hours > 0)
    found = where_the_clock_is_set(tmp_path, hours, kill_up.STATUS)
    assert found.returncode == 0, found.stdout + found.stderr
    status = json.loads(found.stdout.splitlines()[-1])
    if "not yet valid" in status["cluster_error"]:
        pytest.skip("the cluster's certificate is younger than an hour, so the clock cannot be set back by that")
    assert [lock["holder"] for lock in status["locks"]] == [Holder.GONE]
    assert status["pending"]
    servers, before = uids(api), kill_up.keys(tmp_path, api)
    found = where_the_clock_is_set(tmp_path, hours, "recover")
    assert found.returncode == 0, found.stdout + found.stderr
    assert kill_up.differences(before, kill_up.keys(tmp_path, api)) == []
    assert servers <= uids(api)
    assert len(uids(api)) == 1
    assert kill_up.health(environment) == []


def test_an_update_that_is_alive_is_never_disturbed(environment: Environment, tmp_path: Path) -> None:
    with (tmp_path / "events.txt").open("w") as output:
        process = subprocess.Popen(
            kill_up.command(tmp_path, "up", kill_up.TAGS[0]), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
        )
    end = time.monotonic() + _SECONDS
    while not (locks := environment.status().locks):
        assert time.monotonic() < end
    with pytest.raises(RecoveryRefused, match="that process runs"):
        environment.recovery()
    os.kill(locks[0].pid, signal.SIGINT)
    process.wait()
    assert environment.status().locks == ()
