"""Checkov's verdict on what a program registers: Pulumi's resources written as Terraform, which it understands.

The AWS provider of Pulumi is Terraform's; so the inputs are Terraform's arguments in another spelling. References stay
references, because many rules ask what a resource is connected with. Written in HCL and not in its JSON form: there
Checkov 3.3 takes a policy document for a text, and each rule about policies passes whatever is in it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from components.kube.safe_yaml import load_yaml
from tests.aws.recorded import AwsResource, with_references
from tests.samples import ROOT

CHECKOV: Final = ROOT / ".venv" / "checkov" / "bin" / "checkov"
WAIVERS: Final = Path(__file__).parent / "waivers.yaml"

_TIMEOUT_SECONDS: Final = 300

# What `checkov --framework terraform` runs. The command would first import its two dozen other frameworks.
_ONE_RUNNER: Final = """
import gc, json, sys
gc.disable()
from checkov.runner_filter import RunnerFilter
from checkov.terraform.runner import Runner
found = Runner().run(root_folder=sys.argv[1], runner_filter=RunnerFilter(framework=["terraform"]))
fields = ("file_path", "resource", "check_id", "check_name")
checks = {"passed": found.passed_checks, "failed": found.failed_checks}
told = {key: [{field: str(getattr(check, field)) for field in fields} for check in checks[key]] for key in checks}
print(json.dumps({"parsing_errors": found.parsing_errors, **told}))
"""

TYPES: Final[Mapping[str, str]] = {
    "aws:cloudwatch/logGroup:LogGroup": "aws_cloudwatch_log_group",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "aws_cloudwatch_metric_alarm",
    "aws:ec2/securityGroup:SecurityGroup": "aws_security_group",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "aws_eks_pod_identity_association",
    "aws:iam/policy:Policy": "aws_iam_policy",
    "aws:iam/role:Role": "aws_iam_role",
    "aws:iam/rolePolicy:RolePolicy": "aws_iam_role_policy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "aws_iam_role_policy_attachment",
    "aws:kms/alias:Alias": "aws_kms_alias",
    "aws:kms/key:Key": "aws_kms_key",
    "aws:kms/keyPolicy:KeyPolicy": "aws_kms_key_policy",
    "aws:rds/instance:Instance": "aws_db_instance",
    "aws:rds/parameterGroup:ParameterGroup": "aws_db_parameter_group",
    "aws:rds/subnetGroup:SubnetGroup": "aws_db_subnet_group",
    "aws:s3/bucket:Bucket": "aws_s3_bucket",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "aws_s3_bucket_lifecycle_configuration",
    "aws:s3/bucketMetric:BucketMetric": "aws_s3_bucket_metric",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": "aws_s3_bucket_ownership_controls",
    "aws:s3/bucketPolicy:BucketPolicy": "aws_s3_bucket_policy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "aws_s3_bucket_public_access_block",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        "aws_s3_bucket_server_side_encryption_configuration"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": "aws_s3_bucket_versioning",
    "aws:secretsmanager/secret:Secret": "aws_secretsmanager_secret",
    "aws:secretsmanager/secretPolicy:SecretPolicy": "aws_secretsmanager_secret_policy",
    "aws:secretsmanager/secretVersion:SecretVersion": "aws_secretsmanager_secret_version",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "aws_vpc_security_group_egress_rule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "aws_vpc_security_group_ingress_rule",
}
"""Terraform's name of each type that a program here may register."""

# Where the spelling differs by more than its case: Pulumi gives lists of blocks a plural, and some names of its own.
_RENAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "aws_cloudwatch_metric_alarm": {"name": "alarm_name", "metric_queries": "metric_query"},
    "aws_db_parameter_group": {"parameters": "parameter"},
    "aws_s3_bucket_lifecycle_configuration": {
        "rules": "rule",
        "transitions": "transition",
        "noncurrent_version_transitions": "noncurrent_version_transition",
    },
    "aws_s3_bucket_server_side_encryption_configuration": {"rules": "rule"},
}

# Maps of the user's own: their keys are no names of Terraform's.
_MAPS: Final = frozenset({"tags", "dimensions"})


@dataclass(frozen=True, order=True)
class Finding:
    """What one rule says of one resource, which is named as in Terraform: aws_db_instance.database."""

    program: str
    resource: str
    rule: str
    passed: bool
    title: str

    def __str__(self) -> str:
        return f"{self.rule} {self.resource}: {self.title}"


@dataclass(frozen=True)
class Waiver:
    """A rule that a resource (or each, `*`) need not pass, and why."""

    rule: str
    resource: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        return self.rule == finding.rule and self.resource in ("*", finding.resource)


