"""What the program says of an account that is not as it should be, before anything is made."""

from __future__ import annotations

import pytest

from tests.prod.account import Account
from tests.prod.checkout import Checkout

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-refusals")]


def refused(checkout: Checkout) -> str:
    """Return what `up` ends with."""
    done = checkout.run([".venv/bin/python", "-m", "automation", "up", "prod"], check=False)
    assert done.code != 0, done.output
    return " ".join(done.output.split())


def test_subnets_in_one_zone(checkout: Checkout, account: Account) -> None:
    subnets = account.client("ec2").describe_subnets()["Subnets"]
    [first] = [item["SubnetId"] for item in subnets if item["CidrBlock"] == "10.0.64.0/20"]
    checkout.set(databaseSubnetIds=[first])
    text = refused(checkout)
    assert "airflow:databaseSubnetIds: expected subnets in at least two availability zones, found eu-central-1a" in text
    assert "Fix: pulumi config set --stack prod --path 'airflow:databaseSubnetIds[0]' SUBNET" in text
    checkout.set(databaseSubnetIds=None)


def test_credentials_of_another_account(checkout: Checkout) -> None:
    checkout.set(awsAccountId="210987654321")
    text = refused(checkout)
    assert "airflow:awsAccountId: expected credentials of account 210987654321, found" in text
    assert "123456789012" in text
    checkout.set(awsAccountId="123456789012")


def test_expired_token(checkout: Checkout, account: Account) -> None:
    account.order(expired=True)
    text = refused(checkout)
    assert "expired" in text
    assert "aws sso login" in text
    assert "made-up" not in text, "the secret key"
    account.order()


def test_nothing_was_made(account: Account) -> None:
    made = [call.operation for call in account.calls() if ":Create" in call.operation or ":Put" in call.operation]
    assert set(made) <= {"s3:PutObject"}, "Pulumi's own state"
