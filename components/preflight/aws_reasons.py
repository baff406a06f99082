"""Says what the usual refusals of AWS mean for the config of a stack."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from components.preflight.finding import Finding, passed, skipped
from components.preflight.reasons import Reason, explained

CHECK: Final = "{account} in AWS"
NO_IDENTITY: Final = "NoCredentialsError"
_SET: Final = "pulumi config set --stack {stack}"
_DONE: Final = {"write": "writes task logs", "read": "reads task logs", "secret": "reads secrets"}
_REASONS: Final = (
    Reason(
        rf"^({NO_IDENTITY}|CredentialRetrievalError|PartialCredentialsError|Unauthorized\w*|InvalidIdentityToken)\b"
        r"|AssumeRoleWithWebIdentity",
        "{identity_key}: expected {identity} for pods of the service account {account}, found: {line}",
        "{identity_fix}",
    ),
    Reason(
        r"^(NoSuchBucket|InvalidBucketName)\b|HeadBucket operation: Not Found",
        "{key}: expected the bucket of {place}, found none: {line}",
        "{place_fix}",
    ),
    Reason(
        r"^(InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClientException|ExpiredToken\w*)\b",
        "{identity_key}: expected that {place} accepts {identity}, found: {line}",
        "{identity_fix}",
    ),
    Reason(
        r"^(PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint\w*|301)\b",
        "{key}: expected {place} in the region of the stack, found it in another one: {line}",
        "{place_fix}",
    ),
    Reason(
        r"^(AccessDenied\w*|Forbidden|403|AllAccessDisabled|KMS\.\w+|KMSAccessDenied\w*)\b",
        "{key}: expected that {identity} {may} {place}, found: {line}",
        "look at the policies of the role and of its permissions boundary, at the policy of {place}, and at that of "
        "the key that encrypts it; in another account, both accounts must allow it",
    ),
    Reason(
        r"^(EndpointConnectionError|ConnectTimeoutError|ReadTimeoutError|ConnectionClosedError|ConnectionError"
        r"|ProxyConnectionError|SSLError|5\d\d|ServiceUnavailable|InternalError|SlowDown|Throttling\w*)\b",
        "{key}: expected {place} to answer pods, found: {line}",
        "look at the network between the cluster and it (a NAT gateway, an endpoint of the VPC, a proxy), and at "
        "airflow:egressExceptCidrs",
        outage=True,
    ),
    Reason("", "{key}: expected that {identity} {may} {place}, found: {line}", "correct that"),
)
_MAY: Final = {"write": "may write to", "read": "may list and read", "secret": "may read"}


def aws_finding(answer: str, about: Mapping[str, Any]) -> Finding:
    """Return what the script's answer means. Raises ValueError if it is none.

    Args:
        answer: What the script wrote, without secrets.
        about: See `aws_pods.about`, and the stack's name.
    """
    found: dict[str, str] = json.loads(answer)
    account, stack = about["account"], about["stack"]
    check = CHECK.format(account=account)
    if found.get("error", "").startswith("ModuleNotFoundError"):
        return skipped(check, "the image lacks a package for it, which the check of the image tells")
    identity = f"the role {about['role']}" if about["role"] else about["identity"]
    if not found:
        return passed(check, f"{identity} {' and '.join(_DONE[step] for step in about['steps'])}")
    step = found["step"]
    of_secrets = step == "secret"
    known = {
        **about,
        "identity": identity,
        "key": "airflow:secretsManagerPrefix" if of_secrets else "airflow:taskLogs",
        "place": f"Secrets Manager below {about['secrets']}/" if of_secrets else about["folder"],
        "place_fix": (f"{_SET} airflow:secretsManagerPrefix PREFIX" if of_secrets else about["place_fix"]).format(
            stack=stack
        ),
        "identity_fix": about["identity_fix"].format(stack=stack),
        "may": _MAY[step],
    }
    return explained(check, found["error"], _REASONS, known)


def lacks_identity(answer: str) -> bool:
    """Whether the pod had no credentials at all. A new pod may get them."""
    try:
        return str(json.loads(answer).get("error", "")).startswith(NO_IDENTITY)
    except ValueError:
        return False