def terraform(resources: Iterable[AwsResource], types: Collection[str] = TYPES) -> str:
    """The content of a `main.tf` with a program's resources of some types. KeyError for one that TYPES lacks."""
    by_urn = {resource.urn: resource for resource in resources}
    names = [(TYPES[resource.type], resource.name) for resource in by_urn.values()]
    assert len(set(names)) == len(names), "Terraform knows no parents: two resources have one type and name"

    def reference(resource: AwsResource, output: str) -> str:
        return f"${{{TYPES[resource.type]}.{resource.name}.{_snake(output)}}}"

    written = []
    for resource in by_urn.values():
        type_ = TYPES[resource.type]
        if resource.type not in types:
            continue
        body = _spelt(with_references(resource, by_urn, reference), _RENAMED.get(type_, {}))
        written.append(_block(f"resource {json.dumps(type_)} {json.dumps(resource.name)}", body))
    return "\n".join(written)


def run_checkov(folder: Path) -> list[Finding]:
    """Checkov's findings on the files below a folder, in order. Skips the test where Checkov is not installed."""
    if not CHECKOV.is_file():
        pytest.skip(
            "Checkov is not installed: `python3 -m venv .venv/checkov` and "
            "`.venv/checkov/bin/pip install -r requirements-checkov.txt`"
        )
    # Its cache goes to a home; it reads credentials of its vendor's service from the environment.
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "BC_SKIP_MAPPING": "TRUE"}
    done = subprocess.run(
        [str(CHECKOV.with_name("python")), "-c", _ONE_RUNNER, str(folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"checkov ended with {done.returncode}: {done.stderr[-2000:]}"
    report = json.loads(done.stdout)
    assert not report["parsing_errors"], report["parsing_errors"]
    return sorted(
        _finding(check, passed) for passed, key in ((True, "passed"), (False, "failed")) for check in report[key]
    )


def checkov(
    programs: Mapping[str, Iterable[AwsResource]], folder: Path, types: Mapping[str, Collection[str]]
) -> dict[str, list[Finding]]:
    """Checkov's findings on programs, by name; the folder is for the files that it reads.

    All in one run, because much of its time goes into its start; a folder for each, which is a module of its own.
    types: the types that alone are judged, by program.
    """
    for program, resources in programs.items():
        (folder / program).mkdir()
        (folder / program / "main.tf").write_text(terraform(resources, types.get(program, TYPES)))
    found: dict[str, list[Finding]] = {program: [] for program in programs}
    for finding in run_checkov(folder):
        found[finding.program].append(finding)
    return found


def waivers(path: Path = WAIVERS) -> list[Waiver]:
    return [Waiver(**entry) for entry in load_yaml(path.read_text()) or []]


def unwaived(findings: Iterable[Finding], given: Iterable[Waiver]) -> list[Finding]:
    """Rules that are neither passed nor waived."""
    given = list(given)
    return [found for found in findings if not found.passed and not any(waiver.covers(found) for waiver in given)]


def needless(findings: Iterable[Finding], given: Iterable[Waiver]) -> list[Waiver]:
    """Waivers of what passes, or of what is not there."""
    failed = [found for found in findings if not found.passed]
    return [waiver for waiver in given if not any(waiver.covers(found) for found in failed)]


def _finding(check: Mapping[str, Any], passed: bool) -> Finding:
    program = Path(check["file_path"]).parent.name
    return Finding(program, str(check["resource"]), str(check["check_id"]), passed, str(check["check_name"]))


def _block(head: str, body: Mapping[str, Any]) -> str:
    """A block of HCL: maps of the user's own are arguments, other ones are blocks in it."""
    lines = []
    for key, value in body.items():
        if isinstance(value, dict) and key not in _MAPS:
            lines.append(_block(key, value))
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [_block(key, item) for item in value]
        elif isinstance(value, str) and value.startswith("{"):
            # A policy; what it says of its own variables (${aws:username}) is not Terraform's.
            lines.append(f"{key} = jsonencode({value.replace('${', '$${')})")
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join([f"{head} {{", *lines, "}"])


def _spelt(value: Any, renamed: Mapping[str, str]) -> Any:
    """Keys as Terraform spells them, all the way down."""
    if isinstance(value, list):
        return [_spelt(item, renamed) for item in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, item in value.items():
        name = _snake(key)
        found[renamed.get(name, name)] = item if name in _MAPS else _spelt(item, renamed)
    return found


def _snake(camel: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel).lower()
