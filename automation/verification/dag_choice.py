"""Which DAG a verification may run, where nobody names one. Pure, and the same for the same DAGs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from automation.cluster.airflow_api import Dag, DagDetails

TAG: Final = "verification"
"""A DAG with this tag is meant to be run by a verification, on production too."""

KNOWN: Final = (
    "tutorial_taskflow_api",
    "tutorial_dag",
    "example_simplest_dag",
    "example_xcom_args",
    "example_bash_decorator",
)
"""Examples of Airflow that take seconds, need nothing from outside and have no schedule."""

_NO_WORK: Final = frozenset({"EmptyOperator", "DummyOperator"})  # the scheduler marks them done: no worker sees them
_WAITING_OR_SPREADING: Final = ("sensor", "hitloperator", "approvaloperator", "triggerdagrunoperator")
"""Ends of names, in small letters: `FileSensor`, and `@task.sensor`."""
_LOOKED_AT: Final = 30
"""DAGs whose details are asked for, at most: two requests each."""


@dataclass(frozen=True)
class Choice:
    """why: in words, for the person who reads which DAG was run."""

    dag_id: str
    why: str


def choose(dags: Iterable[Dag], details: Callable[[str], DagDetails], *, careful: bool) -> Choice | None:
    """The DAG to run, None where none will do.

    First one that is tagged for it, then a known example. Then, unless `careful`, the one with the fewest tasks, those
    without a schedule first: unpausing a scheduled one starts a scheduled run beside ours. careful: an unknown DAG's
    tasks may do harm here, so none is run that nobody has named.
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
    seen = [(dag, found) for dag in others if _harmless(dag, found := details(dag.dag_id))]
    if not seen:
        return None
    dag, found = min(seen, key=lambda pair: (_starts_more(pair[0]), len(pair[1].operators), pair[0].dag_id))
    count = len(found.operators)
    return Choice(dag.dag_id, f"the smallest that can be run as it is: {count} task{'s' if count != 1 else ''}")


def _harmless(dag: Dag, details: DagDetails) -> bool:
    """It needs no input, gives a worker something to do, waits for nobody, and starts nothing else."""
    if details.required_params or (_starts_more(dag) and details.catchup):
        return False
    if any(operator.lower().endswith(_WAITING_OR_SPREADING) for operator in details.operators):
        return False
    return any(operator not in _NO_WORK for operator in details.operators)


def _starts_more(dag: Dag) -> bool:
    """Unpausing it lets its schedule start runs."""
    return dag.scheduled and dag.paused
