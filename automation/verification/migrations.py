"""The database's schema is the one that the running image expects."""

from __future__ import annotations

from typing import Final

from automation.verification.result import Check, failed, passed
from automation.verification.scene import Scene

MIGRATIONS: Final = "migrations at head"
_SECONDS: Final = 120  # an Airflow command imports for long on a busy machine
_COMMAND: Final = ("airflow", "db", "check-migrations", "--migration-wait-timeout", "0")


def migrations_at_head(scene: Scene) -> Check:
    """Asks Airflow itself, in a scheduler, without waiting for anybody to migrate."""
    pod = scene.ready_pod("scheduler")
    if pod is None:
        return failed(MIGRATIONS, "no scheduler is ready to ask")
    result = scene.kube.run(pod.name, "scheduler", _COMMAND, seconds=_SECONDS)
    if result.exit_code:
        # Not its output: a failed connection prints where it went.
        return failed(MIGRATIONS, f"airflow db check-migrations ended with exit code {result.exit_code} in {pod.name}")
    return passed(MIGRATIONS, f"asked in {pod.name}")
