"""What statements of a migration lock, and which of them no running task survives."""

from __future__ import annotations

from automation.upgrade.statements import breaking, locking

INDEX = "CREATE INDEX ti_dag_version_id ON task_instance (dag_version_id)"
ROWS = {"task_instance": 5_000, "dag": 3, "alembic_version": 1, "trigger": 0}


def test_statement_that_locks_a_table_with_rows_is_named_with_what_waits() -> None:
    statements = (
        INDEX,
        "CREATE UNIQUE INDEX CONCURRENTLY a ON task_instance (b)",
        "ALTER TABLE dag ADD COLUMN timetable_periodic BOOLEAN DEFAULT '0' NOT NULL",
        "UPDATE dag SET partition_mapper_info = '[]' WHERE partition_mapper_info IS NULL",
        "ALTER TABLE trigger ADD COLUMN team_name VARCHAR(50)",
        "CREATE TABLE new_one ( id INTEGER )",
        "UPDATE alembic_version SET version_num='d2f4e1b3c5a7'",
    )
    found = locking(statements, ROWS)
    assert [(each.table, each.lock) for each in found] == [
        ("task_instance", "no writes until the index is built"),
        ("dag", "no reads and no writes"),
        ("dag", "no writes to the rows that change"),
    ]
    assert str(found[0]) == f"{INDEX} (task_instance has about 5000 rows: no writes until the index is built)"


def test_tasks_must_end_only_before_what_takes_something_from_the_tables_that_they_use() -> None:
    harmful = (
        "ALTER TABLE task_instance DROP COLUMN hostname",
        'ALTER TABLE "dag_run" RENAME COLUMN a TO b',
        "ALTER TABLE xcom ALTER COLUMN value TYPE TEXT",
        "ALTER TABLE trigger ADD COLUMN queue VARCHAR(50) NOT NULL",
        "ALTER TABLE task_instance ALTER COLUMN queue SET NOT NULL",
        "DROP TABLE task_reschedule",
    )
    harmless = (
        INDEX,
        "ALTER TABLE task_instance ADD COLUMN retry_reason VARCHAR(500)",
        "ALTER TABLE xcom ADD COLUMN flag BOOLEAN DEFAULT false NOT NULL",
        "ALTER TABLE dag DROP COLUMN fileloc",
        "ALTER TABLE dag ALTER COLUMN partition_mapper_info SET NOT NULL",
    )
    assert breaking((*harmful, *harmless)) == harmful
