"""AWS's answer to a request that it refuses, in the protocol of the request's service."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from tests.prod.emulator import cbor
from tests.prod.emulator.operations import Operation

_JSON: Final = ("cloudwatch", "eks", "kms", "logs", "resourcegroupstaggingapi", "secretsmanager")
_REQUEST_ID: Final = "01234567-89ab-cdef-0123-456789abcdef"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @staticmethod
    def of(status: str, kind: str, body: bytes, *more: tuple[str, str]) -> Answer:
        return Answer(status, (("Content-Type", kind), ("Content-Length", str(len(body))), *more), body)


def denied(operation: Operation, caller: str, action: str, resource: str) -> Answer:
    """Return the refusal of a right that the caller does not have."""
    named = "" if resource == "*" else f" on resource: {resource}"
    message = (
        f"User: {caller} is not authorized to perform: {action}{named} because no identity-based policy allows the "
        f"{action} action"
    )
    by_json = "AccessDeniedException" if operation.service in _JSON[1:] else "AccessDenied"
    code = "UnauthorizedOperation" if operation.service == "ec2" else by_json
    return refused(operation, "403 Forbidden", code, message)


def throttled(operation: Operation) -> Answer:
    """Return the refusal of a request that comes too soon after others."""
    if operation.service in ("s3", "s3control"):
        return refused(operation, "503 Slow Down", "SlowDown", "Please reduce your request rate.")
    code = "RequestLimitExceeded" if operation.service == "ec2" else "ThrottlingException"
    code = "Throttling" if operation.service in ("cloudwatch", "iam", "rds", "sts", "sns") else code
    return refused(operation, "400 Bad Request", code, "Rate exceeded")


def refused(operation: Operation, status: str, code: str, message: str) -> Answer:
    """Return a refusal with AWS's code and message."""
    if operation.by_cbor:
        body = cbor.dumps({"__type": f"com.amazonaws.cloudwatch#{code}", "message": message})
        # CloudWatch spoke the query protocol before: SDKs take the code from there.
        before = ("x-amzn-query-error", f"{code};Sender")
        return Answer.of(status, "application/cbor", body, ("smithy-protocol", "rpc-v2-cbor"), before)
    if operation.service in _JSON:
        body = json.dumps({"__type": code, "message": message}).encode()
        return Answer.of(status, "application/json", body, ("x-amzn-errortype", code))
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if operation.service == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{_REQUEST_ID}</RequestID></Response>"
    elif operation.service == "s3":
        text = f"<Error>{error}<RequestId>{_REQUEST_ID}</RequestId></Error>"
    else:
        text = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>{_REQUEST_ID}</RequestId>"
        text += "</ErrorResponse>"
    return Answer.of(status, "text/xml", text.encode())
