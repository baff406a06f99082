"""Every program that makes something in AWS: Checkov has nothing to say, and AWS would take each call.

In conftest.py the fixture `programs` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.aws import botocore_calls
from tests.aws.recorded import AwsResource
from tests.aws.terraform import TYPES, Finding, needless, unwaived, waivers

Programs = Mapping[str, Sequence[AwsResource]]
Judged = Mapping[str, Sequence[Finding]]


def test_checkov_has_nothing_to_say(programs: Programs, judged: Judged) -> None:
    given = waivers()
    for program in programs:
        assert judged[program], f"no rule applies to {program}"
        assert not [str(found) for found in unwaived(judged[program], given)], program


def test_checkov_sees_every_resource_that_it_has_rules_for(programs: Programs, judged: Judged) -> None:
    """A resource in a spelling that Checkov does not know would pass whatever is in it."""
    without_rules = {
        "aws_db_parameter_group",
        "aws_db_subnet_group",
        "aws_eks_pod_identity_association",
        "aws_kms_alias",
        "aws_s3_bucket_metric",
        "aws_s3_bucket_ownership_controls",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_bucket_versioning",
        "aws_secretsmanager_secret_version",
    }
    for program, resources in programs.items():
        written = {f"{TYPES[resource.type]}.{resource.name}" for resource in resources}
        silent = written - {found.resource for found in judged[program]}
        assert {name.partition(".")[0] for name in silent} <= without_rules, program


def test_every_waiver_is_needed_and_has_a_reason(programs: Programs, judged: Judged) -> None:
    given = waivers()
    everything = [found for program in programs for found in judged[program]]
    assert not needless(everything, given)
    assert not [waiver for waiver in given if len(waiver.reason.split()) < 4]


def test_aws_would_take_every_call(programs: Programs) -> None:
    for program, resources in programs.items():
        made = [request for resource in resources for request in botocore_calls.requests(resource)]
        assert len(made) >= len(resources), program
        assert not [problem for request in made for problem in botocore_calls.problems(request)], program
