"""The command line with a stand-in for what the cluster answers, because nothing runs in that of `tests/prod`.

Nothing else is replaced: the engine, its provider of AWS, the state and RDS are those of the other tests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final
from unittest import mock

from automation.__main__ import main
from automation.backup.jobs import BackupJobs
from automation.verification.result import Verification, passed

PASSWORD: Final = "made-up-password"


def _verified(*_: Any) -> Verification:
    return Verification((passed("stand-in", "nothing runs here"),))


def _look(_: BackupJobs, database: str, host: str) -> dict[str, Any]:
    """What the reader in Airflow's image finds."""
    print(f"looking at {database} on {host}", file=sys.stderr)
    return {
        "read": 5,
        "unread": [],
        "unread_count": 0,
        "broken": [],
        "heads": ["made-up"],
        "at_head": True,
        "runs": 3,
        "newest_run": "2026-01-31T10:45:00+00:00",
    }


def _make_roles(_: BackupJobs, host: str) -> None:
    print(f"making the roles on {host}", file=sys.stderr)


STAND_INS: Final[Mapping[str, Callable[..., Any]]] = {
    "automation.recovery.recover.wait_until_healthy": lambda *_: None,
    "automation.backup.restoring.wait_until_healthy": lambda *_: None,
    "automation.backup.restoring.verified_stack": _verified,
    "automation.snapshots.drill._password": lambda *_: PASSWORD,
    "automation.backup.jobs.BackupJobs.end_left_over": lambda _: None,
    "automation.backup.jobs.BackupJobs.look": _look,
    "automation.backup.jobs.BackupJobs.make_roles": _make_roles,
}

if __name__ == "__main__":
    with ExitStack() as stack:
        for name, does in STAND_INS.items():
            stack.enter_context(mock.patch(name, does))
        sys.exit(main(sys.argv[1:]))
