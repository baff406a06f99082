"""The binary form of an SSH public key: whether it is whole, strong enough, and what its fingerprint is. Pure."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from typing import Final

_MIN_RSA_BITS: Final = 2048  # NIST SP 800-131A; OpenSSH's own floor is 1024
_CURVE_POINT_BYTES: Final = {b"nistp256": 65, b"nistp384": 97, b"nistp521": 133}
_ED25519_BYTES: Final = 32
KEY_TYPES: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
DSA: Final = "ssh-dss"
RSA_SIGNATURES: Final = ("rsa-sha2-256", "rsa-sha2-512")
"""Names of signatures with an ssh-rsa key (RFC 8332, section 3), which some tools write in place of the key's type."""


class KeyFormatError(Exception):
    """Its text says what was found instead of a key."""


def fingerprint(key_blob: bytes) -> str:
    """Return `SHA256:...` of a public key's binary form, as `ssh-keygen -l` and Git hosts show it."""
    return "SHA256:" + b64encode(hashlib.sha256(key_blob).digest()).decode().rstrip("=")


def read_string(data: bytes) -> tuple[bytes, bytes]:
    """Return the first string of SSH's binary encoding (RFC 4251, section 5), and the rest of the data.

    Raises ValueError if the data ends before the string does.
    """
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        raise ValueError("expected a whole SSH string, got a shorter one")
    return data[4 : 4 + length], data[4 + length :]


def decode_key(key_type: str, key: str) -> bytes:
    """Return the key's binary form. Raises KeyFormatError unless it is a whole key of the type given before it."""
    if key_type.isdigit():
        raise KeyFormatError("a key of SSH protocol 1, which no current ssh reads")
    if key_type not in (*KEY_TYPES, DSA):
        raise KeyFormatError(f"an unknown key type (known: {', '.join(KEY_TYPES)})")
    try:
        blob = b64decode(key, validate=True)
        embedded, body = read_string(blob)
    except ValueError:
        raise KeyFormatError("a key that is cut off or damaged") from None
    if embedded != key_type.encode():
        raise KeyFormatError(f"a key of another type than {key_type}")
    try:
        whole = _is_whole(key_type, body)
    except ValueError:
        whole = False
    if not whole:
        raise KeyFormatError("a key that is cut off or damaged")
    return blob


def _is_whole(key_type: str, body: bytes) -> bool:
    """Return whether the rest of a key's binary form has exactly its type's fields. Raises ValueError if cut off."""
    match key_type:
        case "ssh-rsa":
            exponent, body = read_string(body)
            modulus, body = read_string(body)
            return bool(exponent and modulus) and not body
        case "ssh-dss":
            for _ in range(4):
                _, body = read_string(body)
            return not body
    if "ecdsa" in key_type:
        curve, body = read_string(body)
        # Only the sk- form of a type's name has an @, before the vendor.
        if curve.decode("ascii", "replace") != key_type.partition("@")[0].rpartition("-")[2]:
            return False
        size = _CURVE_POINT_BYTES[curve]
    else:
        size = _ED25519_BYTES
    point, body = read_string(body)
    if key_type.startswith("sk-"):
        _, body = read_string(body)
    return len(point) == size and not body


def check_strength(key_type: str, blob: bytes) -> None:
    """Raise KeyFormatError for a key that is too weak."""
    if key_type == DSA:
        raise KeyFormatError("a DSA key, which current ssh refuses")
    if key_type == "ssh-rsa":
        _, body = read_string(blob)
        _, body = read_string(body)
        bits = int.from_bytes(read_string(body)[0], "big").bit_length()
        if bits < _MIN_RSA_BITS:
            raise KeyFormatError(f"an RSA key of {bits} bits, fewer than {_MIN_RSA_BITS}")
