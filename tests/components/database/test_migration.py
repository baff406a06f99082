"""The two Jobs: in their order, with what they need, and replaced by what should replace them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pulumi_random as random
import pytest

from components.connections.pools import Pool
from components.database.connection import CA_FILE, CA_FOLDER
from components.database.job_template import DatabaseJob
from components.database.migration import (
    ADMIN_USER_LABELS,
    MIGRATE,
    MIGRATION_LABELS,
    DatabaseMigration,
    DatabaseMigrationArgs,
)
from components.kube.env import AUTH_MANAGER
from components.kube.images import Images
from components.kube.job_pod import JobPod
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder, Registration

    Record = Callable[..., Recorder]

JOB: Final = "kubernetes:batch/v1:Job"
JOB_ARGS: Final = DatabaseJob(
    images=Images(tag="3.2.2", pull_policy="Always", pull_secrets=("registry",)), migration_secret="migration-1"
)
ARGS: Final = DatabaseMigrationArgs(
    namespace="ns",
    job=JOB_ARGS,
    fernet_key_secret="fernet-1",
    admin_username="admin",
    admin_email="admin@example.com",
    admin_password_secret="admin-1",
    timeout_seconds=90,
)


def migration(**changes: Any) -> Callable[[], DatabaseMigration]:
    """Return what makes the Jobs with other arguments, or with others of what they have in common."""
    common = {key: changes.pop(key) for key in [*changes] if key in vars(JOB_ARGS)}
    return lambda: DatabaseMigration("db", replace(ARGS, job=replace(JOB_ARGS, **common), **changes))


def migrate(recorder: Recorder) -> Registration:
    return recorder.one(JOB, "db-migrate")


def admin_user(recorder: Recorder) -> Registration:
    return recorder.one(JOB, "db-admin-user")


def container(job: Registration) -> dict[str, Any]:
    [found] = job.inputs["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def variables(job: Registration) -> dict[str, Any]:
    entries = container(job)["env"]
    found = {entry["name"]: entry.get("value") or entry["valueFrom"]["secretKeyRef"] for entry in entries}
    assert len(found) == len(entries)
    return found


def test_jobs_run_airflow_s_own_image_and_commands(record: Record) -> None:
    recorder = record(migration(images=Images(tag="3.2.2", digest=samples.DIGEST)))
    assert tuple(container(migrate(recorder))["args"]) == MIGRATE
    for job in (migrate(recorder), admin_user(recorder)):
        assert container(job)["image"] == f"apache/airflow@{samples.DIGEST}"
        assert "command" not in container(job), "the image's entry point makes the user and the paths"


def test_order_is_database_migration_user(record: Record) -> None:
    def program() -> None:
        first = random.RandomId("database", byte_length=1)
        migration(after=(first,))()

    recorder = record(program)
    database = recorder.one("random:index/randomId:RandomId")
    assert list(migrate(recorder).request.dependencies) == [database.urn]
    assert list(admin_user(recorder).request.dependencies) == [migrate(recorder).urn]


def test_names_are_made_by_the_provider(record: Record) -> None:
    """A fixed name collides with the old Job; one made of a hash does when a failed roll is rolled back."""
    recorder = record(migration())
    for job in recorder.every(JOB):
        assert "name" not in job.inputs["metadata"]
        assert "generateName" not in job.inputs["metadata"]
        assert not job.request.deleteBeforeReplace


def test_removal_of_an_old_migration_waits_for_no_pod(record: Record) -> None:
    metadata = migrate(record(migration())).inputs["metadata"]
    assert metadata["annotations"]["pulumi.com/deletionPropagationPolicy"] == "background"


def test_job_that_failed_is_made_anew_by_the_next_update(record: Record) -> None:
    """Kubernetes starts none again, so without this every later update would fail too."""
    for job in record(migration()).every(JOB):
        assert job.inputs["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true"


def test_jobs_stay_until_they_are_replaced(record: Record) -> None:
    """With a time to live a refresh finds them gone, and the next update runs them again."""
    for job in record(migration()).every(JOB):
        assert "ttlSecondsAfterFinished" not in job.inputs["spec"]


def changed(before: Recorder, after: Recorder) -> set[str]:
    """Logical names of the Jobs that the engine would replace: changed inputs but for ignored ones."""
    found = set()
    for job in after.every(JOB):
        old, new = before.registrations[job.urn].inputs, job.inputs
        for path in job.request.ignoreChanges:
            assert path == "spec.template.spec.containers[0].image"
            image = old["spec"]["template"]["spec"]["containers"][0]["image"]
            new["spec"]["template"]["spec"]["containers"][0]["image"] = image
        if new != old:
            found.add(job.name)
    return found


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({}, set()),
        ({"images": Images(tag="3.2.3", pull_policy="Always", pull_secrets=("registry",))}, {"db-migrate"}),
        ({"admin_username": "root"}, {"db-admin-user"}),
        ({"admin_email": "root@example.com"}, {"db-admin-user"}),
        ({"admin_password_secret": "admin-2"}, {"db-admin-user"}),
        ({"migration_secret": "migration-2"}, {"db-migrate", "db-admin-user"}),
        ({"fernet_key_secret": "fernet-2"}, {"db-migrate", "db-admin-user"}),
    ],
)
def test_what_changes_replaces_just_the_job_that_uses_it(
    record: Record, changes: dict[str, Any], replaced: set[str]
) -> None:
    assert changed(record(migration()), record(migration(**changes))) == replaced


def test_ignored_path_is_where_the_image_is(record: Record) -> None:
    job = admin_user(record(migration()))
    [path] = job.request.ignoreChanges
    found: Any = job.inputs
    for part in re.findall(r"\w+", path):
        found = found[int(part) if part.isdigit() else part]
    assert found == "apache/airflow:3.2.2"
    assert list(migrate(record(migration())).request.ignoreChanges) == []


def test_both_have_the_database_and_what_airflow_needs(record: Record) -> None:
    recorder = record(migration())
    for job in recorder.every(JOB):
        found = variables(job)
        assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == {"name": "migration-1", "key": "connection"}
        assert found["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == {"name": "migration-1", "key": "connection-async"}
        assert found["AIRFLOW__CORE__FERNET_KEY"] == {"name": "fernet-1", "key": "fernet-key"}
        # It brings tables of its own.
        assert found["AIRFLOW__CORE__AUTH_MANAGER"] == AUTH_MANAGER
        assert found["AIRFLOW__CORE__LOAD_EXAMPLES"] == "False"


def test_only_the_migration_leaves_out_the_image_s_own_check_of_the_database(record: Record) -> None:
    """That check imports Airflow. A team that sets the variable for all pods does not set it twice."""
    recorder = record(migration(pod=JobPod(env=({"name": "CONNECTION_CHECK_MAX_COUNT", "value": "3"},))))
    assert variables(migrate(recorder))["CONNECTION_CHECK_MAX_COUNT"] == "0"
    assert variables(admin_user(recorder))["CONNECTION_CHECK_MAX_COUNT"] == "3"


def test_password_is_neither_in_the_arguments_nor_in_the_migration(record: Record) -> None:
    recorder = record(migration())
    assert variables(admin_user(recorder))["ADMIN_PASSWORD"] == {"name": "admin-1", "key": "password"}
    assert "ADMIN_PASSWORD" not in variables(migrate(recorder))
    assert "admin-1" not in migrate(recorder).plain_text


def test_failure_ends_in_time_and_tells_its_reason(record: Record) -> None:
    recorder = record(migration(timeout_seconds=77))
    assert migrate(recorder).inputs["spec"]["activeDeadlineSeconds"] == 77
    for job in recorder.every(JOB):
        spec = job.inputs["spec"]
        assert spec["backoffLimit"] < 6
        assert spec["template"]["spec"]["restartPolicy"] == "Never", "so that the failed pod's log can be read"
        assert container(job)["terminationMessagePolicy"] == "FallbackToLogsOnError"
        # The provider gives up after the Job has, and then knows why.
        waits = int(job.request.customTimeouts.create.removesuffix("s"))
        assert waits > spec["activeDeadlineSeconds"]


def test_pods_are_let_through_by_the_policies_of_their_labels(record: Record) -> None:
    recorder = record(migration())
    for job, labels in ((migrate(recorder), MIGRATION_LABELS), (admin_user(recorder), ADMIN_USER_LABELS)):
        assert labels.items() <= job.inputs["spec"]["template"]["metadata"]["labels"].items()


def test_pods_pass_the_restricted_standard_and_have_no_token(record: Record) -> None:
    for job in record(migration()).every(JOB):
        pod = job.inputs["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 50000
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert container(job)["securityContext"]["allowPrivilegeEscalation"] is False
        assert container(job)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container(job)["imagePullPolicy"] == "Always"
        assert pod["imagePullSecrets"] == [{"name": "registry"}]


# The script that makes the user, run with a pretended `airflow`

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")
AIRFLOW: Final = """\
#!/bin/sh
for argument in "$@"; do printf '%s\\n' "$argument" >> "$CALLS"; done
while IFS= read -r answer; do printf 'answer %s\\n' "$answer" >> "$CALLS"; done
printf -- '--\\n' >> "$CALLS"
case "$1 $2" in
  "users create") printf '%s\\n' "$CREATE_SAYS"; exit "$CREATE_ENDS" ;;
