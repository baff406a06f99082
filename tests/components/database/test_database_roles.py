"""The roles of a managed database: what a stack registers for them, before, in and after its first rotation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import outputs
from automation.rotation.database import new_login
from components.database.database_roles import TYPE
from components.database.migration import MIGRATION_LABELS
from components.database.roles_script import COMING, MADE_BY_ROTATION, MASTER, SCRIPT
from components.kube.own_secrets import Holds, holds
from tests import samples

if TYPE_CHECKING:
    from tests.conftest import Recorder

    Registered = Callable[..., Recorder]

JOB: Final = "kubernetes:batch/v1:Job"
CLAIM: Final = "kubernetes:core/v1:PersistentVolumeClaim"
NAME: Final = "airflow-database-roles"
NEW: Final = "airflow_0a1b2c:sentinel-new"
MARK: Final = {"rotation": "database-password 1/4 0123456789ab"}
MASTER_PASSWORD: Final = "sentinel-of-the-master"


def run(
    registered: Registered, plain: Mapping[str, Any] | None = None, secrets: Mapping[str, str] | None = None
) -> Recorder:
    return registered(samples.prod().with_(dict(plain or {}), dict(secrets or {})))


def login(recorder: Recorder, secret: str) -> tuple[str | None, str]:
    """Role and password in the URI of a Secret."""
    split = urlsplit(str(recorder.secret_data(secret)["connection"]))
    return split.username, unquote(split.password or "")


def names(recorder: Recorder) -> set[str]:
    return {found.name for found in recorder.every() if found.name.startswith(NAME)}


def test_stack_whose_airflow_logs_in_as_the_master_registers_nothing(registered: Registered) -> None:
    found = run(registered)
    assert found.every(TYPE) == []
    assert names(found) == set()
    assert outputs.DATABASE_ROLES_POD not in found.exports()
    frozen = run(registered, MARK)
    assert {item.urn for item in frozen.every()} == {item.urn for item in found.every()}


def test_role_that_comes_is_made_while_everybody_logs_in_as_before(registered: Registered) -> None:
    before, coming = run(registered), run(registered, MARK, {"rotationSecret": NEW})
    assert login(coming, f"{NAME}-coming") == ("airflow_0a1b2c", "sentinel-new")
    assert login(coming, f"{NAME}-master") == login(before, "airflow-database-migration")
    for secret in ("airflow-database-migration", "airflow-database-metadata", "airflow-database-pgbouncer-config"):
        assert coming.secret_data(secret) == before.secret_data(secret), "nothing rolls"


def test_role_is_that_of_pgbouncer_and_the_jobs(registered: Registered) -> None:
    before, used = run(registered), run(registered, {}, {"databaseLogin": NEW})
    assert names(used) == {NAME, f"{NAME}-master"}
    assert login(used, "airflow-database-migration") == ("airflow_0a1b2c", "sentinel-new")
    ini = used.secret_data("airflow-database-pgbouncer-config")["pgbouncer.ini"]
    assert "user='airflow_0a1b2c' password='sentinel-new'" in ini
    assert used.secret_data("airflow-database-metadata") == before.secret_data("airflow-database-metadata")


def test_password_of_the_master_is_in_one_secret_and_in_rds(registered: Registered) -> None:
    before = run(registered, {}, {"databaseLogin": NEW})
    apart = run(registered, {}, {"databaseLogin": NEW, "databaseMasterPassword": MASTER_PASSWORD})
    holders = {item.name for item in apart.every() if MASTER_PASSWORD in str(item.revealed)}
    assert holders == {f"{NAME}-master", "airflow-postgres"}
    for secret in ("airflow-database-migration", "airflow-database-metadata", "airflow-database-pgbouncer-config"):
        assert apart.secret_data(secret) == before.secret_data(secret), "nothing rolls"
    assert holds(f"{NAME}-master-1a2b3c") is Holds.DATABASE


def test_job_is_before_whatever_logs_in_and_follows_no_image(registered: Registered) -> None:
    found = run(registered, {}, {"databaseLogin": NEW})
    job = found.one(JOB, NAME)
    assert job.inputs["metadata"]["annotations"]["pulumi.com/replaceUnready"] == "true", "one that failed is made anew"
    assert job.request.ignoreChanges == ["spec.template.spec.containers[0].image"]
    for later in (found.one(JOB, "airflow-database-migrate"),):
        assert job.urn in later.request.dependencies
    template = job.inputs["spec"]["template"]
    assert template["metadata"]["labels"].items() >= MIGRATION_LABELS.items(), "the network policies know these"
    assert job.inputs["metadata"]["labels"]["component"] == "database-roles", "nobody takes it for the migration"
    [container] = template["spec"]["containers"]
    assert container["args"] == ["python", "-c", SCRIPT, "admit"]
    variables = {item["name"]: item.get("value") for item in container["env"]}
    assert {MASTER, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"} <= set(variables)
    assert variables["CONNECTION_CHECK_MAX_COUNT"] == "0", "the login that the image would try first is made here"
    pod = found.exports()[outputs.DATABASE_ROLES_POD]
    assert pod["spec"]["containers"][0]["image"] == container["image"]


def test_job_runs_in_a_stopped_stack_too_because_a_restore_makes_another_database(registered: Registered) -> None:
    found = run(registered, {"running": "stopped"}, {"databaseLogin": NEW})
    assert found.one(JOB, NAME)


def test_role_that_a_rotation_made_in_a_container_is_looked_for_in_no_new_volume(registered: Registered) -> None:
    login = new_login()
    found = registered(samples.dev().with_({}, {"databaseLogin": login}))
    assert names(found) == set()
    assert found.secret_data("airflow-database-migration")["connection"].partition("@")[0].endswith(login)
    before = registered(samples.dev())
    assert [*found.one(CLAIM, "airflow-postgres-data").request.hooks.before_create] == ["airflow-postgres-has-role"]
    assert [*before.one(CLAIM, "airflow-postgres-data").request.hooks.before_create] == []


def test_script_knows_the_variables() -> None:
    assert f'MASTER = "{MASTER}"' in SCRIPT
    assert f'COMING = "{COMING}"' in SCRIPT
    assert f'MADE_BY_ROTATION = "^{MADE_BY_ROTATION}$"' in SCRIPT
    compile(SCRIPT, "script", "exec")
