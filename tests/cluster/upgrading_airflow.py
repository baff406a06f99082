"""Another Airflow for a stack with work in it: `python -m tests.cluster.upgrading_airflow TAG [--kill]`.

The work is that of `rotating_airflow`. Upgrade and rollback run in a process of their own, which may be killed with its
engine at chosen moments and is then begun again. Needs the engine, the cluster with the image of the tag, and
AIRFLOW_TEST_GIT_PUSH; see conftest.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import versions
from automation.engine.events import Event
from automation.errors import AutomationError
from tests.cluster.harness import core_api
from tests.cluster.killed_verb import Kill, killed
from tests.cluster.rotating_airflow import Work, deployed, environment, store, wait

NAMESPACE: Final = "airflow-upgrade"
UPGRADE_KILLS: Final = (
    Kill("stage 1 of 5: ", 8),
    Kill("stopping airflow-scheduler", 0),
    Kill("creating a new Job airflow-database-migrate", 6),
    Kill("updating Release airflow", 10),
    Kill("stage 4 of 5 is done", 0),
)
ROLLBACK_KILLS: Final = (
    Kill("stage 2 of 5 is done", 0),
    Kill("stage 3 of 5: ", 8),
    Kill("updating Release airflow", 10),
)
"""Inside and after each stage."""

REFUSED_NAME: Final = "refused_for_the_tests.py"
REFUSED_DAG: Final = f"""\
# An import that only the Airflow of the stack has.
from importlib.metadata import version

from airflow.sdk import dag

if version("apache-airflow-core") != "{versions.AIRFLOW}":
    from airflow.sdk import gone_with_the_new_version


@dag(schedule=None)
def refused():
    pass


refused()
"""


def change(folder: Path, verb: str, tag: str = "", kills: Sequence[Kill] = ()) -> list[str]:
    """Upgrade, or go back, in another process. Return what it told."""
    words = [sys.executable, "-m", "tests.cluster.upgrading_airflow", tag or "none", "--child", str(folder), verb]
    return killed(folder, verb, words, kills)


def version_of(tag: str) -> str:
    """Airflow in an image with a tag of apache/airflow."""
    return tag.partition("-")[0]


def images() -> set[str]:
    """Images of Airflow in the namespace, without those of pods that end: a worker ends its tasks first."""
    return {
        container.image
        for pod in core_api().list_namespaced_pod(NAMESPACE, label_selector="tier=airflow").items
        if pod.metadata.deletion_timestamp is None
        for container in pod.spec.containers
        if container.name in ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
    }


def history_of(work: Work) -> dict[str, str]:
    """State of each run of the tasks that are short."""
    return {run["dag_run_id"]: run["state"] for run in work.runs("rotation_short") if run["state"] == "success"}


def with_history(work: Work) -> dict[str, str]:
    """The history once a run of the short tasks has ended."""
    wait(lambda: bool(history_of(work)), "a run that has ended")
    return history_of(work)


def _child(folder: Path, verb: str, tag: str) -> int:
    """What is killed, and what continues."""

    def tell(event: Event) -> None:
        print(f"{time.strftime('%H:%M:%S')} {event.text.splitlines()[0]}", flush=True)

    options: dict[str, Any] = {"keep": lambda settings: store(folder, settings), "on_event": tell}
    try:
        found = environment(folder)
        if verb == "upgrade":
            done = found.upgrade(tag, version_of(tag), timeout_seconds=420, **options)
        else:
            done = found.rollback(timeout_seconds=420, **options)
        print(json.dumps(done.to_json(), indent=2), flush=True)
    except AutomationError as error:
        print(f"{error.kind}: {error}", flush=True)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Upgrade while the work runs, end it, and go back; tell what was told."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.upgrading_airflow", description=__doc__)
    parser.add_argument("tag")
    parser.add_argument("--kill", action="store_true", help="kill it inside and after each stage")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all that is told there")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        return _child(Path(given.child[0]), given.child[1], given.tag)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        with deployed(folder, namespace=NAMESPACE) as work, work.logs(folder / "logs"):
            before = with_history(work)
            for line in change(folder, "upgrade", given.tag, UPGRADE_KILLS if given.kill else ()):
                print(line, flush=True)
            print(f"images: {images()}; history kept: {before.items() <= history_of(work).items()}", flush=True)
            problems = work.end(folder / "logs")
            print(f"problems: {problems or 'none'}", flush=True)
            for line in change(folder, "rollback", "", ROLLBACK_KILLS if given.kill else ()):
                print(line, flush=True)
            print(f"images: {images()}; history kept: {before.items() <= history_of(work).items()}", flush=True)
            print(f"status: {environment(folder).status().problems}", flush=True)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
