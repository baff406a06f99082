"""The runbook of a tear-down, followed word by word.

Its blocks are found when this module is imported: so a page with other ones fails without an engine too.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Final

from tests.prod.account import ADMINISTRATOR, STATE_BUCKET, Account
from tests.prod.checkout import Checkout
from tests.prod.runbook import blocks

_PAGE: Final = "runbooks/tear-down-production.md"
[_UNPROTECT] = blocks(_PAGE, "1. Remove the protection")
_DOWN, _LIST_URNS, _DELETE_LOGS, _DOWN_AGAIN = blocks(_PAGE, "2. Remove the stack")
[_REST] = blocks(_PAGE, "3. Remove the rest")
(
    _LIST_SNAPSHOTS,
    _DELETE_SNAPSHOT,
    _LIST_BACKUPS,
    _DELETE_BACKUP,
    _DELETE_SECRET,
    _LIST_KEYS,
    _DELETE_ALIAS,
    _DELETE_KEY,
) = (replace(_REST, text=command) for command in _REST.text.replace("\\\n", "").splitlines())


def remove_protection(checkout: Checkout) -> None:
    """Do stage 1, which only updates."""
    done = checkout.run(_UNPROTECT.text).output
    assert re.search(r"would update +Instance +airflow-postgres", done)
    assert not re.search(r"would (create|replace|delete)", done)


def remove_with_logs(checkout: Checkout, account: Account) -> None:
    """Do stage 2: it stops at the bucket, which has a log, and goes on when that is deleted."""
    bucket = checkout.resource("aws:s3/bucket:Bucket", "airflow-task-logs")["outputs"]["bucket"]
    account.client("s3").put_object(Bucket=bucket, Key="logs/a.log", Body=b"a log")
    account.order(teardown=True)
    stopped = checkout.run(_DOWN.text, check=False)
    assert stopped.code != 0
    assert "BucketNotEmpty" in stopped.output
    assert "aws:s3/bucket:Bucket::airflow-task-logs" in checkout.run(_LIST_URNS.text).output
    checkout.run(_DELETE_LOGS.filled({"BUCKET": bucket}), access_key=ADMINISTRATOR)
    checkout.run(_DOWN_AGAIN.text)


def require_only_what_the_page_leaves(account: Account, instance: str) -> None:
    """Fail if AWS has something else of the stack than the page's table says. `instance`: of RDS, which is gone."""
    assert [item["Name"] for item in account.client("s3").list_buckets()["Buckets"]] == [STATE_BUCKET]
    snapshots = account.client("rds").describe_db_snapshots(SnapshotType="manual")["DBSnapshots"]
    names = [snapshot["DBSnapshotIdentifier"] for snapshot in snapshots]
    assert [name for name in names if name.startswith(f"{instance}-final-")], names
    assert account.client("rds").describe_db_instances()["DBInstances"] == []
    secrets = account.client("secretsmanager").list_secrets()["SecretList"]
    assert [secret["Name"] for secret in secrets] == ["airflow/prod/keys"]
    assert [role for role in account.roles() if role.startswith("airflow-")] == []
    assert account.client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def remove_the_rest(checkout: Checkout, account: Account) -> None:
    """Do stage 3: nothing is left but keys, which AWS deletes later."""

    def done(command: str) -> str:
        return checkout.run(command, access_key=ADMINISTRATOR).output

    for listed, delete, placeholder in (
        (_LIST_SNAPSHOTS, _DELETE_SNAPSHOT, "SNAPSHOT"),
        (_LIST_BACKUPS, _DELETE_BACKUP, "RESOURCE"),
    ):
        names = json.loads(done(listed.text))
        assert names, listed.text
        for name in names:
            done(delete.filled({placeholder: name}))
        assert json.loads(done(listed.text)) == []
    done(_DELETE_SECRET.text)
    keys = [arn.rpartition("/")[2] for arn in json.loads(done(_LIST_KEYS.text))]
    assert len(keys) >= 2, "the keys of the escrow and of the database"
    done(_DELETE_ALIAS.text)
    for key in keys:
        done(_DELETE_KEY.filled({"KEY": key}))
    kms = account.client("kms")
    assert {kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in keys} == {"PendingDeletion"}
    assert [item for item in kms.list_aliases()["Aliases"] if "airflow/prod" in item["AliasName"]] == []
    assert account.client("secretsmanager").list_secrets()["SecretList"] == []
