"""Who gets a role for a token of the cluster (IRSA): moto gives it to everybody, STS to those whom the role trusts.

The provider of the token's issuer must be in IAM, with the token's audience; and the role's trust policy must name that
provider, and hold for the token's audience and subject. The token's signature is not checked.
"""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from moto.backends import get_backend

from tests.prod.emulator.operations import Operation
from tests.prod.emulator.policies import given_by, listed
from tests.prod.emulator.principals import role_named
from tests.prod.emulator.refusals import Answer, refused
from tests.prod.emulator.rights import ACCOUNT, Right

ACTION: Final = "sts:AssumeRoleWithWebIdentity"


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says of its bearer."""
    body = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))


def refusal(operation: Operation) -> Answer | None:
    """Return STS's refusal to give the role that a request asks for, or None."""
    said = operation.parameters
    claims = claims_of(str(said["WebIdentityToken"]))
    issuer, audiences = str(claims["iss"]), listed(claims["aud"])
    name = issuer.removeprefix("https://")
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}"
    iam: Any = get_backend("iam")[ACCOUNT]["aws"]
    provider = iam.open_id_providers.get(arn)
    if provider is None:
        return _invalid(operation, f"No OpenIDConnect provider found in your account for {issuer}")
    audience = next((each for each in audiences if each in provider.client_id_list), None)
    if audience is None:
        return _invalid(operation, "Incorrect token audience")
    role = role_named(str(said["RoleArn"]).rpartition("/")[2])
    trusting = [] if role is None else json.loads(role.assume_role_policy_document)["Statement"]
    asked = Right(action=ACTION, resource="*", context={f"{name}:aud": audience, f"{name}:sub": str(claims["sub"])})
    # A trust policy names no resource: it is the role's own.
    if not given_by(asked, [{**item, "Resource": "*"} for item in trusting if _federated(item) == arn]):
        return refused(operation, "403 Forbidden", "AccessDenied", f"Not authorized to perform {ACTION}")
    return None


def _federated(statement: Any) -> Any:
    return statement["Principal"].get("Federated")


def _invalid(operation: Operation, message: str) -> Answer:
    return refused(operation, "400 Bad Request", "InvalidIdentityToken", message)
