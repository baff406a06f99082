"""The DAGs of `test_git_company`: tasks that import modules beside them, which come with one commit or another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

SEEN: Final = "seen"
BESIDE: Final = "modules_beside"
LATER: Final = "later_modules"
HELD: Final = "held_tasks"
DEFERRING: Final = "deferring"
CHANGED: Final = "deferring_changed"
ARRIVED: Final = "arrived"
"""The variable that lets the held tasks go on."""
_HEAD: Final = '''\
"""A DAG of the tests."""

import socket
import time
from datetime import datetime
from importlib import import_module

from airflow.sdk import BaseOperator, Variable, dag, task

ARGUMENTS = dict(schedule=None, start_date=datetime(2026, 1, 1), catchup=False, default_args=dict(retries=0))
'''


def _in_both(dag_id: str, imports: str, *lines: str) -> str:
    """Return a DAG that runs the lines in a worker and in a pod of its own."""
    body = "\n".join(f"    {line}" for line in lines)
    return f"""\
{_HEAD}{imports}

def work():
{body}


@dag(dag_id="{dag_id}", **ARGUMENTS)
def both():
    task(task_id="in_worker")(work)()
    task(task_id="in_task_pod", executor="KubernetesExecutor")(work)()


both()
"""


def _deferring(dag_id: str, triggers: Sequence[str]) -> str:
    """Return a DAG with a task for each class of a trigger, which its worker imports anew."""
    tasks = "\n".join(f'    Deferred(task_id="{path}", path="{path}")' for path in triggers)
    return f"""\
{_HEAD}

class Deferred(BaseOperator):
    def __init__(self, *, path, **others):
        super().__init__(**others)
        self.path = path

    def execute(self, context):
        module, _, name = self.path.rpartition(".")
        self.defer(trigger=getattr(import_module(module), name)(), method_name="resumed")

    def resumed(self, context, event=None):
        print(f"event {{event}}", flush=True)


@dag(dag_id="{dag_id}", **ARGUMENTS)
def deferring():
{tasks}


deferring()
"""


def _trigger(module: str, event: str, *names: str) -> str:
    """Return a module with classes of triggers."""
    classes = "\n\n".join(
        f"""
class {name}(BaseTrigger):
    def serialize(self):
        return "{module}.{name}", {{}}

    async def run(self):
        yield TriggerEvent("{event}")"""
        for name in names
    )
    return f"from airflow.triggers.base import BaseTrigger, TriggerEvent\n\n{classes}\n"


def _files(**files: str) -> dict[str, str]:
    return {f"dags/{name}.py": text for name, text in files.items()}


_WORD: Final = 'print(f"{WORD} on {socket.gethostname()}", flush=True)'
_SEEN: Final = f"""\
{_HEAD}

@dag(dag_id="{SEEN}", **ARGUMENTS)
def seen():
    @task
    def say():
        print("seen", flush=True)

    say()


seen()
"""
FIRST: Final = _files(
    team_words='WORD = "first"\n',
    seen=_SEEN,
    beside=_in_both(BESIDE, "from team_words import WORD\n", _WORD),
    held=_in_both(
        HELD,
        "",
        f'while Variable.get("{ARRIVED}", default="no") != "yes":',
        "    time.sleep(2)",
        "try:",
        "    found = import_module('team_added').ADDED",
        "except ModuleNotFoundError:",
        "    found = 'nothing'",
        'print(f"held found {found}", flush=True)',
    ),
)
SECOND: Final = _files(
    team_words='WORD = "second"\n',
    team_added='ADDED = "added"\n',
    later=_in_both(LATER, "from team_added import ADDED as WORD\n", _WORD),
    team_events=_trigger("team_events", "one", "Later"),
    deferring=_deferring(DEFERRING, ["team_events.Later"]),
)
THIRD: Final = _files(
    team_events=_trigger("team_events", "two", "Later", "Another"),
    team_more_events=_trigger("team_more_events", "two", "Later"),
    changed=_deferring(CHANGED, ["team_events.Later", "team_events.Another", "team_more_events.Later"]),
)
FOURTH: Final = _files(team_words='WORD = "fourth"\n')
