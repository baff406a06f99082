"""The AWS account of the tests: the emulator as a process, and what `prod` expects to find in an account."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from tests.prod.emulator.amendments import CLUSTER, DATABASES, MASTERS
from tests.prod.emulator.control import Call, Orders, calls
from tests.prod.emulator.policies import listed
from tests.prod.emulator.rights import ACCOUNT
from tests.samples import ROOT

REGION: Final = "eu-central-1"
ADMINISTRATOR: Final = "AKIAADMINISTRATOR000"
DEPLOYER: Final = "AKIADEPLOYINGROLE000"
"""Access keys: the emulator knows people by these alone, and checks no signature."""
STATE_BUCKET: Final = "example-pulumi-state"
STATE_KEY: Final = "airflow-pulumi"
"""Alias of the KMS key of Pulumi's secrets."""
CLUSTER_NAME: Final = "example"
POLICIES: Final = ("deploying-role.json", "deploying-role-database.json", "deploying-role-new.json")
"""Policies of the first deployment, files of docs/."""
BOUNDARY: Final = "airflow-deploying-role-boundary"
"""Name of the policy that bounds the roles which the stack makes."""
TEARDOWN: Final = "deploying-role-teardown.json"
DRILL: Final = "deploying-role-drill.json"
_START_SECONDS: Final = 300
_ANSWER_SECONDS: Final = 300