esac
"""
USERNAME: Final = "-admin"
"""The arguments' parser would take it for an option, were it an argument of its own."""
PASSWORD: Final = "p 'a\"s$HOME*\\word"


def run_script(record: Record, tmp_path: Path, says: str, ends: int) -> tuple[int, list[list[str]], str]:
    """Exit code, calls of `airflow` with their arguments, and what was printed."""
    command = container(admin_user(record(migration())))["args"]
    assert command[:2] == ["bash", "-c"]
    program, calls = tmp_path / "airflow", tmp_path / "calls"
    program.write_text(AIRFLOW)
    program.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:/usr/bin:/bin",
        "CALLS": str(calls),
        "CREATE_SAYS": says,
        "CREATE_ENDS": str(ends),
        "ADMIN_USERNAME": USERNAME,
        "ADMIN_EMAIL": "admin@example.com",
        "ADMIN_PASSWORD": PASSWORD,
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    found: list[list[str]] = [[]]
    for line in calls.read_text().splitlines():
        if line == "--":  # the end of a call
            found.append([])
        else:
            found[-1].append(line)
    return done.returncode, [call for call in found if call], done.stdout + done.stderr


@needs_bash
def test_user_is_made_with_the_password_to_the_letter(record: Record, tmp_path: Path) -> None:
    code, [create], printed = run_script(record, tmp_path, 'User "admin" created with role "Admin"', 0)
    assert code == 0
    assert create[:4] == ["users", "create", "--role", "Admin"]
    assert f"--username={USERNAME}" in create
    assert "--email=admin@example.com" in create
    assert create[-2:] == [f"answer {PASSWORD}"] * 2, "Airflow asks twice"
    assert PASSWORD not in printed


