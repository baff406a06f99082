"""The emulator gives a role for a token of the cluster only to those whom the program's trust policy lets in."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import boto3
from moto import mock_aws

from components.aws.pod_identity import PodIdentity, trust_policy
from tests.prod.emulator.web_identity import ACTION, refusal
from tests.prod.test_emulator import REGION, sent
from tests.samples import eks_cluster

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"
WORKER: Final = "system:serviceaccount:airflow:airflow-worker"


def token(subject: str = WORKER, audience: str = "sts.amazonaws.com", issuer: str = ISSUER) -> str:
    claims = json.dumps({"iss": issuer, "aud": [audience], "sub": subject}).encode()
    return f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.c2lnbmF0dXJl"


def asked(token: str, role: str = "airflow-task-logs") -> str:
    """What the request of such a token for a role is refused with."""
    arn = f"arn:aws:iam::123456789012:role/{role}"
    operation = sent("sts", "assume_role_with_web_identity", RoleArn=arn, RoleSessionName="pod", WebIdentityToken=token)
    assert (f"{operation.service}:{operation.name}", operation.access_key) == (ACTION, "")
    answer = refusal(operation)
    return "" if answer is None else answer.body.decode()


@mock_aws
def test_only_those_whom_the_trust_policy_names_get_the_role() -> None:
    iam: Any = boto3.client("iam", region_name=REGION)
    assert "No OpenIDConnect provider found" in asked(token())
    iam.create_open_id_connect_provider(Url=ISSUER, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40])
    cluster = eks_cluster(oidc_issuer=ISSUER, account_id="123456789012")
    trusting = json.dumps(trust_policy(PodIdentity.IRSA, cluster, "airflow", ["airflow-worker"]))
    iam.create_role(RoleName="airflow-task-logs", AssumeRolePolicyDocument=trusting)
    assert asked(token()) == ""
    refused = f"Not authorized to perform {ACTION}"
    assert refused in asked(token("system:serviceaccount:other:airflow-worker"))
    assert refused in asked(token("system:serviceaccount:airflow:default"))
    assert refused in asked(token(), "of-somebody-else")
    assert "Incorrect token audience" in asked(token(audience="pods.eks.amazonaws.com"))
    assert "No OpenIDConnect provider found" in asked(token(issuer="https://other.example.com"))
