"""The run that a verification makes, and what it leaves behind."""

from __future__ import annotations

from typing import Any

import pytest

from automation.errors import AirflowRequestFailed
from automation.verification import dag_run
from automation.verification.result import Status
from components.verification.in_image.dag_run import log_parts, readable
from tests.automation.fakes import LOG_HEADER, World, dag_json, pod
from tests.cases import each


def test_paused_dag_is_unpaused_for_the_run_and_paused_again(world: World) -> None:
    run, log = dag_run.dag_run(world.running(), None)
    assert (run.status, log.status) == (Status.PASSED, Status.PASSED)
    assert world.airflow.paused_history == [("tutorial_dag", False), ("tutorial_dag", True)]
    assert "tutorial_dag" in run.detail
    assert "airflow-worker-0" in run.detail


def test_unpaused_dag_stays_as_it_is(world: World) -> None:
    world.airflow.dags["tutorial_dag"]["is_paused"] = False
    run, _ = dag_run.dag_run(world.running(), None)
    assert run.status is Status.PASSED
    assert world.airflow.paused_history == []


def test_the_run_is_only_over_before_the_dag_is_paused_again(world: World) -> None:
    """In a paused DAG a run stays queued for ever: the fake does the same."""
    dag_run.dag_run(world.running(), None)
    polls = [line for line in world.airflow.requests if "/dagRuns/verification__" in line and "taskI" not in line]
    last_poll = len(world.airflow.requests) - 1 - world.airflow.requests[::-1].index(polls[-1])
    last_patch = len(world.airflow.requests) - 1 - world.airflow.requests[::-1].index("PATCH /api/v2/dags/tutorial_dag")
    assert len(polls) == 3
    assert last_poll < last_patch


def test_failed_run_fails_names_its_task_and_pauses_again(world: World) -> None:
    world.airflow.run_states = ["running", "failed"]
    world.airflow.instances[0]["state"] = "failed"
    run, log = dag_run.dag_run(world.running(), None)
    assert run.status is Status.FAILED
    assert "failed in one" in run.detail
    assert log.status is Status.SKIPPED
    assert world.airflow.dags["tutorial_dag"]["is_paused"]


def test_run_that_does_not_end_fails_in_time_and_pauses_again(world: World) -> None:
    world.airflow.run_states = ["queued"]
    world.airflow.instances[0] |= {"state": None, "hostname": "", "try_number": 0}
    run, _ = dag_run.dag_run(world.running(), None)
    assert run.status is Status.FAILED
    assert "still queued after 60 s (one not scheduled)" in run.detail
    assert world.airflow.dags["tutorial_dag"]["is_paused"]
    assert world.time.seconds <= 60


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
def test_whatever_happens_the_dag_is_paused_again(world: World, error: BaseException) -> None:
    airflow = world.running()

    def interrupted(now: float) -> None:
        raise error

    world.time.on_sleep = interrupted
    with pytest.raises(type(error)):
        dag_run.dag_run(airflow, None)
    assert world.airflow.paused_history == [("tutorial_dag", False), ("tutorial_dag", True)]


def test_dag_is_paused_again_where_the_answer_to_unpausing_was_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = world.running()
    real = airflow.api.set_paused

    def lost(dag_id: str, paused: bool) -> None:
        real(dag_id, paused)
        if not paused:
            raise AirflowRequestFailed("no answer", "look")

    monkeypatch.setattr(airflow.api, "set_paused", lost)
    with pytest.raises(AirflowRequestFailed):
        dag_run.dag_run(airflow, None)
    assert world.airflow.dags["tutorial_dag"]["is_paused"]


def test_first_error_is_not_hidden_where_pausing_again_fails_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = world.running()
    real = airflow.api.set_paused

    def fails_to_pause(dag_id: str, paused: bool) -> None:
        if paused:
            raise AirflowRequestFailed("gone", "look")
        real(dag_id, paused)

    def boom(now: float) -> None:
        raise RuntimeError("first")

    monkeypatch.setattr(airflow.api, "set_paused", fails_to_pause)
    world.time.on_sleep = boom
    with pytest.raises(RuntimeError, match="first"):
        dag_run.dag_run(airflow, None)
    assert any("could not be paused again" in line for line in world.lines)


def test_success_without_a_worker_is_no_success(world: World) -> None:
    world.airflow.instances[0] |= {"hostname": "", "try_number": 0}
    run, _ = dag_run.dag_run(world.running(), None)
    assert run.status is Status.FAILED
    assert "no task ran on a worker" in run.detail


def test_worker_that_airflow_knows_by_address_is_named_by_its_pod(world: World) -> None:
    world.kube.found_pods.append(pod("worker", name="airflow-worker-7", ip="10.0.0.7"))
    world.airflow.instances[0]["hostname"] = "10.0.0.7"
    run, _ = dag_run.dag_run(world.running(), None)
    assert run.detail.endswith("on airflow-worker-7")


