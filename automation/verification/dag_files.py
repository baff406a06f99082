"""All DAGs come from the delivered repository, and its files parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from automation.cluster.airflow_api import Dag, ImportFailure
from automation.verification.result import Check, failed, passed, skipped, warning
from automation.verification.running_airflow import RunningAirflow

NO_EXAMPLES: Final = "no example DAGs"
DAGS_PARSE: Final = "DAG files parse"
_EXAMPLE_BUNDLE: Final = "example_dags"  # reserved for Airflow's examples (airflow/dag_processing/bundles/manager.py)
_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_NAMED: Final = 3


def no_examples(airflow: RunningAirflow) -> Check:
    """Check that no DAG comes with Airflow.

    The place of a DAG's file counts, not its name: the repository itself may hold Airflow's examples.
    """
    if airflow.deployment.load_examples:
        return skipped(NO_EXAMPLES, "the stack asks for them")
    dags = airflow.api.dags()
    installed = [dag.dag_id for dag in dags if is_installed(dag)]
    if installed:
        return failed(NO_EXAMPLES, f"{len(installed)} come with Airflow: {_some(installed)}")
    return passed(NO_EXAMPLES, f"{len(dags)} DAG{'s' if len(dags) != 1 else ''}, none of them from Airflow")


def dags_parse(airflow: RunningAirflow) -> Check:
    """Check that DAG files parse. A file that does not is its author's fault, not the deployment's: a warning."""
    failures: Iterable[ImportFailure] = airflow.api.import_failures()
    names = sorted({failure.filename.rpartition("/")[2] for failure in failures})
    if names:
        return warning(DAGS_PARSE, f"{len(names)} do not: {_some(names)}")
    return passed(DAGS_PARSE, "no import errors")


def is_installed(dag: Dag) -> bool:
    """Return whether a DAG's file belongs to a Python package of the image."""
    return dag.bundle_name == _EXAMPLE_BUNDLE or any(part in dag.fileloc for part in _INSTALLED)


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