@needs_bash
def test_password_is_in_no_arguments_of_a_process(record: Record, tmp_path: Path) -> None:
    _, calls, _ = run_script(record, tmp_path, "admin already exist in the db", 0)
    assert len(calls) == 2
    for call in calls:
        assert [word for word in call if PASSWORD in word and not word.startswith("answer ")] == []


@needs_bash
def test_user_that_exists_gets_the_password(record: Record, tmp_path: Path) -> None:
    """`create` leaves the old password where it is, and succeeds all the same."""
    code, [_, reset], _ = run_script(record, tmp_path, "admin already exist in the db", 0)
    assert code == 0
    assert reset == ["users", "reset-password", f"--username={USERNAME}", *[f"answer {PASSWORD}"] * 2]


@needs_bash
def test_failure_is_one_and_says_why(record: Record, tmp_path: Path) -> None:
    code, calls, printed = run_script(record, tmp_path, "could not connect to server", 3)
    assert code != 0
    assert len(calls) == 1
    assert "could not connect to server" in printed


def test_pools_are_imported_after_the_user_and_a_job_without_them_stays_as_it_was(record: Record) -> None:
    without, with_pools = (
        admin_user(record(migration(pools=pools))) for pools in ((), (Pool(name="warehouse", slots=8),))
    )
    assert "POOLS" not in variables(without)
    assert "pools" not in container(without)["args"][2]
    assert json.loads(variables(with_pools)["POOLS"])["warehouse"]["slots"] == 8
    assert container(with_pools)["args"][2].startswith(container(without)["args"][2])
    assert "airflow pools import" in container(with_pools)["args"][2]


def test_both_jobs_verify_the_database_where_it_is_to_be_verified(record: Record) -> None:
    recorder = record(migration(ca_config_map="db-ca-1"))
    for job in (migrate(recorder), admin_user(recorder)):
        assert variables(job)["PGSSLROOTCERT"] == CA_FILE
        [volume] = job.inputs["spec"]["template"]["spec"]["volumes"]
        [mount] = container(job)["volumeMounts"]
        assert volume["configMap"] == {"name": "db-ca-1"}
        assert (mount["name"], mount["mountPath"], mount["readOnly"]) == (volume["name"], CA_FOLDER, True)
    without = migrate(record(migration()))
    assert "PGSSLROOTCERT" not in variables(without)
    assert "volumes" not in without.inputs["spec"]["template"]["spec"]
