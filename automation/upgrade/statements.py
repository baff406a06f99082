"""Which statements of a migration lock or change tables that a running Airflow uses. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from automation.results import Result

MANY_ROWS: Final = 1_000_000
"""Number of rows from which a statement that locks a table is worth a warning: it may take minutes."""
TASK_TABLES: Final = frozenset(
    {
        "asset",
        "asset_event",
        "connection",
        "dag_run",
        "dag_version",
        "rendered_task_instance_fields",
        "task_instance",
        "task_instance_history",
        "task_map",
        "task_reschedule",
        "trigger",
        "variable",
        "xcom",
    }
)
"""What the API server reads and writes for tasks that run (airflow 3.3.2: api_fastapi/execution_api/routes)."""
_BOOKKEEPING: Final = ("alembic_version",)
_LOCKS: Final = (
    # form of a statement, what PostgreSQL locks for it (postgresql.org/docs/17/explicit-locking.html)
    (r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)\S+ ON \"?(\w+)", "no writes until the index is built"),
    (r"ALTER TABLE \"?(\w+)", "no reads and no writes"),
    (r"DROP TABLE \"?(\w+)", "no reads and no writes"),
    (r"(?:UPDATE|DELETE FROM) \"?(\w+)", "no writes to the rows that change"),
)
_BREAKS: Final = (
    r"ALTER TABLE \"?(\w+)\"? (?:DROP COLUMN|RENAME|ALTER COLUMN \S+ TYPE)",
    r"ALTER TABLE \"?(\w+)\"? ADD COLUMN (?!.*DEFAULT).*NOT NULL",
    r"ALTER TABLE \"?(\w+)\"? ALTER COLUMN \S+ SET NOT NULL",
    r"DROP TABLE \"?(\w+)",
)


@dataclass(frozen=True, kw_only=True)
class Locking(Result):
    """A statement that locks a table which exists already."""

    statement: str
    table: str
    rows: int
    """About how many it has."""
    lock: str
    """What waits meanwhile, in words."""

    def __str__(self) -> str:
        return f"{self.statement} ({self.table} has about {self.rows} rows: {self.lock})"


def locking(statements: Sequence[str], rows: Mapping[str, int]) -> tuple[Locking, ...]:
    """Return the statements that lock a table with rows in it.

    Args:
        statements: In their order, each on one line.
        rows: About how many rows each existing table has.
    """
    found = []
    for statement in statements:
        for form, lock in _LOCKS:
            match = re.match(form, statement)
            if match and match[1] not in _BOOKKEEPING and rows.get(match[1]):
                found.append(Locking(statement=statement, table=match[1], rows=rows[match[1]], lock=lock))
                break
    return tuple(found)


def breaking(statements: Sequence[str]) -> tuple[str, ...]:
    """Return the statements after which the older API server cannot serve tasks that run."""
    return tuple(
        statement
        for statement in statements
        if any((match := re.match(form, statement)) and match[1] in TASK_TABLES for form in _BREAKS)
    )
