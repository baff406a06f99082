"""Lets a running Redis accept a second password. Redis forgets it when it restarts."""

from __future__ import annotations

from typing import Final

from automation.cluster.client import KubeClient
from automation.errors import ClusterRequestFailed
from automation.rotation.stage_lists import REDIS

_SECONDS: Final = 30.0
# The new password comes as a line, and goes on in a variable or by a builtin: no process has it among its arguments.
_ADMIT: Final = """\
IFS= read -r new
printf 'ACL SETUSER default >%s\\n' "$new" | REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli
"""
_ASK: Final = """\
IFS= read -r new
REDISCLI_AUTH="$new" redis-cli ping
"""


def admit(kube: KubeClient, new: str) -> None:
    """Let the default user log in by another password too. Raises ClusterRequestFailed."""
    if _told(kube, _ADMIT, new) != "OK":
        raise ClusterRequestFailed(
            "Redis did not take another password", "kubectl logs airflow-redis-0; then run it again"
        )


def accepts(kube: KubeClient, password: str) -> bool:
    """Return whether Redis accepts a password."""
    return _told(kube, _ASK, password) == "PONG"


def _told(kube: KubeClient, script: str, line: str) -> str:
    pod = kube.ready_pod({"component": REDIS}, "no Redis is ready")
    done = kube.run(pod.name, REDIS, ("sh", "-c", script), seconds=_SECONDS, line=line)
    return done.stdout.strip().rpartition("\n")[2]