@dataclass(frozen=True)
class Account:
    """A running emulator."""

    folder: Path
    """The emulator's folder."""
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, access_key: str = DEPLOYER) -> dict[str, str]:
        """Return the environment of everything that calls AWS: this emulator, and nothing of this machine's AWS."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return kept | {
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Nothing of ~/.aws.
            "AWS_CONFIG_FILE": str(self.folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none"),
            # S3 Control puts the account before the host, which no resolver knows: the emulator is its proxy.
            "HTTP_PROXY": self.url,
            "http_proxy": self.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def client(self, service: str) -> Any:
        """Return an administrator's client."""
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id=ADMINISTRATOR,
            aws_secret_access_key="made-up",
            config=Config(proxies={}, read_timeout=_ANSWER_SECONDS),
        )

    def order(
        self,
        *,
        teardown: bool = False,
        drill: bool = False,
        without: Collection[str] = (),
        stacks: Sequence[str] = ("prod",),
        **orders: Any,
    ) -> None:
        """Put the deploying role's policies for these stacks in force, with the orders.

        `teardown`, `drill`: the policy for that too. `without`: actions that are taken out of the policies.
        """
        names = (*POLICIES, *([TEARDOWN] if teardown else []), *([DRILL] if drill else []))
        found = [item for stack in stacks for item in statements(*names, stack=stack)]
        given = [{**item, "Action": [name for name in listed(item["Action"]) if name not in without]} for item in found]
        Orders(identities={DEPLOYER: [*given, *self._for_pulumi()]}, **orders).write(self.folder)

    def _for_pulumi(self) -> Iterator[Mapping[str, Any]]:
        """Yield what docs/production.md says that the role needs for Pulumi itself."""
        bucket = f"arn:aws:s3:::{STATE_BUCKET}"
        yield {
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
            "Resource": [bucket, f"{bucket}/*"],
        }
        key = self.client("kms").describe_key(KeyId=f"alias/{STATE_KEY}")["KeyMetadata"]["Arn"]
        alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/{STATE_KEY}"
        yield {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": [key, alias]}

    def calls(self, since: float = 0) -> Iterator[Call]:
        """Yield the deploying role's calls."""
        return (call for call in calls(self.folder, since) if call.access_key == DEPLOYER)

    def calls_of_pods(self) -> Iterator[Call]:
        """Yield the calls of everybody who got credentials from a role."""
        return (call for call in calls(self.folder) if call.access_key not in ("", ADMINISTRATOR, DEPLOYER))

    def calls_for_roles(self) -> Iterator[Call]:
        """Yield the calls by which somebody got credentials from a role, or was refused them."""
        return (call for call in calls(self.folder) if call.operation.startswith("sts:AssumeRole"))

    def seed(self, endpoint: str, authority: str, network: str, subnets: Sequence[str]) -> None:
        """Make what must exist before: the network with a subnet in each zone, the cluster, the topic, Pulumi's bucket
        and key. `endpoint` and `authority` (PEM) are those of the cluster's API.
        """
        ec2, s3, kms = self.client("ec2"), self.client("s3"), self.client("kms")
        vpc = ec2.create_vpc(CidrBlock=network)["Vpc"]["VpcId"]
        ids = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")["Subnet"]["SubnetId"]
            for cidr, zone in zip(subnets, "abc", strict=False)
        ]
        group = ec2.create_security_group(GroupName="eks-cluster-sg", Description="of EKS", VpcId=vpc)["GroupId"]
        trust = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        role = self.client("iam").create_role(RoleName="eks-cluster", AssumeRolePolicyDocument=document)["Role"]["Arn"]
        self.client("eks").create_cluster(
            name=CLUSTER_NAME, version="1.35", roleArn=role, resourcesVpcConfig={"subnetIds": ids}
        )
        cluster = {
            "endpoint": endpoint,
            "certificateAuthority": {"data": base64.b64encode(authority.encode()).decode()},
            "resourcesVpcConfig": {"vpcId": vpc, "clusterSecurityGroupId": group},
        }
        (self.folder / CLUSTER).write_text(json.dumps(cluster))
        self.client("iam").create_policy(
            PolicyName=BOUNDARY,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements(f"{BOUNDARY[8:]}.json")}),
        )
        self.client("sns").create_topic(Name="airflow-prod")
        location = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket=STATE_BUCKET, CreateBucketConfiguration=location)
        s3.put_bucket_versioning(Bucket=STATE_BUCKET, VersioningConfiguration={"Status": "Enabled"})
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=f"alias/{STATE_KEY}", TargetKeyId=key)

    def trust(self, issuer: str) -> None:
        """Let the cluster's tokens have this issuer, and IAM know it: what IRSA needs."""
        path = self.folder / CLUSTER
        path.write_text(json.dumps({**json.loads(path.read_text()), "identity": {"oidc": {"issuer": issuer}}}))
        self.client("iam").create_open_id_connect_provider(
            Url=issuer, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
        )

    def lead_databases_to(self, suffix: str, *, ready: Sequence[str], saved: Sequence[str]) -> None:
        """Let the host name of each instance be its identifier and this suffix. Available are the instances that are
        `ready`, and the snapshots that are `saved`."""
        new = self.folder / f"{DATABASES}.new"
        new.write_text(json.dumps({"suffix": suffix, "ready": list(ready), "saved": list(saved)}))
        new.rename(self.folder / DATABASES)

    def roles(self) -> list[str]:
        """Return the names of all roles."""
        return [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]]

    def masters(self) -> dict[str, dict[str, str]]:
        """Return the master user of each instance of RDS."""
        path = self.folder / MASTERS
        return dict(json.loads(path.read_text())) if path.exists() else {}


def statements(*names: str, stack: str = "prod") -> list[dict[str, Any]]:
    """Return the statements of policies in docs/, with their placeholders filled in."""
    found: list[dict[str, Any]] = []
    for name in names:
        text = (ROOT / "docs" / name).read_text()
        for placeholder, value in {
            "REGION": REGION,
            "ACCOUNT": ACCOUNT,
            "CLUSTER": CLUSTER_NAME,
            "STACK": stack,
        }.items():
            text = text.replace(placeholder, value)
        found += json.loads(text)["Statement"]
    return found


@contextmanager
def running(folder: Path, host: str = "127.0.0.1") -> Iterator[Account]:
    """Run an emulator until the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    account = Account(folder, port)
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.prod.emulator.server", host, str(port), str(folder)],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _listens(port):
            assert process.poll() is None, (folder / "output.txt").read_text()[-3000:]
            assert time.monotonic() < deadline, "the emulator does not start"
            time.sleep(0.2)
        yield account
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
