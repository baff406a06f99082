"""The IAM policy of the role that previews and drift checks have: what they read, and nothing that changes anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.test_deploying_role import (
    DOCS,
    READING,
    RIGHTS,
    VALUES,
    WITHOUT_RIGHT,
    actions,
    allowed,
    lookups,
    resources,
    statements,
)
from tests.test_deploying_role_attacks import (
    BUCKET,
    CLUSTER,
    ELSEWHERE,
    ESCROW,
    GROUP,
    HERE,
    KEY,
    LOGS,
    OF_OTHERS,
    OF_STAGING,
    OWN,
    POD,
    RDS,
    ROLE,
    SECRET,
    THROUGH_RDS,
    THROUGH_SECRETS,
    Call,
    permitted,
)

if TYPE_CHECKING:
    from tests.conftest import Registration

__all__ = ["resources"]

READS: Final = re.compile(r"\w+:(Describe|Get|List)\w+|kms:Decrypt")
STATE: Final = "arn:aws:s3:::STATEBUCKET"
OBJECT: Final = f"{STATE}/.pulumi/stacks/airflow/prod.json"
KEY_OF_THE_STATE: Final = "arn:aws:kms:REGION:ACCOUNT:key/STATEKEY"

ATTACKS: Final = (
    Call("rewrite the state", "s3:PutObject", OBJECT, HERE),
    Call("delete the state", "s3:DeleteObject", OBJECT, HERE),
    Call("lock the stack", "s3:PutObject", f"{STATE}/.pulumi/locks/x.json", HERE),
    Call("read a state from another account's bucket", "s3:GetObject", OBJECT, ELSEWHERE),
    Call("open the state to others", "s3:PutBucketPolicy", STATE, HERE),
    Call("read another bucket", "s3:GetObject", "arn:aws:s3:::payments/x", HERE),
    Call("read task logs", "s3:GetObject", f"{BUCKET}/logs/x", HERE),
    Call("read dumps of the database", "s3:GetObject", f"{BUCKET}/backups/x", HERE),
    Call("configure the bucket", "s3:PutLifecycleConfiguration", BUCKET, HERE),
    Call("encrypt with the key of the state", "kms:Encrypt", KEY_OF_THE_STATE, OWN),
    Call("decrypt with another key", "kms:Decrypt", KEY, OF_OTHERS),
    Call("decrypt with the stack's key directly", "kms:Decrypt", KEY, OWN),
    Call("decrypt the database's disk", "kms:Decrypt", KEY, {**OWN, **THROUGH_RDS}),
    Call("decrypt another stack's escrow", "kms:Decrypt", KEY, {**OF_STAGING, **THROUGH_SECRETS}),
    Call("grant a key to oneself", "kms:CreateGrant", KEY, OWN),
    Call("rewrite a key's policy", "kms:PutKeyPolicy", KEY, OWN),
    Call("read another stack's escrow", "secretsmanager:GetSecretValue", f"{SECRET}:airflow/staging/keys-AbCdEf"),
    Call("read one whose name begins alike", "secretsmanager:GetSecretValue", f"{SECRET}:airflow/prod2/keys-AbCdEf"),
    Call("read what DAGs read", "secretsmanager:GetSecretValue", f"{SECRET}:airflow-secrets/prod/x-AbCdEf"),
    Call("write the escrow", "secretsmanager:PutSecretValue", ESCROW, OWN),
    Call("give the escrow to others", "secretsmanager:PutResourcePolicy", ESCROW, OWN),
    Call("become another role", "sts:AssumeRole", "arn:aws:iam::ACCOUNT:role/DEPLOYING_ROLE"),
    Call("pass a role", "iam:PassRole", ROLE, {"iam:PassedToService": "pods.eks.amazonaws.com"}),
    Call("change whom a role trusts", "iam:UpdateAssumeRolePolicy", ROLE, OWN),
    Call("give pods a role", "eks:CreatePodIdentityAssociation", CLUSTER, OWN),
    Call("repoint an association", "eks:UpdatePodIdentityAssociation", POD, OWN),
    Call("become an administrator of the cluster", "eks:AssociateAccessPolicy", CLUSTER, OWN),
    Call("log in to the database by IAM", "rds-db:connect", "arn:aws:rds-db:REGION:ACCOUNT:dbuser:*/airflow", OWN),
    Call("change the master's password", "rds:ModifyDBInstance", f"{RDS}:db:airflow-prod", OWN),
    Call("copy the database", "rds:CreateDBSnapshot", f"{RDS}:db:airflow-prod", OWN),
    Call("read the database's logs", "rds:DownloadDBLogFilePortion", f"{RDS}:db:airflow-prod", OWN),
    Call("read them in CloudWatch", "logs:GetLogEvents", f"{LOGS}/airflow-prod/postgresql:*", OWN),
    Call("open a security group", "ec2:AuthorizeSecurityGroupIngress", GROUP, OWN),
    Call("read the settings of other machines", "ssm:GetParameter", "arn:aws:ssm:REGION:ACCOUNT:parameter/x"),
)
"""Calls that must be refused."""
NEEDED: Final = (
    Call("read the state", "s3:GetObject", OBJECT, HERE),
    Call("list the stacks", "s3:ListBucket", STATE, HERE),
    Call("decrypt the state's secrets", "kms:Decrypt", KEY_OF_THE_STATE),
    Call("read the keys of the escrow", "secretsmanager:GetSecretValue", ESCROW),
    Call("decrypt them", "kms:Decrypt", KEY, {**OWN, **THROUGH_SECRETS}),
    Call("read a key", "kms:DescribeKey", KEY, OWN),
    Call("read a role", "iam:GetRole", ROLE, OWN),
    Call("read the bucket", "s3:GetEncryptionConfiguration", BUCKET, HERE),
    Call("find the cluster", "eks:DescribeCluster", CLUSTER),
    Call("find the database", "rds:DescribeDBInstances", f"{RDS}:db:airflow-prod"),
)
"""Calls that a preview or a drift check makes."""


def test_drift_check_may_read_every_resource(resources: list[Registration]) -> None:
    for resource in resources:
        life = RIGHTS[resource.type]
        for action in life.read:
            assert allowed(action, (*life.arns(resource), "*"), READING), f"{action} of {resource}"


def test_it_has_what_lookups_and_reading_need_and_nothing_else() -> None:
    needed = {action for life in RIGHTS.values() for action in life.read} | dict(lookups()).keys()
    needed = {action for action in needed if READS.fullmatch(action)} - {WITHOUT_RIGHT}
    assert actions(READING) == needed | {"s3:GetObject"}, "the state"


def test_nothing_in_it_changes_anything() -> None:
    assert [action for action in actions(READING) if not READS.fullmatch(action)] == []
    assert all(statement["Effect"] == "Allow" for statement in statements(READING))


def test_every_attack_is_refused_and_what_is_needed_is_permitted() -> None:
    assert [call.why for call in ATTACKS if permitted(call, READING)] == []
    assert [call.why for call in NEEDED if not permitted(call, READING)] == []


def test_page_fills_in_every_placeholder() -> None:
    page, text = (DOCS / "pull-requests.md").read_text(), (DOCS / READING).read_text()
    assert f"({READING})" in page
    placeholders = {*VALUES, "STATEBUCKET", "STATEKEY"}
    assert set(re.findall(r"\b[A-Z]{4,}\b", text)) == placeholders
    assert all(f"s/{placeholder}/" in page for placeholder in placeholders)
