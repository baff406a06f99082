"""How the program asks AWS something while it runs, and the one error where AWS, or the way to it, refuses.

Only reads: what the stack has in AWS is made by the provider. A message says what mends it, names the IAM action where
one is missing, and never holds a credential.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import pulumi

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
    """AWS did not give what the stack needs. A RunError: the engine shows its text alone, without a traceback.

    code: AWS's own name for the refusal, or "" where AWS did not answer.
    """

    def __init__(self, message: str, code: str = "") -> None:
        self.code = code
        super().__init__(message)


def aws_clients(region: str) -> Callable[[str], Any]:
    """Gives boto3 clients by service name, in one region. To be called within `aws_call`: the first may already fail.

    All share one session, so that credentials are looked for once; nothing is kept beyond what is returned here.
    """

    @functools.cache
    def session() -> Any:
        # Imported here: a laptop's stack has no use for it, and would wait for it.
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
    """What `call` returns; what boto3 raises in it becomes an AwsError.

    action: what `call` asks for, as IAM names it: `eks:DescribeCluster`.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        answer = error.response.get("Error", {})
        problem = refusal(action, str(answer.get("Code", "")), str(answer.get("Message", "")))
    except BotoCoreError as error:
        problem = _no_answer(action, error)
    raise problem  # here, and not above: a chained error of boto3 could show what this one leaves out


def refusal(action: str, code: str, message: str) -> AwsError:
    """The error for an answer of AWS that refuses. code, message: as AWS gave them."""
    if code in _BAD_CREDENTIALS:
        # AWS's message is left out: it can quote the signed request, session token and all.
        return AwsError(
            f"{action}: expected valid AWS credentials, found expired or foreign ones ({code}). Fix: {_SIGN_IN}; "
            "or enable the region in the account, if it is one that must be",
            code,
        )
    if code in _DENIED:
        caller, missing, resource = _who_misses_what(message)
        missing = missing or action
        return AwsError(
            f"{action}: expected {caller or 'the identity in use'} to be allowed {missing}{resource}, found {code}. "
            f"Fix: allow {missing} in an IAM policy of that identity, or use another one",
            code,
        )
    return AwsError(f"{action}: AWS refuses it with {code or 'an error'}: {_shown(message)}", code)


def _no_answer(action: str, error: Exception) -> AwsError:
    from botocore import exceptions as botocore

    kind = type(error).__name__
    if isinstance(error, botocore.NoCredentialsError | botocore.NoAuthTokenError):
        return AwsError(f"{action}: expected AWS credentials, found none. Fix: {_SIGN_IN}")
    if isinstance(error, botocore.ProfileNotFound | botocore.ConfigParseError | botocore.ConfigNotFound):
        return AwsError(
            f"{action}: expected the profile of AWS_PROFILE in AWS's config file, found none to read ({kind}). "
            "Fix: set AWS_PROFILE to one of `aws configure list-profiles`"
        )
    if isinstance(
        error,
        botocore.CredentialRetrievalError
        | botocore.InvalidConfigError
        | botocore.LoginError
        | botocore.MetadataRetrievalError
        | botocore.PartialCredentialsError
        | botocore.RefreshWithMFAUnsupportedError
        | botocore.SSOError
        | botocore.TokenRetrievalError,
    ):
        # What they say is left out: it can be the output of a program that gives credentials.
        return AwsError(
            f"{action}: expected valid AWS credentials, found some that have expired or cannot be read ({kind}). "
            f"Fix: {_SIGN_IN}"
        )
    if isinstance(error, botocore.HTTPClientError | botocore.ConnectionError):
        return AwsError(
            f"{action}: expected an answer of AWS, found none ({kind}). Fix: look at airflow:awsRegion, at this "
            "machine's network, and at its proxy (HTTPS_PROXY, NO_PROXY)"
        )
    return AwsError(f"{action}: {kind}: {_shown(str(error))}")


def _who_misses_what(message: str) -> tuple[str, str, str]:
    """Identity, IAM action and " on RESOURCE" in AWS's message; each is "" where it is not named."""
    said = r"User: (arn:\S+) is not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)( on resource: (arn:\S+))?"
    found = re.search(said, message)
    if not found:
        # Secrets Manager, of a key that it was to use for the caller.
        return "", "kms:Decrypt" if "Access to KMS is not allowed" in message else "", ""
    return found[1], found[2], f" on {found[4]}" if found[4] else ""


def _shown(message: str) -> str:
    """A message on one line, shortened, without whatever could be a key or a token."""
    line = " ".join(message.split())
    line = re.sub(r"A[KS]IA[A-Z0-9]{12,}|[A-Za-z0-9+/=_-]{40,}", "[…]", line)
    return line if len(line) <= _SHOWN_LENGTH else f"{line[:_SHOWN_LENGTH]}…"
