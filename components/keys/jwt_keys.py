"""The JWT secrets as the API server reads them: a JSON Web Key Set of symmetric keys (RFC 7517). Pure.

Airflow signs with one secret, and names it in the token's header. The API server accepts every key of the set, so a
secret can be replaced while tokens of the old one are in use.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

JWT_SECRET_MIN_BYTES: Final = 64
"""HS512 refuses a shorter key (RFC 7518, section 3.2)."""
JWKS_FOLDER: Final = "/etc/airflow-jwks"
"""Folder of the set in the API server."""
JWKS_KEY: Final = "jwks.json"
"""The set's key in its Secret, and the name of its file."""
JWT_KEY_ID_KEY: Final = "jwt-key-id"
"""The key of the id in its Secret."""
JWKS_VOLUME: Final = "jwks"
"""Name of the volume."""
IDS: Final = tuple(f"key-{digit}" for digit in "0123456789abcdef")
"""All ids. A set has each of them: Airflow answers a token with an unknown id with 500 instead of 401, so that people
with a token of an old secret would see an error and no login. Under the id of another secret, its signature is wrong.
"""
_WITHOUT_ID: Final = "not-used"
"""The key id in tokens that Airflow signed without a configured id (airflow/api_fastapi/auth/tokens.py)."""


def jwt_secrets(text: str) -> tuple[str, ...]:
    """Return the single secrets of a config value: the first signs, each is accepted.

    A secret of one's own may contain commas. They separate secrets only where each part is long enough to be one.
    """
    parts = tuple(text.split(","))
    return parts if all(len(part.encode()) >= JWT_SECRET_MIN_BYTES for part in parts) else (text,)


def key_id(secret: str) -> str:
    """Return the id of a secret, one of `IDS` by its digest. It stands in every token."""
    return f"key-{hashlib.sha256(secret.encode()).hexdigest()[0]}"


def share_an_id(secrets: Sequence[str]) -> bool:
    """Return whether secrets cannot be in one set, because two of them have the same id."""
    return len({key_id(secret) for secret in secrets}) < len(set(secrets))


def key_set(secrets: tuple[str, ...], coming: str = "") -> str:
    """Return the set as JSON.

    Args:
        secrets: The secrets in use. The last one is the oldest: it is accepted in tokens without a configured id too,
            as Airflow signed them before the stack had a set.
        coming: A secret that nothing signs with yet, or "".
    """
    ids = dict.fromkeys(IDS, secrets[0])
    ids |= {key_id(secret): secret for secret in (*secrets, coming) if secret} | {_WITHOUT_ID: secrets[-1]}
    return json.dumps({"keys": [_key(identity, secret) for identity, secret in ids.items()]})


def accepted(text: str) -> tuple[str, ...]:
    """Return the secrets of a set as `key_set` made it, each once."""
    found: list[dict[str, Any]] = json.loads(text)["keys"]
    return tuple(dict.fromkeys(_decoded(key["k"]) for key in found))


def _key(identity: str, secret: str) -> dict[str, str]:
    # Airflow takes the algorithm from here; by default, a symmetric key would be one for HS256.
    return {"kty": "oct", "alg": "HS512", "kid": identity, "k": _encoded(secret)}


def _encoded(secret: str) -> str:
    return base64.urlsafe_b64encode(secret.encode()).decode().rstrip("=")


def _decoded(text: str) -> str:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
