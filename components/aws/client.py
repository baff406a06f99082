"""Read-only calls to AWS while the program runs, and the one error for all their failures.

A message says how to fix the problem, names a missing IAM action, and never contains a credential.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import pulumi

from components.aws.deploying_role import statements_for

_T = TypeVar("_T")

_CONNECT_TIMEOUT_SECONDS = 5
_READ_TIMEOUT_SECONDS = 30
_ATTEMPTS = 3
_SHOWN_LENGTH = 200

_SIGN_IN: Final = "`aws sso login`, or give this shell other credentials (AWS_PROFILE; in CI, the role that it assumes)"

# Services differ in how they name the same refusal.
_BAD_CREDENTIALS: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})


class AwsError(pulumi.RunError):
    """AWS did not give what the stack needs. As a RunError, the engine shows its text without a traceback."""

    code: str
    """AWS's own code of the refusal, or "" if AWS did not answer."""

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


def aws_clients(region: str) -> Callable[[str], Any]:
    """Return a function that gives boto3 clients in one region by service name. Call it within `aws_call`: it can fail.

    All clients share one session, so that credentials are looked up once.
    """

    @functools.cache
    def session() -> Any:
        # Imported here, because only stacks in AWS need it.
        import boto3

        return boto3.session.Session(region_name=region)

    @functools.cache
    def client(service: str) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_SECONDS,
            read_timeout=_READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
        )
        return session().client(service, config=config)

    return client


def aws_call(action: str, call: Callable[[], _T]) -> _T:
    """Return what `call` returns; an error of boto3 becomes an AwsError.

    `action` is the IAM action that `call` needs, such as `eks:DescribeCluster`.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        answer = error.response.get("Error", {})
        problem = refusal(action, str(answer.get("Code", "")), str(answer.get("Message", "")))
    except BotoCoreError as error:
        problem = _no_answer(action, error)
    raise problem  # outside of the except clause: a chained error of boto3 could show what this one leaves out


def refusal(action: str, code: str, message: str) -> AwsError:
    """Return the error for a refusal by AWS, from AWS's own code and message."""
    if code in _BAD_CREDENTIALS:
        # AWS's message is left out, because it can quote the signed request with the session token.
        return AwsError(
            f"{action}: expected valid AWS credentials, found credentials that have expired or that AWS does not "
            f"know ({code}). Fix: {_SIGN_IN}; or, for a region that is off by default, enable it in the account",
            code,
        )
    if code in _DENIED:
        caller, missing, resource = _who_misses_what(message)
        missing = missing or action
        given = statements_for(missing, resource.removeprefix(" on "))
        given = f" ({given})" if given else ""
        return AwsError(
            f"{action}: expected {caller or 'the identity in use'} to be allowed {missing}{resource}, found {code}. "
            f"Fix: allow {missing} in an IAM policy of that identity{given}, or use another one",
            code,
        )
    return AwsError(f"{action}: AWS refuses it with {code or 'an error'}: {_shown(message)}", code)


def _no_answer(action: str, error: Exception) -> AwsError:
    from botocore import exceptions as botocore

    kind = type(error).__name__
    # The errors' own texts are left out, because they can be the output of a program that prints credentials.
    messages = {
        botocore.NoCredentialsError | botocore.NoAuthTokenError: (
            f"expected AWS credentials, found none. Fix: {_SIGN_IN}"
        ),
        botocore.ProfileNotFound | botocore.ConfigParseError | botocore.ConfigNotFound: (
            f"expected the profile of AWS_PROFILE in AWS's config file, found none to read ({kind}). Fix: set "
            "AWS_PROFILE to one of `aws configure list-profiles`"
        ),
        botocore.CredentialRetrievalError
        | botocore.InvalidConfigError
        | botocore.LoginError
        | botocore.MetadataRetrievalError
        | botocore.PartialCredentialsError
        | botocore.RefreshWithMFAUnsupportedError
        | botocore.SSOError
        | botocore.TokenRetrievalError: (
            f"expected valid AWS credentials, found some that have expired or cannot be read ({kind}). Fix: {_SIGN_IN}"
        ),
        botocore.HTTPClientError | botocore.ConnectionError: (
            f"expected an answer from AWS, found none ({kind}). Fix: check airflow:awsRegion, this machine's network, "
            "and its proxy (HTTPS_PROXY, NO_PROXY)"
        ),
    }
    message = next((text for types, text in messages.items() if isinstance(error, types)), None)
    return AwsError(f"{action}: {message or f'{kind}: {_shown(str(error))}'}")


def _who_misses_what(message: str) -> tuple[str, str, str]:
    """Return identity, IAM action and " on RESOURCE" from AWS's message; each is "" if the message lacks it."""
    said = r"User: (arn:\S+) is not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)( on resource: (arn:\S+))?"
    found = re.search(said, message)
    if not found:
        # Secrets Manager says this of the KMS key that it uses for the caller.
        return "", "kms:Decrypt" if "Access to KMS is not allowed" in message else "", ""
    return found[1], found[2], f" on {found[4]}" if found[4] else ""


def _shown(message: str) -> str:
    """Return a message on one line, shortened, without anything that could be a key or a token."""
    line = " ".join(message.split())
    line = re.sub(r"A[KS]IA[A-Z0-9]{12,}|[A-Za-z0-9+/=_-]{40,}", "[…]", line)
    return line if len(line) <= _SHOWN_LENGTH else f"{line[:_SHOWN_LENGTH]}…"
