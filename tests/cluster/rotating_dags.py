"""The DAGs of `rotating_airflow`, as files: they read a connection and a variable, and fail if they cannot."""

from __future__ import annotations

from typing import Final

DAGS: Final = ("rotation_long", "rotation_short", "rotation_deferred", "rotation_watched")
PASSWORD: Final = "sentinel-of-the-connection"
DEFERRED_FILE: Final = "/tmp/rotation-deferred"
WATCHED_FILE: Final = "/tmp/rotation-watched"
DAG_NAME: Final = "rotation_for_the_tests.py"
DAG_FILE: Final = f'''\
"""Work that a rotation of a key must not disturb."""

import time
from datetime import datetime, timedelta

from airflow.providers.standard.triggers.file import FileDeleteTrigger, FileTrigger
from airflow.sdk import Asset, AssetWatcher, BaseOperator, Connection, Variable, dag, task

ARGUMENTS = dict(start_date=datetime(2026, 1, 1), catchup=False, default_args=dict(retries=0))


def read():
    assert Connection.get("rotation_fixed").password == "{PASSWORD}"
    assert Connection.get("rotation_changed").password.startswith("changed-")
    assert Variable.get("rotation_secret") == "{PASSWORD}"


class Deferred(BaseOperator):
    def execute(self, context):
        self.defer(trigger=FileTrigger(filepath="{DEFERRED_FILE}", poke_interval=2), method_name="resumed")

    def resumed(self, context, event=None):
        read()


@dag(schedule=None, **ARGUMENTS)
def rotation_long():
    @task
    def work():
        while Variable.get("rotation_end", default="no") != "yes":
            read()
            time.sleep(3)

    work()


@dag(schedule=timedelta(seconds=30), max_active_runs=2, **ARGUMENTS)
def rotation_short():
    @task
    def work():
        read()

    work() >> work()


@dag(schedule=None, **ARGUMENTS)
def rotation_deferred():
    Deferred(task_id="work")


trigger = FileDeleteTrigger(filepath="{WATCHED_FILE}", poke_interval=2)


@dag(schedule=[Asset("rotation", watchers=[AssetWatcher(name="file", trigger=trigger)])], **ARGUMENTS)
def rotation_watched():
    @task
    def work():
        read()

    work()


rotation_long()
rotation_short()
rotation_deferred()
rotation_watched()
'''
POD_DAG: Final = "rotation_pod"
POD_NAME: Final = "rotation_pod_for_the_tests.py"
POD_FILE: Final = f'''\
"""A task in a pod of its own, which a rotation of a key must not disturb."""

import time
from datetime import datetime

from airflow.sdk import Connection, Variable, dag, task


@dag(schedule=None, start_date=datetime(2026, 1, 1), catchup=False)
def {POD_DAG}():
    @task(executor="KubernetesExecutor", retries=0)
    def work():
        while Variable.get("rotation_pod_end", default="no") != "yes":
            assert Connection.get("rotation_fixed").password == "{PASSWORD}"
            time.sleep(3)

    work()


{POD_DAG}()
'''
