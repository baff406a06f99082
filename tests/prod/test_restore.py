"""Backup, drill and restore of the RDS instance of `prod`, in the order of the tests, by the command line.

The runbook is followed word by word. What the cluster answers is a stand-in (`restoring.py`): its pods, the checks of
`verify`, and the reader of a drill.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

import pytest

from tests.prod.account import Account
from tests.prod.checkout import Checkout, document_in
from tests.prod.killing import killed_at
from tests.prod.ownership import not_in_the_state
from tests.prod.ratchet import Ratchet
from tests.prod.restore_page import delete_old, keys_of_an_older_version, restore
from tests.prod.rights_seen import unneeded_after

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-restore")]

INSTANCE: Final = ("aws:rds/instance:Instance", "airflow-postgres")
KEPT: Final = (
    ("aws:kms/key:Key", "airflow-postgres-key"),
    ("aws:ec2/securityGroup:SecurityGroup", "airflow-postgres"),
    ("aws:rds/parameterGroup:ParameterGroup", "airflow-postgres"),
    ("aws:rds/subnetGroup:SubnetGroup", "airflow-postgres"),
)
"""What the instance that is left still uses."""
REFUSED_AT_FIRST: Final = "ec2:RevokeSecurityGroupEgress"
REFUSED_A_DRILL: Final = "rds:RestoreDBInstanceToPointInTime"
REFUSED_A_RESTORE: Final = frozenset(
    {"iam:UpdateAssumeRolePolicy", "kms:PutKeyPolicy", "rds:RestoreDBInstanceFromDBSnapshot"}
)
"""Rights that nothing else needs: each is refused once, and the error must name it."""
MASTER_PASSWORD: Final = "of-the-master-alone"
MODULE: Final = "tests.prod.restoring"
COMMAND: Final = ("python", "-m", MODULE)


def verb(checkout: Checkout, *words: str, check: bool = True) -> str:
    started = time.monotonic()
    ended = checkout.run([*COMMAND, *words], check=check)
    print(f"{' '.join(words)}: exit {ended.code} after {time.monotonic() - started:.0f} s", flush=True)
    return ended.output


def documented(checkout: Checkout, *words: str) -> dict[str, Any]:
    return document_in(verb(checkout, *words, "--json"))


def instances(account: Account) -> dict[str, dict[str, Any]]:
    found = account.client("rds").describe_db_instances()["DBInstances"]
    return {item["DBInstanceIdentifier"]: item for item in found}


def tags(instance: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in instance["TagList"]}


def done(account: Account, operation: str) -> int:
    """Return how often RDS did an operation."""
    return sum(call.operation == f"rds:{operation}" and call.status < 400 for call in account.calls())


def refused(ratchet: Ratchet, checkout: Checkout, *words: str) -> None:
    """Run a verb until it was refused all rights that are missing, and do what each error says."""
    while ratchet.missing:
        ended = ratchet.attempt(checkout, *words, module=MODULE)
        assert ended.code != 0, f"nothing needed {sorted(ratchet.missing)}"
        if "python -m automation refresh prod, and run it again" in " ".join(ended.output.split()):
            verb(checkout, "refresh", "prod")
    assert ratchet.unnamed == {}


def ids(checkout: Checkout) -> list[str]:
    return [checkout.resource(*item)["id"] for item in KEPT]


def test_a_way_out_that_it_may_not_close_does_not_stay(checkout: Checkout, account: Account) -> None:
    """AWS gives a new group one. The provider counts it as closed, though it was refused that."""
    refused(Ratchet(account, {REFUSED_AT_FIRST}), checkout, "up", "prod")
    checkout.up()
    assert not_in_the_state(account, checkout) == []


@pytest.fixture(scope="module")
def snapshot(checkout: Checkout, account: Account) -> str:
    """A backup from when Airflow logged in as the master user. It has its own login, and the master its own password,
    ever since."""
    checkout.up()
    made = documented(checkout, "backup", "prod")["backup"]
    assert made["kind"] == "manual"
    for key, value in (("databaseLogin", "airflow_0a1b2c:of-the-login"), ("databaseMasterPassword", MASTER_PASSWORD)):
        checkout.pulumi("config", "set", "--stack", "prod", "--secret", f"airflow:{key}", given=value)
    changed = checkout.up()
    assert not [step for step in changed.steps if step.startswith("replace ") and "Instance" in step]
    return str(made["name"])


def test_backup_is_listed_with_the_moments(checkout: Checkout, account: Account, snapshot: str) -> None:
    found = documented(checkout, "backups", "prod")
    assert snapshot in [item["name"] for item in found["backups"]]
    assert {item["kind"] for item in found["backups"]} == {"automated", "manual"}
    assert found["moments"]["earliest"] < found["moments"]["latest"]
    [described] = account.client("rds").describe_db_snapshots(DBSnapshotIdentifier=snapshot)["DBSnapshots"]
    assert described["KmsKeyId"] == instances(account)["airflow-prod"]["KmsKeyId"]


def test_drill_makes_an_instance_and_deletes_it(checkout: Checkout, account: Account, snapshot: str) -> None:
    account.order(drill=True)
    told = verb(checkout, "drill", "prod", "--json")
    found = document_in(told)
    assert told.index("making the roles on airflow-prod-drill-") < told.index("looking at airflow on airflow-prod-")
    assert (found["backup"], found["ok"], found["encrypted"]) == (snapshot, True, 5)
    assert found["rpo_seconds"] >= 0
    assert list(instances(account)) == ["airflow-prod"]


def test_drill_of_a_moment_names_the_right_that_it_lacks(checkout: Checkout, account: Account, snapshot: str) -> None:
    moment = documented(checkout, "backups", "prod")["moments"]["latest"]
    ratchet = Ratchet(account, {REFUSED_A_DRILL}, drill=True)
    ended = ratchet.succeed(checkout, "drill", "prod", "--at", moment, "--json", module=MODULE)
    account.order()
    assert (document_in(ended.output)["ok"], set(ratchet.given)) == (True, {REFUSED_A_DRILL})
    assert list(instances(account)) == ["airflow-prod"]


def test_dry_run_changes_nothing(checkout: Checkout, account: Account, snapshot: str) -> None:
    before = checkout.file.read_text()
    written = verb(checkout, "restore", "prod", "--dry-run", "--from", snapshot)
    assert "the present database would stay as airflow-prod" in written
    assert "the stack has the instance airflow-prod-2, made from" in written
    assert checkout.file.read_text() == before


def test_restore_that_is_refused_rights_and_killed_goes_on_and_ends_green(
    checkout: Checkout, account: Account, snapshot: str
) -> None:
    before = ids(checkout)
    account.client("rds").modify_db_instance(  # a change after the backup
        DBInstanceIdentifier="airflow-prod", BackupRetentionPeriod=15, ApplyImmediately=True
    )
    refused(Ratchet(account, REFUSED_A_RESTORE), checkout, "restore", "prod", "--from", snapshot)
    made = "rds:RestoreDBInstanceFromDBSnapshot"
    killed_at(checkout, account, [made], *COMMAND, "restore", "prod", "--from", snapshot)
    assert list(instances(account)) == ["airflow-prod", "airflow-prod-2"]
    assert "is not finished" in verb(checkout, "status", "prod", check=False)
    account.order(teardown=True)  # what was half made is deleted
    ended = documented(checkout, "restore", "prod")
    account.order()
    assert (ended["plan"]["backup"], ended["plan"]["resumed"], ended["verification"]["ok"]) == (snapshot, True, True)
    assert done(account, "RestoreDBInstanceFromDBSnapshot") == 3, "the drill, the killed run, the one after it"
    assert ids(checkout) == before
    _on(checkout, account, "airflow-prod-2", left="airflow-prod")


def _on(checkout: Checkout, account: Account, new: str, *, left: str) -> None:
    """The stack has the new instance and every protection, the old one is left, and nothing is to be done."""
    found = checkout.resource(*INSTANCE)
    assert (found["outputs"]["identifier"], found.get("protect"), found.get("retainOnDelete")) == (new, True, None)
    there = instances(account)
    assert there[left]["DeletionProtection"]
    assert tags(there[left])["airflow-left-by"].endswith(f" to {new}")
    assert there[new]["DeletionProtection"]
    assert account.masters()[new]["MasterUserPassword"] == MASTER_PASSWORD
    assert not {key for key in tags(there[new]) if key.startswith("airflow")}
    config = checkout.file.read_text()
    assert f"airflow:databaseIdentifier: {new}" in config
    assert "airflow:restore" not in config
    assert "airflow:running" not in config
    assert checkout.preview().steps == ()


def test_old_instance_is_deleted_with_a_final_snapshot_when_it_is_told(checkout: Checkout, account: Account) -> None:
    account.order(teardown=True)
    final = delete_old(checkout, module=MODULE)
    assert list(instances(account)) == ["airflow-prod-2"]
    account.client("rds").describe_db_snapshots(DBSnapshotIdentifier=final)
    assert documented(checkout, "restore", "prod", "--delete-old")["names"] == []
    account.order()


def test_moment_is_restored(checkout: Checkout, account: Account) -> None:
    assert "\nairflow-prod-2 at " in restore(checkout, module=MODULE)
    assert done(account, "RestoreDBInstanceToPointInTime") == 2, "the drill, the restore"
    _on(checkout, account, "airflow-prod-3", left="airflow-prod-2")


def test_an_older_version_of_the_escrow_has_its_fernet_key(checkout: Checkout) -> None:
    assert json.loads(document_in(keys_of_an_older_version(checkout))["SecretString"])["fernet_key"]


def test_every_other_call_was_allowed(account: Account) -> None:
    refusals = {call.refused for call in account.calls() if call.refused}
    assert refusals == {REFUSED_AT_FIRST, REFUSED_A_DRILL, *REFUSED_A_RESTORE}


def test_the_rights_of_which_the_page_says_so_were_needed(account: Account) -> None:
    assert unneeded_after(account, "test_restore.py") == set()
