"""Which DAG a verification runs by itself."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from automation.cluster.airflow_api import Dag, DagDetails
from automation.verification.dag_choice import KNOWN, TAG, Choice, choose
from tests.cases import each

PLAIN = DagDetails(catchup=False, required_params=(), operators=("BashOperator", "BashOperator"))


def dag(dag_id: str, **more: object) -> Dag:
    plain = Dag(
        dag_id=dag_id,
        paused=True,
        scheduled=False,
        manual=True,
        import_errors=False,
        fileloc="/opt/airflow/dags/repo/x.py",
        bundle_name="dags-folder",
        bundle_version=None,
        tags=(),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def chosen(dags: list[Dag], details: dict[str, DagDetails] | None = None, *, careful: bool = False) -> str | None:
    choice = choose(dags, lambda dag_id: (details or {}).get(dag_id, PLAIN), careful=careful)
    return choice.dag_id if choice else None


def test_tagged_dag_comes_before_known_examples() -> None:
    assert chosen([dag(KNOWN[0]), dag("ours", tags=(TAG,))]) == "ours"


def test_known_examples_come_before_smaller_unknown_ones_and_in_their_order() -> None:
    small = replace(PLAIN, operators=("BashOperator",))
    assert chosen([dag("a"), dag(KNOWN[1]), dag(KNOWN[0])], {"a": small}) == KNOWN[0]


def test_else_the_one_with_fewest_tasks_and_then_the_first_by_name() -> None:
    small = replace(PLAIN, operators=("BashOperator",))
    assert chosen([dag("c"), dag("b"), dag("a")], {"b": small}) == "b"
    assert chosen([dag("c"), dag("b")]) == "b"


def test_choice_does_not_depend_on_the_order_in_which_dags_are_listed() -> None:
    dags = [dag("c"), dag("a", scheduled=True), dag("b"), dag("d", paused=False, scheduled=True)]
    assert {chosen(list(order)) for order in itertools.permutations(dags)} == {"b"}


def test_without_a_schedule_comes_first_even_with_more_tasks() -> None:
    """Unpausing a scheduled DAG starts a scheduled run beside ours."""
    small = replace(PLAIN, operators=("BashOperator",))
    assert chosen([dag("a", scheduled=True), dag("b")], {"a": small}) == "b"


def test_scheduled_dag_is_taken_where_there_is_no_other() -> None:
    assert chosen([dag("a", scheduled=True)]) == "a"


def test_paused_dag_with_catchup_is_never_taken() -> None:
    catchup = replace(PLAIN, catchup=True)
    assert chosen([dag("a", scheduled=True)], {"a": catchup}) is None
    assert chosen([dag("a", scheduled=True, tags=(TAG,))], {"a": catchup}) is None
    assert chosen([dag("a", scheduled=True, paused=False)], {"a": catchup}) == "a"
    assert chosen([dag("a")], {"a": catchup}) == "a", "catchup means nothing without a schedule"


@pytest.mark.parametrize(
    "unfit",
    [dag("a", manual=False), dag("a", import_errors=True)],
    ids=["no manual runs", "does not parse"],
)
def test_dag_that_airflow_would_not_run_is_not_taken(unfit: Dag) -> None:
    assert chosen([unfit]) is None


@each(
    "details",
    [
        replace(PLAIN, required_params=("names",)),
        replace(PLAIN, operators=()),
        replace(PLAIN, operators=("EmptyOperator",)),
        replace(PLAIN, operators=("BashOperator", "FileSensor")),
        replace(PLAIN, operators=("@task.sensor",)),
        replace(PLAIN, operators=("TriggerDagRunOperator",)),
        replace(PLAIN, operators=("ApprovalOperator",)),
    ],
    ids=[
        "needs input",
        "no tasks",
        "nothing for a worker",
        "waits",
        "waits too",
        "starts another",
        "waits for a person",
    ],
)
def test_dag_that_would_hang_or_prove_nothing_is_not_taken(details: DagDetails) -> None:
    assert chosen([dag("a")], {"a": details}) is None


def test_where_harm_could_be_done_only_tagged_and_known_ones_are_run() -> None:
    assert chosen([dag("drop_everything")], careful=True) is None
    assert chosen([dag("drop_everything"), dag(KNOWN[2])], careful=True) == KNOWN[2]
    assert chosen([dag("ours", tags=("x", TAG))], careful=True) == "ours"


def test_choice_says_why() -> None:
    one = replace(PLAIN, operators=("BashOperator",))
    assert choose([dag("a")], lambda _: one, careful=False) == Choice(
        "a", "the smallest that can be run as it is: 1 task"
    )


def test_details_of_a_limited_number_of_dags_are_asked_for() -> None:
    asked: list[str] = []

    def details(dag_id: str) -> DagDetails:
        asked.append(dag_id)
        return PLAIN

    assert choose([dag(f"dag_{number:03}") for number in range(500)], details, careful=False) is not None
    assert len(asked) <= 30
