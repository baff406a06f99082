"""Causes of a failure outside the stack: credentials, the place of the state, keys, disks; each with its remedy.

The texts are those that the engine passes on from AWS, Kubernetes and the system. The first cause that fits is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from automation.errors import (
    AccessRefused,
    AutomationError,
    ClusterUnreachable,
    FileUnusable,
    PassphraseMissing,
    UpdateFailed,
)


@dataclass(frozen=True)
class OutsideCause:
    """A cause as the texts of failures show it."""

    found: re.Pattern[str]
    """What is in the text."""
    kind: type[AutomationError]
    """The error that it is."""
    remedy: str
    """What to do. STACK stands for the name of the stack."""


def _cause(pattern: str, kind: type[AutomationError], remedy: str) -> OutsideCause:
    return OutsideCause(re.compile(pattern, re.IGNORECASE | re.DOTALL), kind, remedy)


_WHO: Final = "aws sts get-caller-identity says who you are"

CAUSES: Final = (
    _cause(
        r"no space left on device|disk quota exceeded",
        FileUnusable,
        "free space on the disk that it names (df -h), and run it again",
    ),
    _cause(
        r"read-only file system",
        FileUnusable,
        "run it where the file that it names can be written, or mount its disk writable",
    ),
    _cause(
        r"incorrect passphrase",
        PassphraseMissing,
        "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase that the stack was made with",
    ),
    _cause(
        r"passphrase must be set",
        PassphraseMissing,
        "export PULUMI_CONFIG_PASSPHRASE_FILE=FILE with the passphrase that the stack was made with",
    ),
    _cause(
        r"ExpiredToken|RequestExpired|token (?:included in the request )?(?:is|has) expired|InvalidGrantException",
        AccessRefused,
        "the login to AWS has expired; sign in again (aws sso login), or renew the AWS_* variables; then run it again",
    ),
    _cause(
        r"no EC2 IMDS role found|NoCredentialProviders|No valid credential sources|Unable to locate credentials"
        r"|NoCredentialsError|could not find (?:shared )?(?:config )?profile",
        AccessRefused,
        "there is no login to AWS; sign in (aws sso login) and export AWS_PROFILE, or set the AWS_* variables",
    ),
    _cause(
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClientException",
        AccessRefused,
        f"AWS does not know these credentials; {_WHO}; check the AWS_* variables and AWS_PROFILE",
    ),
    _cause(
        r"secrets \(code=.*(?:KMSInvalidState|DisabledException|is pending deletion)",
        AccessRefused,
        "the KMS key that encrypts the stack's secrets is disabled or scheduled for deletion: aws kms "
        "cancel-key-deletion, "
        "then aws kms enable-key, with the key of `secretsprovider` in Pulumi.STACK.yaml",
    ),
    _cause(
        r"secrets \(code=.*KMS: \w+,.*NotFoundException",
        AccessRefused,
        f"there is no such KMS key in this account and region; {_WHO}; look at `secretsprovider` in Pulumi.STACK.yaml",
    ),
    _cause(
        r"secrets \(code=.*(?:AccessDenied|not authorized)",
        AccessRefused,
        f"{_WHO}; that role needs kms:Encrypt and kms:Decrypt on the key of `secretsprovider` in "
        "Pulumi.STACK.yaml, and the key's policy must let it",
    ),
    _cause(
        r"NoSuchBucket|code=NotFound\).*S3: ListObjects",
        AccessRefused,
        f"there is no such bucket for states; look at PULUMI_BACKEND_URL; {_WHO}",
    ),
    _cause(
        r"PermanentRedirect|BucketRegionError|AuthorizationHeaderMalformed",
        AccessRefused,
        "the bucket of states is in another region: add ?region=REGION to PULUMI_BACKEND_URL",
    ),
    _cause(
        r"blob \(.*(?:AccessDenied|Forbidden|StatusCode: 403|PermissionDenied)|ClientError AccessDenied",
        AccessRefused,
        f"{_WHO}; that role needs s3:ListBucket on the bucket of states, and s3:GetObject, s3:PutObject and "
        "s3:DeleteObject on what is in it",
    ),
    _cause(
        r"You must be logged in to the server|the server has asked for the client to provide credentials"
        r"|getting credentials: exec",
        ClusterUnreachable,
        "the cluster does not accept the login of the stack's context; sign in again (EKS: aws sso login), then "
        "kubectl get nodes must answer",
    ),
    _cause(
        r'object is being deleted: namespaces "',
        UpdateFailed,
        "wait until `kubectl get namespaces` does not list it any more, and run it again",
    ),
    _cause(
        r'namespaces "[^"]*" already exists',
        UpdateFailed,
        "if its release is to become this stack's: python -m automation adopt STACK; if not: "
        "pulumi config set --stack STACK airflow:namespace NAME",
    ),
    _cause(
        r"permission denied",
        FileUnusable,
        "give this user the rights to the file that it names (ls -ld FILE), and run it again",
    ),
)


def cause_of(text: str, stack: str = "STACK") -> tuple[type[AutomationError], str] | None:
    """Return the error and the remedy for the first cause that a text shows; None if it shows none."""
    for cause in CAUSES:
        if cause.found.search(text):
            return cause.kind, cause.remedy.replace("STACK", stack)
    return None
