"""Small scripts that run in a container: where it can connect, how its environment names the database, its queues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum, unique
from typing import Any, Final

from automation.cluster.client import KubeClient
from automation.errors import ClusterRequestFailed

CONNECT_SECONDS: Final = 4
_MARGIN_SECONDS: Final = 30  # for Python to start on a busy machine
_ANSWER_SECONDS: Final = 10
_IMPORT_SECONDS: Final = 120  # Airflow is long at imports where the machine is busy

_CONNECT: Final = """
import json, socket, sys
def outcome(target):
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host, int(port)), float(sys.argv[1])).close()
        return "open"
    except socket.gaierror:
        return "unresolved"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timed out"
    except OSError:
        return "unreachable"
print(json.dumps({target: outcome(target) for target in sys.argv[2:]}))
"""

_DATABASE_VARIABLES: Final = """
import json, os, sys
known = {
    name + suffix
    for name in (
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
        "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
        "AIRFLOW_CONN_AIRFLOW_DB",
    )
    for suffix in ("", "_CMD", "_SECRET")
}
print(json.dumps(sorted(
    name
    for name, value in os.environ.items()
    if name in known and value and not value.startswith("airflow-db-not-allowed:")
    or "://" in value and any(host in value for host in sys.argv[1:])
)))
"""

# As the chart's liveness probe asks a worker.
_QUEUES: Final = """
import json, socket, sys
from airflow.providers.celery.executors.celery_executor import app
host = "celery@" + socket.gethostname()
found = app.control.inspect(destination=[host], timeout=float(sys.argv[1])).active_queues() or {}
print(json.dumps(sorted(queue["name"] for queue in found.get(host, []))))
"""


@unique
class Outcome(StrEnum):
    """How an attempt to connect ended."""

    OPEN = "open"
    REFUSED = "refused"
    TIMED_OUT = "timed out"
    UNREACHABLE = "unreachable"
    UNRESOLVED = "unresolved"


def connect(kube: KubeClient, pod: str, container: str, targets: Sequence[str]) -> dict[str, Outcome]:
    """Try `HOST:PORT` targets from a container with Python. Raises ClusterRequestFailed."""
    seconds = _MARGIN_SECONDS + 2 * CONNECT_SECONDS * len(targets)
    answer = _python(kube, pod, container, _CONNECT, (str(CONNECT_SECONDS), *targets), seconds)
    return {target: Outcome(outcome) for target, outcome in answer.items()}


def database_variables(kube: KubeClient, pod: str, container: str, hosts: Sequence[str]) -> list[str]:
    """Return the names of the environment variables that say how to connect to the database.

    No value leaves the container.
    """
    return [str(name) for name in _python(kube, pod, container, _DATABASE_VARIABLES, hosts, _MARGIN_SECONDS)]


def served_queues(kube: KubeClient, pod: str, container: str) -> list[str]:
    """Return the queues that a Celery worker serves, asked through the broker; none where it does not answer."""
    arguments = (str(_ANSWER_SECONDS),)
    return [str(name) for name in _python(kube, pod, container, _QUEUES, arguments, _IMPORT_SECONDS + _ANSWER_SECONDS)]


def _python(kube: KubeClient, pod: str, container: str, script: str, arguments: Sequence[str], seconds: float) -> Any:
    result = kube.run(pod, container, ("python", "-c", script, *arguments), seconds=seconds)
    try:
        return json.loads(result.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise ClusterRequestFailed(
            f"the probe in {pod} ended with exit code {result.exit_code} and no answer",
            f"kubectl exec {pod} -- python -V must answer; then python -m automation verify STACK",
        ) from None