def test_named_dag_is_run_even_where_another_would_be_chosen(world: World) -> None:
    world.airflow.dags["ours"] = dag_json("ours", timetable_summary="@daily")
    dag_run.dag_run(world.running(), "ours")
    assert set(world.airflow.triggered.values()) == {"ours"}


def test_named_dag_that_is_not_there_yet_is_waited_for(world: World) -> None:
    def arrives(now: float) -> None:
        world.airflow.dags.setdefault("late", dag_json("late"))

    world.time.on_sleep = arrives
    assert dag_run.dag_run(world.running(), "late")[0].status is Status.PASSED


def test_named_dag_that_never_comes_fails(world: World) -> None:
    run, log = dag_run.dag_run(world.running(), "nope")
    assert (run.status, run.detail) == (Status.FAILED, "Airflow has no DAG nope")
    assert log.status is Status.SKIPPED


def test_dags_of_a_first_start_are_waited_for(world: World) -> None:
    world.airflow.dags.clear()
    world.time.on_sleep = lambda now: world.airflow.dags.setdefault("late", dag_json("late")) if now > 20 else None
    assert dag_run.dag_run(world.running(), None)[0].status is Status.PASSED


def test_no_dag_at_all_fails(world: World) -> None:
    world.airflow.dags.clear()
    run, _ = dag_run.dag_run(world.running(), None)
    assert (run.status, run.detail) == (Status.FAILED, "no DAG was parsed within 60 s")


@pytest.mark.parametrize("isolation", ["wanted", "required"])
def test_no_dag_that_may_be_run_is_a_warning_and_runs_nothing(world: World, isolation: str) -> None:
    world.airflow.dags = {"ours": dag_json("ours", details={"catchup": False, "params": {"x": {"value": None}}})}
    run, _ = dag_run.dag_run(world.running(isolation=isolation), None)
    assert run.status is Status.WARNING
    assert "verification" in run.detail
    assert world.airflow.triggered == {}


def test_unknown_dag_is_not_run_where_isolation_is_required(world: World) -> None:
    """That is a production stack: an unknown DAG may do anything."""
    world.airflow.dags = {"ours": dag_json("ours")}
    assert dag_run.dag_run(world.running(isolation="required"), None)[0].status is Status.WARNING
    assert world.airflow.triggered == {}


@each(
    ("content", "said"),
    [
        ([], "it is empty"),
        ([{"event": "::group::Log message source details"}, {"event": "::endgroup::"}], "it is empty"),
        (
            [
                {"event": "::group::Log message source details"},
                {"event": "Could not read served logs: HTTPConnectionPool"},
                {"event": "::endgroup::"},
            ],
            "Could not read served logs",
        ),
        (
            [
                {"event": "::group::Log message source details"},
                {"event": "!!!! Please make sure that all your components have the same 'secret_key'\nSee more"},
                {"event": "::endgroup::"},
            ],
            "the same 'secret_key'",
        ),
        (["*** Could not read from S3: 403 Forbidden"], "Could not read from S3"),
        (["  ", ""], "it is empty"),
    ],
    ids=["nothing", "only the group", "unreachable worker", "other key", "legacy error line", "blank"],
)
def test_log_that_is_only_about_why_there_is_none_is_not_readable(world: World, content: Any, said: str) -> None:
    world.airflow.log = content
    run, log = dag_run.dag_run(world.running(), None)
    assert run.status is Status.PASSED
    assert log.status is Status.FAILED
    assert said in log.detail
    assert "\n" not in log.detail


def test_api_that_fails_at_the_log_does_not_hide_that_the_run_succeeded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = world.running()

    def broken(*_: object) -> None:
        raise AirflowRequestFailed("Airflow's API server does not answer GET …/logs/1 (500)", "look", 500)

    monkeypatch.setattr(airflow.api, "log", broken)
    run, log = dag_run.dag_run(airflow, None)
    assert run.status is Status.PASSED
    assert log.status is Status.FAILED
    assert "(500)" in log.detail


def test_log_that_comes_late_is_waited_for(world: World) -> None:
    world.airflow.log = [*LOG_HEADER]
    world.time.on_sleep = lambda now: world.airflow.log.append({"event": "hello"}) if now > 10 else None
    assert dag_run.dag_run(world.running(), None)[1].status is Status.PASSED


def test_error_beside_lines_of_the_task_does_not_count() -> None:
    sources, lines = log_parts(["::group::sources", "Could not read remote logs", "::endgroup::", "hello"])
    assert sources == ("Could not read remote logs",)
    assert readable(lines)
