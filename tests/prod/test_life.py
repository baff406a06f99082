"""The AWS half of `prod`, in the order of the tests: made, changed, drifted, lost, found again, torn down.

Each test leaves the stack whole for the next. The runbooks are followed word by word. Kubernetes is a stand-in here, so
`make verify` is left out; `test_whole.py` has a real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.prod.account import STATE_BUCKET, Account
from tests.prod.checkout import Checkout
from tests.prod.drift import INSTANCE, change_by_hand, memory_alarm
from tests.prod.first_deployment import deploy
from tests.prod.lost_state import begin_again_with_the_keys, import_all, take_older_version
from tests.prod.rights_seen import unneeded_after
from tests.prod.tear_down import (
    remove_protection,
    remove_the_rest,
    remove_with_logs,
    require_only_what_the_page_leaves,
)
from tests.samples import quoted_forms

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-life")]


def instance(account: Account) -> dict[str, Any]:
    found = account.client("rds").describe_db_instances(DBInstanceIdentifier="airflow-prod")["DBInstances"]
    return dict(found[0])


def test_up_from_nothing(checkout: Checkout) -> None:
    deploy(checkout)


def test_a_second_up_changes_nothing(checkout: Checkout) -> None:
    assert checkout.up().steps == ()


def test_a_refresh_finds_nothing_else(checkout: Checkout) -> None:
    assert checkout.refresh().steps == ()
    assert checkout.preview().steps == ()


def test_no_secret_stands_anywhere_in_plain_text(checkout: Checkout, account: Account) -> None:
    """In the state, in each older one in the bucket, in what the engine shows, or in AWS beside the escrow."""
    escrow = account.client("secretsmanager").get_secret_value(SecretId="airflow/prod/keys")["SecretString"]
    revealed = checkout.run("pulumi stack export --stack prod --show-secrets").output
    generated = [
        str(json.loads(value["plaintext"]))
        for item in json.loads(revealed)["deployment"]["resources"]
        if item["type"].startswith("random:")
        for value in item["outputs"].values()
        if isinstance(value, dict) and "plaintext" in value
    ]
    secrets = {*_texts(json.loads(escrow)), *generated, account.masters()["airflow-prod"]["MasterUserPassword"]}
    deploy_key = checkout.run("pulumi config get --stack prod airflow:gitSshPrivateKey").output.splitlines()[2]
    assert len(secrets) >= 8
    places = {
        "state": json.dumps(checkout.export()),
        "IDs and URNs": checkout.run("pulumi stack --stack prod --show-ids --show-urns").output,
        "preview": checkout.preview("--show-sames").output,
        "outputs": json.dumps(checkout.outputs()),
        **dict(_objects(account, STATE_BUCKET)),
        "alarms": str(account.client("cloudwatch").describe_alarms()),
        "database": str(instance(account)),
    }
    assert len(places) > 10, "versions of the state"
    found = {
        place
        for place, text in places.items()
        for value in {*secrets, deploy_key}
        for form in quoted_forms(value)
        if form in text
    }
    assert found == set()


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts of a JSON document that are long enough to be a secret."""
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, str) and len(value) > 8:
        yield value


def _objects(account: Account, bucket: str) -> Iterator[tuple[str, str]]:
    """Yield each version of each object of a bucket."""
    s3 = account.client("s3")
    for item in s3.list_object_versions(Bucket=bucket)["Versions"]:
        body = s3.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])["Body"].read()
        yield f"{item['Key']} {item['VersionId']}", body.decode()


def test_another_class_waits_for_the_maintenance_window(checkout: Checkout, account: Account) -> None:
    checkout.set(databaseInstanceClass="db.m7g.xlarge")
    assert f"update {INSTANCE}" in checkout.up().steps
    assert instance(account)["DBInstanceClass"] == "db.m7g.large"
    assert checkout.preview().steps == (f"update {INSTANCE}",), "until then each preview shows it"
    account.client("rds").modify_db_instance(
        DBInstanceIdentifier="airflow-prod", DBInstanceClass="db.m7g.xlarge", ApplyImmediately=True
    )
    checkout.refresh()
    assert checkout.preview().steps == ()


def test_class_storage_and_version_are_changed_at_once_and_in_place_where_the_config_says_so(
    checkout: Checkout, account: Account
) -> None:
    before = memory_alarm(account)["Threshold"]
    checkout.set(
        databaseInstanceClass="db.m7g.2xlarge",
        databaseStorageGib=120,
        databaseMaxStorageGib=400,
        databaseEngineVersion="17.6",
        databaseApplyImmediately=True,
    )
    assert [step for step in checkout.up().steps if "aws:rds" in step] == [f"update {INSTANCE}"]
    changed = instance(account)
    assert (changed["AllocatedStorage"], changed["MaxAllocatedStorage"]) == (120, 400)
    assert changed["DBInstanceClass"] == "db.m7g.2xlarge"
    assert changed["EngineVersion"] == "17.6"
    assert memory_alarm(account)["Threshold"] == 2 * before, "a tenth of the memory"


