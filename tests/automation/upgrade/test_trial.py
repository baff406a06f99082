"""What the new image told, and what follows from it."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from typing import Any

from automation.cluster.templates import MIGRATION
from automation.upgrade import pods, trial
from automation.upgrade.trial import Trial, notes, read, refusals
from components.database.migration import MIGRATION_LABELS
from settings.upgrade import AirflowImage

IMAGE = AirflowImage(tag="team-7", airflow="3.3.2")
GOOD = Trial(airflow="3.3.2", postgresql=17, revision="a", head="b", dags=frozenset({"etl"}), done=True)
KUBERNETES = "v1.35.0"


def line(**found: Any) -> str:
    return f"tried: {json.dumps(found)}"


def test_findings_are_read_between_the_lines_of_others() -> None:
    found = read(
        "\n".join(
            [
                "2026-11-29 [info] tried: not at the beginning",
                line(airflow="3.3.2", python="3.12.1"),
                "tried: a DAG that prints this",
                "tried: [1]",
                line(lint=["`core.x` was removed"], code=0),
                line(postgresql=17, revision="a", head="b", known=True),
                line(sql="ALTER TABLE dag ADD COLUMN x BOOLEAN"),
                line(table="dag", rows=3),
                line(bundle="dags-folder", commit="0123"),
                line(file="dags-folder: bad.py", error="ImportError: no"),
                line(dags=["etl"]),
                line(done=True),
            ]
        )
    )
    assert found == Trial(
        airflow="3.3.2",
        lint=("`core.x` was removed",),
        postgresql=17,
        revision="a",
        head="b",
        statements=("ALTER TABLE dag ADD COLUMN x BOOLEAN",),
        rows={"dag": 3},
        commits=("0123",),
        dags=frozenset({"etl"}),
        errors={"dags-folder: bad.py": "ImportError: no"},
        done=True,
    )
    assert found.migrates
    assert [lock.table for lock in found.locks] == ["dag"]


def test_image_that_can_run_the_stack_is_not_refused() -> None:
    assert refusals(GOOD, GOOD, IMAGE, "prod", KUBERNETES) == ()


def test_only_a_file_that_the_running_image_can_import_is_a_reason() -> None:
    new = replace(GOOD, errors={"dags: old.py": "ImportError: x", "dags: new.py": "ImportError: y"})
    before = replace(GOOD, errors={"dags: old.py": "SyntaxError: z"})
    [reason] = refusals(before, new, IMAGE, "prod", KUBERNETES)
    assert reason.startswith("dags: new.py: expected a file that Airflow 3.3.2 can import, found ImportError: y. Fix: ")
    assert "dags: old.py cannot be imported, before or after" in notes(before, new, IMAGE, KUBERNETES)


def test_another_airflow_than_was_said_and_a_newer_database_are_reasons() -> None:
    [version] = refusals(GOOD, replace(GOOD, airflow="3.3.1"), IMAGE, "prod", KUBERNETES)
    assert "expected Airflow 3.3.2 in team-7, found 3.3.1" in version
    assert version.endswith("python -m automation upgrade prod --tag team-7 --airflow-version 3.3.1")
    [database] = refusals(GOOD, replace(GOOD, known=False), IMAGE, "prod", KUBERNETES)
    assert "found a of a newer Airflow" in database
    both = refusals(GOOD, replace(GOOD, postgresql=12), IMAGE, "prod", "v1.29.1")
    assert [each.split(":")[0] for each in both] == ["Kubernetes", "PostgreSQL"]


def test_notes_say_what_differs_and_which_tables_are_large() -> None:
    before = replace(GOOD, dags=frozenset({"etl", "gone"}), providers={"p-a": "1.2.0", "p-b": "1.0.0", "p-c": "1.0.0"})
    new = replace(
        GOOD,
        lint=("`core.x` was removed",),
        providers={"p-a": "2.0.0", "p-b": "1.9.0"},
        statements=("ALTER TABLE dag ADD COLUMN x BOOLEAN", "CREATE INDEX i ON task_instance (x)"),
        rows={"dag": 3, "task_instance": 2_000_000},
    )
    found = "\n".join(notes(before, new, IMAGE, KUBERNETES))
    assert "airflow config lint: `core.x` was removed" in found
    assert "DAG gone is not found by Airflow 3.3.2" in found
    assert "p-c 1.0.0 is not in the new image" in found
    assert "p-a goes from 1.2.0 to 2.0.0: another major version" in found
    assert "p-b" not in found
    assert "the migration has 2 statements, 2 of which lock tables in use" in found
    assert "a large table: CREATE INDEX i" in found
    assert "a large table: ALTER TABLE dag" not in found


PROCESSOR = {
    "metadata": {"labels": {"component": "dag-processor"}, "annotations": {"checksum/x": "1"}},
    "spec": {
        "serviceAccountName": "processor",
        "initContainers": [{"name": "wait-for-airflow-migrations"}, {"name": "git-sync-init", "image": "git-sync:4"}],
        "containers": [
            {
                "name": "dag-processor",
                "image": "registry:5000/apache/airflow:3.2.2",
                "args": ["bash", "-c", "exec airflow dag-processor"],
                "env": [{"name": "A"}],
                "livenessProbe": {},
                "volumeMounts": [{"name": "dags"}],
            },
            {"name": "git-sync", "image": "git-sync:4"},
        ],
        "volumes": [{"name": "dags", "emptyDir": {}}],
    },
}


def test_pod_of_the_trial_has_the_processor_s_surroundings_and_nothing_that_runs_for_ever() -> None:
    pod = pods.trial_pod(PROCESSOR, "3.3.2")
    first, before = pod["spec"]["initContainers"]
    [after] = pod["spec"]["containers"]
    assert first["name"] == "git-sync-init"
    assert (before["name"], before["image"]) == ("before", "registry:5000/apache/airflow:3.2.2")
    assert (after["name"], after["image"]) == ("after", "registry:5000/apache/airflow:3.3.2")
    for container in (before, after):
        assert container["env"] == [{"name": "A"}]
        assert container["volumeMounts"] == [{"name": "dags"}]
        assert "livenessProbe" not in container
    assert pod["metadata"]["labels"] == {"component": "dag-processor"}, "its network policy holds for the trial too"
    assert pod["spec"]["serviceAccountName"] == "processor"


def test_pod_of_the_way_back_is_the_migration_s_with_the_newer_image() -> None:
    template: dict[str, Any] = {
        "metadata": {
            "labels": {
                "component": "database-migration",
                "batch.kubernetes.io/controller-uid": "1",
                "controller-uid": "1",
                "batch.kubernetes.io/job-name": "x",
                "job-name": "x",
            }
        },
        "spec": {"containers": [{"name": "airflow", "image": "apache/airflow:3.2.2", "env": [{"name": "A"}]}]},
    }
    pod = pods.downgrade_pod(template, "3.3.2", "3.2.2", mode="do")
    [container] = pod["spec"]["containers"]
    assert container["image"] == "apache/airflow:3.3.2"
    assert container["args"][-2:] == ["do", "3.2.2"]
    assert container["env"] == [{"name": "A"}]
    assert pod["metadata"]["labels"] == {"component": "database-migration"}
    assert template["spec"]["containers"][0]["image"] == "apache/airflow:3.2.2", "the template is not changed"


def test_tag_replaces_a_tag_or_a_digest_and_no_port() -> None:
    for reference, expected in {
        "apache/airflow:3.2.2": "apache/airflow:T",
        "host:5000/airflow:1": "host:5000/airflow:T",
        "host:5000/airflow@sha256:0": "host:5000/airflow:T",
        "host:5000/airflow": "host:5000/airflow:T",
    }.items():
        assert pods.with_tag(reference, "T") == expected


def test_scripts_are_python_and_the_labels_those_of_the_migration() -> None:
    for script in (trial.SCRIPT, trial.DOWNGRADE_SCRIPT):
        ast.parse(script)
    assert dict(MIGRATION_LABELS) == MIGRATION
