"""Causes outside the stack: each has its own error and its own remedy. The texts are those of the engine 3.259."""

from __future__ import annotations

from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation.engine.causes import CAUSES, cause_of
from automation.engine.failures import engine_error
from automation.errors import (
    AccessRefused,
    AutomationError,
    ClusterUnreachable,
    FileUnusable,
    PassphraseMissing,
    UpdateFailed,
)
from tests.cases import each

_S3 = 'read ".pulumi/meta.yaml": blob (key ".pulumi/meta.yaml") (code=Unknown): operation error S3: GetObject, '
_KMS = "could not create secrets manager for new stack: secrets (code=Unknown): operation error KMS: Encrypt, "
_HTTP = "https response error StatusCode: 400, RequestID: 3aBgo8, "

TEXTS: tuple[tuple[str, type[AutomationError], str], ...] = (
    ("open /x/Pulumi.dev.yaml: no space left on device", FileUnusable, "df -h"),
    ("mkdir /x: read-only file system", FileUnusable, "can be written"),
    ("open /x/state: permission denied", FileUnusable, "ls -ld"),
    ("incorrect passphrase", PassphraseMissing, "that the stack was made with"),
    (
        "passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
        PassphraseMissing,
        "export PULUMI_CONFIG_PASSPHRASE_FILE=FILE",
    ),
    (f"{_S3}{_HTTP}api error ExpiredToken: The provided token has expired.", AccessRefused, "has expired; sign in"),
    (
        f"{_KMS}{_HTTP}ExpiredTokenException: The security token included in the request is expired",
        AccessRefused,
        "has expired; sign in",
    ),
    (
        f"{_S3}get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found",
        AccessRefused,
        "export AWS_PROFILE",
    ),
    (f"{_S3}{_HTTP}InvalidAccessKeyId: The AWS Access Key Id you provided", AccessRefused, "does not know"),
    (f"{_KMS}{_HTTP}KMSInvalidStateException: arn is pending deletion.", AccessRefused, "cancel-key-deletion"),
    (f"{_KMS}{_HTTP}DisabledException: arn is disabled.", AccessRefused, "enable-key"),
    (f"{_KMS}{_HTTP}NotFoundException: Alias arn:aws:kms:x is not found.", AccessRefused, "no such KMS key"),
    (
        f"{_KMS}{_HTTP}AccessDeniedException: User: arn is not authorized to perform: kms:Encrypt",
        AccessRefused,
        "needs kms:Encrypt and kms:Decrypt",
    ),
    (f"{_S3}https response error StatusCode: 403, AccessDenied: Access Denied", AccessRefused, "s3:ListBucket"),
    ("locks: ClientError AccessDenied", AccessRefused, "s3:ListBucket"),
    (
        "could not list bucket: blob (code=NotFound): operation error S3: ListObjectsV2, NoSuchBucket: The specified",
        AccessRefused,
        "no such bucket",
    ),
    (f"{_S3}{_HTTP}PermanentRedirect: The bucket you are", AccessRefused, "?region=REGION"),
    ("ns: error: You must be logged in to the server (Unauthorized)", ClusterUnreachable, "sign in again"),
    (
        "the server has asked for the client to provide credentials (get namespaces)",
        ClusterUnreachable,
        "sign in again",
    ),
    (
        'not successfully created by the Kubernetes API server: object is being deleted: namespaces "airflow" already '
        "exists",
        UpdateFailed,
        "kubectl get namespaces",
    ),
    (
        'resource airflow was not successfully created: namespaces "airflow" already exists',
        UpdateFailed,
        "python -m automation adopt dev",
    ),
)


@each("text, kind, remedy", TEXTS)
def test_failure_outside_the_stack_has_its_own_remedy(text: str, kind: type[AutomationError], remedy: str) -> None:
    error = create_command_error(CommandResult(stdout="", stderr=f"error: {text}", code=255))
    found = engine_error(error, "up of stack dev", stack="dev")
    assert (type(found), remedy in found.remedy) == (kind, True), found.remedy


def test_every_cause_is_shown_by_a_text() -> None:
    shown = {next(cause for cause in CAUSES if cause.found.search(text)) for text, _, _ in TEXTS}
    assert shown == set(CAUSES)


@each("text", ["", "quota exceeded", "the Job failed: BackoffLimitExceeded", "configmaps already exists"])
def test_another_failure_has_no_such_cause(text: str) -> None:
    assert cause_of(text) is None
