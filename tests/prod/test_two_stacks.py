"""Two stacks in one account, the second with IRSA in place of Pod Identity: neither touches what the other made."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.prod.account import Account
from tests.prod.checkout import Checkout

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-two-stacks")]

SECOND = "staging"
STACKS = ("prod", SECOND)


@pytest.fixture(scope="module")
def second(checkout: Checkout) -> Checkout:
    """A stack beside `prod`, of the same file, with names of its own."""
    other = Checkout(checkout.folder, checkout.account, checkout.more, SECOND, checkout.path)
    content = yaml.safe_load(checkout.file.read_text())
    other.file.write_text(yaml.safe_dump({"config": content["config"]}))
    other.set(
        namespace="airflow-staging",
        databaseIdentifier="airflow-staging",
        keyEscrow="airflow/staging/keys",
        awsTags={"application": "airflow", "stack": SECOND},
        podIdentity="irsa",
        gitSshPrivateKey=None,
        protect=False,
        backupStore="bucket",
    )
    other.init()
    checkout.account.order(stacks=STACKS)
    return other


def test_both_are_made_by_the_policies_of_each(checkout: Checkout, second: Checkout, account: Account) -> None:
    for stack in (checkout, second):
        assert {step.split()[0] for step in stack.up().steps} == {"create"}
    assert [(call.operation, call.refused) for call in account.calls() if call.refused] == []


def test_pods_of_the_second_get_their_role_by_their_token_alone(second: Checkout, account: Account) -> None:
    resources = second.export()["resources"]
    assert not [item for item in resources if "podIdentityAssociation" in item["type"]]
    role = second.resource("aws:iam/role:Role", "airflow-task-logs")["outputs"]
    [statement] = json.loads(role["assumeRolePolicy"])["Statement"]
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    release = second.resource("kubernetes:helm.sh/v3:Release", "airflow")
    assert release["inputs"]["values"]["workers"]["celery"]["serviceAccount"]["annotations"] == {
        "eks.amazonaws.com/role-arn": role["arn"]
    }


def test_pods_of_backups_have_a_role_of_their_own_for_their_folder_alone(second: Checkout) -> None:
    role = second.resource("aws:iam/role:Role", "airflow-task-logs-backups")["outputs"]
    [trusted] = json.loads(role["assumeRolePolicy"])["Statement"]
    assert "system:serviceaccount:airflow-staging:airflow-backups" in json.dumps(trusted["Condition"])
    account = second.resource("kubernetes:core/v1:ServiceAccount", "airflow-backups")["inputs"]
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"] == role["arn"]
    policy = json.loads(
        second.resource("aws:iam/rolePolicy:RolePolicy", "airflow-task-logs-backups")["outputs"]["policy"]
    )
    objects = next(item for item in policy["Statement"] if "s3:PutObject" in item["Action"])
    assert objects["Resource"].endswith("/backups/*")


def test_neither_finds_a_change_after_the_other(checkout: Checkout, second: Checkout) -> None:
    assert checkout.preview().steps == ()
    assert second.preview().steps == ()


def test_the_end_of_one_leaves_the_other(checkout: Checkout, second: Checkout, account: Account) -> None:
    account.order(teardown=True, stacks=STACKS)
    second.destroy()
    assert checkout.refresh().steps == ()
    assert checkout.up().steps == ()
