"""Who may use a KMS key of ours: the account, through one service, and nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore

from components.aws.kms_policy import key_policy
from components.aws.region import partition
from tests.cases import each

ACCOUNT = "123456789012"


def statements(region: str = "eu-central-1", service: str = "s3") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = key_policy(ACCOUNT, region, service)["Statement"]
    return found


def test_account_is_the_only_principal() -> None:
    for statement in statements():
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}


def test_key_encrypts_and_decrypts_through_its_service_alone() -> None:
    uses = [found for found in statements() if any("Decrypt" in action for action in found["Action"])]
    assert [found["Condition"] for found in uses] == [
        {"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}}
    ]
    assert uses[0]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    assert not [action for found in statements() for action in found["Action"] if action == "kms:*"]


def test_administrators_can_change_the_policy_again() -> None:
    """KMS refuses a policy after which nobody could."""
    assert any("kms:PutKeyPolicy" in found["Action"] and "Condition" not in found for found in statements())


@each("name", ["aws", "aws-cn", "aws-us-gov", "aws-eusc"])
def test_every_region_is_in_its_part_of_aws(name: str) -> None:
    data = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())
    described = next(found for found in data["partitions"] if found["id"] == name)
    regions = [region for region in described["regions"] if not region.endswith("-global")]
    assert regions
    for region in regions:
        assert partition(region) == name
        found = statements(region, "secretsmanager")
        assert found[0]["Principal"]["AWS"].startswith(f"arn:{name}:iam::")
        domain = described["outputs"]["dnsSuffix"]
        assert found[1]["Condition"]["StringEquals"]["kms:ViaService"] == f"secretsmanager.{region}.{domain}"
