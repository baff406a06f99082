"""Every right that the deploying role needs, refused once: the error names it and the statement that gives it.

The first resource that needs a right is refused it for a whole attempt. Each attempt fails, and the next one is granted
exactly what AWS refused before. So the deployment, its changes and its end take as many attempts as they need.
"""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final

import pytest

from tests.prod.account import POLICIES, TEARDOWN, Account, statements
from tests.prod.checkout import Checkout
from tests.prod.drift import change_by_hand
from tests.prod.emulator.policies import listed
from tests.prod.ratchet import Ratchet
from tests.prod.rights_seen import refused_once, unneeded_after

pytestmark = [pytest.mark.engine, pytest.mark.aws, pytest.mark.xdist_group("prod-denied")]

UNSEEN: Final = frozenset({"s3:ListBucket", "s3:UntagResource"})
"""Without the first, the provider does not see that the bucket exists: it waits for 20 minutes, and then says that it
cannot find it. Without the second, it uses the older API."""
OLDER: Final = frozenset({"s3:ListTagsForResource", "s3:TagResource"})
"""Without them, the provider uses the older API, which needs `s3:GetBucketTagging` and `s3:PutBucketTagging`: the error
names those, or nothing fails."""


@pytest.fixture(scope="module")
def ratchet(account: Account, checkout: Checkout) -> Ratchet:
    # An attempt then meets what all independent resources are refused, and not only the first of them.
    checkout.more = {**checkout.more, "PULUMI_CONTINUE_ON_ERROR": "true"}
    every = {action for item in statements(*POLICIES, TEARDOWN) for action in listed(item["Action"])}
    return Ratchet(account, every - UNSEEN, unnamed_too=OLDER, teardown=True)


def test_it_comes_to_be_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    ratchet.succeed(checkout, "up", "prod")
    assert checkout.up().steps == ()


def test_it_is_read_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    ratchet.succeed(checkout, "preview", "prod", "--refresh")


def test_what_was_refused_half_way_is_done_after_a_refresh(
    ratchet: Ratchet, checkout: Checkout, account: Account
) -> None:
    """The state says what the provider wanted: a group that lets nothing out, keys that change every year."""
    for verb in ("refresh", "up"):
        ratchet.succeed(checkout, verb, "prod")
    ec2, kms = account.client("ec2"), account.client("kms")
    group = checkout.resource("aws:ec2/securityGroup:SecurityGroup", "airflow-postgres")["id"]
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    assert [rule["IsEgress"] for rule in rules] == [False]
    keys = [item["id"] for item in checkout.export()["resources"] if item["type"] == "aws:kms/key:Key"]
    assert {kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] for key in keys} == {True}


def test_its_database_is_saved_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    for verb in ("backup", "backups"):
        ratchet.succeed(checkout, verb, "prod", module="tests.prod.restoring")


def test_it_is_changed_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    tags = {"application": "airflow", "stack": "prod"}
    checkout.set(awsTags={**tags, "team": "data"}, databaseInstanceClass="db.m7g.xlarge")
    ratchet.succeed(checkout, "up", "prod")
    checkout.set(awsTags=tags, databaseApplyImmediately=True, protect=False)
    ratchet.succeed(checkout, "up", "prod")


def test_what_a_person_changed_is_put_back_by_the_rights_that_errors_name(
    ratchet: Ratchet, checkout: Checkout, account: Account
) -> None:
    change_by_hand(account, "db.m7g.4xlarge")
    ratchet.succeed(checkout, "refresh", "prod")
    ratchet.succeed(checkout, "up", "prod")
    # The provider counts a change as done that it was refused.
    checkout.refresh()
    ratchet.succeed(checkout, "up", "prod")
    assert checkout.refresh().steps == ()


def test_it_is_removed_by_the_rights_that_errors_name(ratchet: Ratchet, checkout: Checkout) -> None:
    ratchet.succeed(checkout, "destroy", "prod")
    by_statement = sorted((statement, action) for action, statement in ratchet.given.items())
    for statement, found in groupby(by_statement, key=itemgetter(0)):
        print(f"| {statement} | {', '.join(f'`{action}`' for _, action in found)} |")
    assert refused_once().keys() <= ratchet.given.keys()


def test_the_rights_of_which_the_page_says_so_were_needed(account: Account) -> None:
    assert unneeded_after(account, "test_denied.py") == set()
