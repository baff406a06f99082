"""What AWS refuses, and the config key that it is about."""

from __future__ import annotations

import json
from typing import Any, Final

from components.preflight.aws_reasons import aws_finding, lacks_identity
from components.preflight.finding import Verdict
from tests.cases import each

ABOUT: Final[dict[str, Any]] = {
    "stack": "prod",
    "account": "airflow-worker",
    "steps": ["write", "read"],
    "folder": "s3://bucket/logs",
    "secrets": "airflow/prod",
    "identity": "",
    "role": "arn:role",
    "identity_key": "airflow:podIdentity",
    "identity_fix": "pulumi config set --stack {stack} airflow:podIdentity irsa",
    "place_fix": "pulumi config set --stack {stack} airflow:taskLogsUrl URL",
}
CALL: Final = "An error occurred ({}) when calling the CreateMultipartUpload operation: {}"


def found(step: str, error: str) -> Any:
    return aws_finding(json.dumps({"step": step, "error": error}), ABOUT)


@each(
    "step, error, key",
    [
        ("write", "NoCredentialsError: Unable to locate credentials", "podIdentity"),
        ("read", "CredentialRetrievalError: Error when retrieving credentials from container-role", "podIdentity"),
        ("write", "AccessDenied: An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation",
         "podIdentity"),
        ("write", "InvalidAccessKeyId: " + CALL.format("InvalidAccessKeyId", "no such key"), "podIdentity"),
        ("write", "AccessDenied: " + CALL.format("AccessDenied", "explicit deny"), "taskLogs"),
        ("read", "AccessDenied: " + CALL.format("AccessDenied", "no kms:Decrypt"), "taskLogs"),
        ("write", "NoSuchBucket: " + CALL.format("NoSuchBucket", "The bucket does not exist"), "taskLogs"),
        ("write", "PermanentRedirect: use the specified endpoint", "taskLogs"),
        ("read", 'EndpointConnectionError: Could not connect to the endpoint URL: "https://s3"', "taskLogs"),
        ("secret", "AccessDeniedException: not authorized to perform: secretsmanager:GetSecretValue",
         "secretsManagerPrefix"),
        ("secret", "something that nobody has seen", "secretsManagerPrefix"),
    ],
)  # fmt: skip
def test_usual_refusals_name_their_key_and_a_way(step: str, error: str, key: str) -> None:
    finding = found(step, error)
    assert finding.verdict is Verdict.FAILED
    assert finding.what.startswith(f"airflow:{key}: expected "), finding.what
    assert finding.fix
    assert "{" not in str(finding)
    assert finding.outage == ("EndpointConnection" in error)


def test_texts_name_the_place_and_what_was_tried() -> None:
    text = str(found("write", "AccessDenied: explicit deny"))
    assert "the role arn:role may write to s3://bucket/logs" in text
    assert "below airflow/prod/" in str(found("secret", "AccessDeniedException: no"))
    assert "--stack prod" in str(found("write", "NoSuchBucket: none"))


def test_what_works_passes_and_an_image_without_the_provider_is_told_elsewhere() -> None:
    passed = aws_finding("{}", ABOUT)
    assert (passed.verdict, passed.what) == (Verdict.PASSED, "the role arn:role writes task logs and reads task logs")
    assert found("write", "ModuleNotFoundError: No module named 'airflow.providers.amazon'").verdict is Verdict.SKIPPED


def test_only_a_pod_without_credentials_is_worth_another_one() -> None:
    assert lacks_identity(json.dumps({"step": "write", "error": "NoCredentialsError: none"}))
    for answer in ("{}", "", json.dumps({"step": "write", "error": "AccessDenied: none"})):
        assert not lacks_identity(answer)
