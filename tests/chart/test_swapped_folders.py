"""A task that swaps a folder of logs for a link reads nothing of another component (M11, ADR 33).

The reader takes Airflow's steps: it resolves the log's path, checks that it is below the folder of logs, and opens it.
Between the check and the open, the attack of this test always wins. Which pods share a folder is read from what Helm
renders; the folders, links and reads are real ones. Where each worker serves its own logs, what it may be tricked into
reading is its own environment, which its tasks read anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from components.task_logs.store import TaskLogStore
from tests.cases import each
from tests.chart import rendering
from tests.chart.rendering import needs_chart
from tests.chart.test_rendered_chart import MATRIX, templates

pytestmark = needs_chart

LOGS: Final = "/opt/airflow/logs"
RUN_TASKS: Final = ("airflow-worker", "task pod", "airflow-triggerer", "airflow-dag-processor")
"""Pods in which code of DAG authors runs."""
STORES: Final = {f"{inputs.task_logs.store} {inputs.executor.kubernetes}": inputs for inputs in MATRIX.values()}
"""A deployment for each place of task logs, with and without task pods."""
SECRET: Final = "the key of the API server"


def folders(pod: str, template: Mapping[str, Any], root: Path) -> Iterator[tuple[str, Path, bool]]:
    """Path in the pod, folder that stands for it, and whether it can be written: one folder for each shared volume."""
    volumes = {item["name"]: item for item in template["spec"].get("volumes") or ()}
    for container in rendering.containers(template):
        for mount in container.get("volumeMounts") or ():
            volume = volumes.get(mount["name"], {})  # a claim of a StatefulSet's own is of one pod
            claim, path = volume.get("persistentVolumeClaim"), volume.get("hostPath")
            shared = (claim and f"claim-{claim['claimName']}") or (path and f"node{path['path'].replace('/', '-')}")
            folder = root / (shared or f"{pod}-{mount['name']}")
            folder.mkdir(exist_ok=True)
            yield mount["mountPath"], folder, not mount.get("readOnly", False)


def read_log(logs: Path, between: Callable[[], object]) -> str:
    """Airflow's steps, with the moment of an attack between them."""
    found = logs / "dag" / "run.log"
    if not found.resolve().is_relative_to(logs.resolve()):
        return "refused"
    between()
    return found.read_text()


def stolen(pods: Mapping[str, Any], root: Path) -> str:
    """What the API server gives out as a log, while every pod that runs tasks swaps what it can."""
    environment = root / "environment of the API server"
    environment.mkdir()
    (environment / "run.log").write_text(SECRET)
    server = pods["airflow-api-server"]
    logs = next((folder for path, folder, _ in folders("api-server", server, root) if path == LOGS), root / "own logs")
    (logs / "dag").mkdir(parents=True)
    (logs / "dag" / "run.log").write_text("a log")
    written = [
        folder
        for name in RUN_TASKS
        if name in pods
        for _, folder, writable in folders(name, pods[name], root)
        if writable
    ]
    assert written

    def swap() -> None:
        for folder in written:
            there = folder / "dag"
            if there.is_dir() and not there.is_symlink():
                there.rename(folder / "away")
            if not there.is_symlink():
                there.symlink_to(environment)

    return read_log(logs, swap)


@each("name", list(STORES))
def test_swapped_folder_gives_a_task_nothing_of_the_api_server(name: str, tmp_path: Path) -> None:
    """On the shared volume it does, which is why a stack outside a laptop must decide for it (`task-logs-apart`)."""
    root = tmp_path / name.replace(" ", "-")
    root.mkdir()
    found = stolen(templates(STORES[name]), root)
    assert found == (SECRET if STORES[name].task_logs.store is TaskLogStore.VOLUME else "a log")
