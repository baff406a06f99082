"""Chooses the DAG that a verification runs if you name none. Pure: the same DAGs give the same choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from automation.cluster.airflow_api import Dag, DagDetails

TAG: Final = "verification"
"""Tag of a DAG that a verification may run, in production too."""

KNOWN: Final = (
    "tutorial_taskflow_api",
    "tutorial_dag",
    "example_simplest_dag",
    "example_xcom_args",
    "example_bash_decorator",
)
"""Airflow's own examples that take seconds, need nothing from outside and have no schedule; the first is preferred."""

_NO_WORK: Final = frozenset({"EmptyOperator", "DummyOperator"})
"""Operators whose tasks the scheduler marks as done itself: no worker sees them."""
_WAITING_OR_SPREADING: Final = ("sensor", "hitloperator", "approvaloperator", "triggerdagrunoperator")
"""Ends of operators' names in small letters: `FileSensor` and `@task.sensor`."""
_LOOKED_AT: Final = 30
"""How many DAGs are asked for their details at most: that takes two requests each."""


@dataclass(frozen=True)
class Choice:
    """A DAG to run."""

    dag_id: str
    """Its id."""
    why: str
    """Why it was chosen, in words for the reader of the result."""


def choose(dags: Iterable[Dag], details: Callable[[str], DagDetails], *, careful: bool) -> Choice | None:
    """Return the DAG to run; None where none is suitable.

    A DAG with the tag comes first, then a known example. Then, unless `careful`, the DAG with the fewest tasks; those
    without a schedule come first, because unpausing a scheduled DAG starts a scheduled run too.

    Args:
        dags: All DAGs.
        details: Asks for the details of a DAG.
        careful: Do not run an unknown DAG: its tasks may do harm here.
    """
    runnable = sorted((dag for dag in dags if dag.manual and not dag.import_errors), key=lambda dag: dag.dag_id)
    tagged = [dag for dag in runnable if TAG in dag.tags]
    known = sorted((dag for dag in runnable if dag.dag_id in KNOWN), key=lambda dag: KNOWN.index(dag.dag_id))
    for group, why in ((tagged, f"it has the tag {TAG}"), (known, "an example of Airflow that takes seconds")):
        for dag in group:
            if _harmless(dag, details(dag.dag_id)):
                return Choice(dag.dag_id, why)
    if careful:
        return None
    others = sorted(runnable, key=lambda dag: (_starts_more(dag), dag.dag_id))[:_LOOKED_AT]
    candidates = [(dag, asked) for dag in others if _harmless(dag, asked := details(dag.dag_id))]
    if not candidates:
        return None
    dag, asked = min(candidates, key=lambda pair: (_starts_more(pair[0]), len(pair[1].operators), pair[0].dag_id))
    count = len(asked.operators)
    return Choice(dag.dag_id, f"the smallest that can be run as it is: {count} task{'s' if count != 1 else ''}")


def _harmless(dag: Dag, details: DagDetails) -> bool:
    """Return whether a DAG needs no input, gives a worker work, waits for nothing, and starts nothing else."""
    if details.required_params or (_starts_more(dag) and details.catchup):
        return False
    if any(operator.lower().endswith(_WAITING_OR_SPREADING) for operator in details.operators):
        return False
    return any(operator not in _NO_WORK for operator in details.operators)


def _starts_more(dag: Dag) -> bool:
    """Return whether unpausing the DAG lets its schedule start runs."""
    return dag.scheduled and dag.paused
