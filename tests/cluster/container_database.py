"""Statements in the container database of a stack, as its owner."""

from __future__ import annotations

from typing import Final

from automation.cluster.client import KubeClient
from tests.cluster.harness import CONTEXT

_PSQL: Final = (
    "PGPASSWORD=$POSTGRES_PASSWORD exec psql --host 127.0.0.1 --username airflow --set ON_ERROR_STOP=1 "
    '--tuples-only --no-align --command "$0" airflow'
)


def sql(namespace: str, statement: str) -> str:
    """Return the rows that a statement answers with, without a heading."""
    kube = KubeClient(CONTEXT, namespace)
    [pod] = kube.pods({"component": "postgres"})
    done = kube.run(pod.name, "postgres", ("sh", "-c", _PSQL, statement), seconds=60)
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()
