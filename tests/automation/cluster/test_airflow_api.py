"""The client of Airflow's API."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator

import pytest

from automation.cluster.airflow_api import AirflowApi, Dag, TaskInstance
from automation.cluster.deployment import Deployment
from automation.errors import AirflowRequestFailed, ClusterRequestFailed
from automation.verification.verify import airflow_api
from tests.automation.fakes import LOG, OUTPUTS, PASSWORD, World, dag_json


@pytest.fixture
def world(world: World) -> Iterator[World]:
    """The Airflow of the others, behind a socket."""
    with world.airflow.serving() as port:
        world.kube.airflow, world.kube.airflow_port = None, port
        yield world


def test_dags_come_from_all_pages(world: World) -> None:
    world.airflow.dags = {f"dag_{number}": dag_json(f"dag_{number}") for number in range(250)}
    assert len(world.running().api.dags()) == 250


def test_dag_is_typed(world: World) -> None:
    world.airflow.dags["x"] = dag_json(
        "x",
        timetable_summary="@daily",
        allowed_run_types=["scheduled"],
        tags=[{"name": "a", "dag_id": "x"}],
        bundle_version="abc",
    )
    assert world.running().api.dag("x") == Dag(
        dag_id="x",
        paused=True,
        scheduled=True,
        manual=False,
        import_errors=False,
        fileloc="/opt/airflow/dags/repo/x.py",
        bundle_name="dags-folder",
        bundle_version="abc",
        tags=("a",),
    )


@pytest.mark.parametrize(
    ("param", "required"),
    [
        ({"value": 1, "schema": {"type": "integer"}}, False),
        ({"value": None, "schema": {"type": "integer"}}, True),
        ({"value": None, "schema": {"type": ["null", "integer"]}}, False),
        ({"value": None, "schema": {"type": "null"}}, False),
        ({"value": None, "schema": {}}, True),
        ({"value": False, "schema": {"type": "boolean"}}, False),
        ("plain", False),
    ],
)
def test_param_without_a_value_is_required_unless_it_may_be_null(world: World, param: object, required: bool) -> None:
    world.airflow.dags["x"] = dag_json("x", details={"catchup": True, "params": {"p": param}})
    details = world.running().api.details("x")
    assert details.required_params == (("p",) if required else ())
    assert details.catchup


def test_log_is_parted_from_the_group_that_airflow_puts_before_it(world: World) -> None:
    task = TaskInstance(task_id="one", map_index=-1, state="success", hostname="h", try_number=1)
    log = world.running().api.log("tutorial_dag", "r", task)
    assert log.sources == ("http://worker:8793/log",)
    assert log.lines == ("Task started", "Task finished")
    world.airflow.log = [*LOG, {"event": "::group::of the task"}, {"event": "x"}]
    assert world.running().api.log("tutorial_dag", "r", task).lines[-1] == "x"


def test_names_are_quoted_in_addresses(world: World) -> None:
    world.airflow.dags["a/b ä"] = dag_json("a/b ä")
    with pytest.raises(AirflowRequestFailed) as raised:
        world.running().api.dag("a/b ä")
    assert raised.value.status == 404
    assert world.airflow.requests[-1] == "GET /api/v2/dags/a%2Fb%20%C3%A4"


@pytest.mark.parametrize(("url", "root"), [("https://h/airflow", "/airflow"), ("https://h", ""), ("", "")])
def test_path_of_the_ui_is_the_server_s(world: World, url: str, root: str) -> None:
    api = airflow_api(Deployment.of({**OUTPUTS, "ui_url": url}), world.kube)
    with contextlib.suppress(AirflowRequestFailed):  # the fake serves no path
        api.health()
    assert world.airflow.requests[0] == f"GET {root}/api/v2/monitor/health"


@pytest.mark.parametrize("broken", [[0, 0], [503, 502, 500], [0, 503]])
def test_faults_of_the_connection_and_the_server_are_tried_again(world: World, broken: list[int]) -> None:
    world.airflow.broken_answers = broken
    assert world.running().api.health()["scheduler"] == "healthy"


def test_server_that_stays_away_is_an_error_after_some_tries(world: World) -> None:
    world.airflow.broken_answers = [503] * 50
    with pytest.raises(AirflowRequestFailed, match=r"does not answer GET /api/v2/monitor/health \(503\)"):
        world.running().api.health()
    assert 0 < world.time.seconds < 60


def test_cluster_that_gives_no_connection_is_tried_again_then_an_error(world: World) -> None:
    tries = 0

    def connect() -> http.client.HTTPConnection:
        nonlocal tries
        tries += 1
        raise ClusterRequestFailed("no API server is ready", "look")

    api = AirflowApi(connect, "admin", lambda: PASSWORD, clock=world.time.clock)
    with pytest.raises(AirflowRequestFailed, match="no API server is ready"):
        api.dags()
    assert tries == 5


def test_answer_that_was_lost_starts_no_second_run(world: World) -> None:
    """The first request arrives, its answer does not: the same run id makes the second one a conflict."""
    world.airflow.triggered["run-1"] = "tutorial_dag"
    world.running().api.trigger("tutorial_dag", "run-1", "note")
    assert world.airflow.triggered == {"run-1": "tutorial_dag"}


@pytest.mark.parametrize("status", [401, 403])
def test_token_that_is_not_valid_any_more_is_renewed_once(world: World, status: int) -> None:
    """Airflow answers one that has expired with 401, and one that another key signed with 403."""
    api = world.running().api
    api.dags()
    world.airflow.token, world.airflow.refusal = "token-2", status
    api.dags()
    assert world.airflow.logins == 2


def test_wrong_password_is_one_clear_error_without_it(world: World) -> None:
    connect = lambda: world.kube.connect("airflow-api-server-0", 8080, seconds=5)  # noqa: E731
    api = AirflowApi(connect, "admin", lambda: "sentinel-wrong", clock=world.time.clock)
    with pytest.raises(AirflowRequestFailed, match="refuses the login of admin with 401") as raised:
        api.dags()
    assert "sentinel" not in str(raised.value)
    assert "admin_password_secret" in raised.value.remedy


def test_refusal_says_what_the_server_says_in_one_line(world: World) -> None:
    with pytest.raises(AirflowRequestFailed, match="404: The Dag with ID: `nope` was not found"):
        world.running().api.set_paused("nope", paused=True)


def test_import_failure_is_the_last_line_of_its_traceback(world: World) -> None:
    trace = 'Traceback (most recent call last):\n  File "x.py"\nModuleNotFoundError: No module named y\n'
    world.airflow.import_errors = [{"filename": "a/x.py", "stack_trace": trace}]
    (failure,) = world.running().api.import_failures()
    assert (failure.filename, failure.reason) == ("a/x.py", "ModuleNotFoundError: No module named y")
