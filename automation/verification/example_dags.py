"""Nothing but the delivered repository brings DAGs, and its files parse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from automation.cluster.airflow_api import Dag, ImportFailure
from automation.verification.result import Check, failed, passed, skipped, warning
from automation.verification.scene import Scene

NO_EXAMPLES: Final = "no example DAGs"
DAGS_PARSE: Final = "DAG files parse"
_EXAMPLE_BUNDLE: Final = "example_dags"  # reserved for them (airflow/dag_processing/bundles/manager.py)
_INSTALLED: Final = ("/site-packages/", "/dist-packages/")
_NAMED: Final = 3


def no_examples(scene: Scene) -> Check:
    """The repository may well be Airflow's examples: it is where a file lies that counts, not its name."""
    if scene.deployment.load_examples:
        return skipped(NO_EXAMPLES, "the stack asks for them")
    dags = scene.api.dags()
    installed = [dag.dag_id for dag in dags if is_installed(dag)]
    if installed:
        return failed(NO_EXAMPLES, f"{len(installed)} come with Airflow: {_some(installed)}")
    return passed(NO_EXAMPLES, f"{len(dags)} DAG{'s' if len(dags) != 1 else ''}, all from the repository")


def dags_parse(scene: Scene) -> Check:
    """A file that does not parse is its author's matter, not the deployment's: a warning."""
    failures: Iterable[ImportFailure] = scene.api.import_failures()
    names = sorted({failure.filename.rpartition("/")[2] for failure in failures})
    if names:
        return warning(DAGS_PARSE, f"{len(names)} do not: {_some(names)}")
    return passed(DAGS_PARSE, "no import errors")


def is_installed(dag: Dag) -> bool:
    """Its file belongs to a Python package of the image."""
    return dag.bundle_name == _EXAMPLE_BUNDLE or any(part in dag.fileloc for part in _INSTALLED)


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