def test_what_rds_changes_by_itself_is_left_alone(checkout: Checkout, account: Account) -> None:
    """Storage that grew, and a newer minor version: the maintenance window brings both."""
    newer = "17.9"  # the emulator has no minor version by itself
    account.client("rds").modify_db_instance(
        DBInstanceIdentifier="airflow-prod", EngineVersion=newer, AllocatedStorage=150, ApplyImmediately=True
    )
    checkout.refresh()
    refused = checkout.preview(check=False)
    assert "expected 17.9 or 17, as the instance has, found 17.6" in " ".join(refused.output.split())
    checkout.set(databaseEngineVersion=None)
    assert checkout.up().steps == ()
    assert (instance(account)["EngineVersion"], instance(account)["AllocatedStorage"]) == (newer, 150)


def test_storage_does_not_shrink(checkout: Checkout, account: Account) -> None:
    checkout.set(databaseStorageGib=100)
    assert [step for step in checkout.up().steps if "aws:rds" in step] == []
    assert instance(account)["AllocatedStorage"] == 150
    checkout.set(databaseMaxStorageGib=140)
    refused = checkout.preview(check=False)
    assert "expected at least 165, as the instance has 150 GiB, found 140" in " ".join(refused.output.split())
    checkout.set(databaseMaxStorageGib=400)
    assert checkout.preview().steps == ()


def test_what_a_person_changed_is_put_back(checkout: Checkout, account: Account) -> None:
    threshold = memory_alarm(account)["Threshold"]
    changed = {f"update {name}" for name in change_by_hand(account, "db.m7g.4xlarge")}
    assert changed <= set(checkout.refresh().steps)
    assert set(checkout.up().steps) == changed
    assert instance(account)["DBInstanceClass"] == "db.m7g.2xlarge"
    assert memory_alarm(account)["Threshold"] == threshold
    assert checkout.refresh().steps == ()


def test_a_destroy_is_refused_and_the_next_up_finds_nothing_missing(checkout: Checkout) -> None:
    refused = checkout.destroy(check=False)
    assert refused.code != 0
    assert "protect" in refused.output
    assert checkout.up().steps == ()


def test_every_call_so_far_was_allowed_by_the_policies_of_every_day(account: Account) -> None:
    assert [(call.operation, call.refused) for call in account.calls() if call.refused] == []


# docs/runbooks/lost-state.md


def test_a_lost_state_comes_back_from_an_older_version(checkout: Checkout, account: Account) -> None:
    assert "no changes" in take_older_version(checkout, account)


def test_a_stack_that_lost_its_state_does_not_get_other_keys(checkout: Checkout, account: Account) -> None:
    refused = begin_again_with_the_keys(checkout, account)
    assert "expected no secret airflow/prod/keys in AWS Secrets Manager" in refused


def test_it_is_imported_and_nothing_is_replaced(checkout: Checkout, account: Account) -> None:
    before = instance(account)
    import_all(checkout, account)
    made = checkout.up()
    assert not [step for step in made.steps if "replace" in step or "delete" in step]
    assert not [step for step in made.steps if step.startswith("create aws:") and "metricAlarm" not in step]
    after = instance(account)
    assert (after["DbiResourceId"], after["KmsKeyId"]) == (before["DbiResourceId"], before["KmsKeyId"])
    assert checkout.up().steps == ()


# docs/runbooks/tear-down-production.md


def test_the_protection_is_removed(checkout: Checkout) -> None:
    remove_protection(checkout)


def test_it_is_removed_but_for_a_bucket_with_logs(checkout: Checkout, account: Account) -> None:
    remove_with_logs(checkout, account)


def test_what_is_left_is_what_the_runbook_says(account: Account) -> None:
    require_only_what_the_page_leaves(account, "airflow-prod")


def test_the_rest_is_removed(checkout: Checkout, account: Account) -> None:
    remove_the_rest(checkout, account)


def test_every_call_was_allowed(account: Account) -> None:
    assert [(call.operation, call.refused) for call in account.calls() if call.refused] == []


def test_the_rights_of_which_the_page_says_so_were_needed(account: Account) -> None:
    assert unneeded_after(account, "test_life.py") == set()
