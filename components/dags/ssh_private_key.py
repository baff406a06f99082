"""Normalise a pasted SSH private key: repair what is safe to repair, and refuse everything else.

No error contains any part of the key, and no error of the parser is chained to one.
"""

from __future__ import annotations

import hashlib
import re
import textwrap
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

from components.dags.ssh_public_key import read_string

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_MIN_RSA_BITS: Final = 2048  # what the large Git hosts accept
_CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")  # the curves of OpenSSH, as cryptography names them

_OPENSSH: Final = "OPENSSH PRIVATE KEY"
_OPENSSH_MAGIC: Final = b"openssh-key-v1\0"
_PKCS8: Final = "PRIVATE KEY"
_ED25519: Final = b"ssh-ed25519"
_LINE_WIDTH: Final = {_OPENSSH: 70, "RSA PRIVATE KEY": 64, "EC PRIVATE KEY": 64, _PKCS8: 64}
"""Accepted formats, with the line length that ssh-keygen and openssl write."""

_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
_PUBLIC_KEY: Final = re.compile(r"(^|\s)((sk-)?ssh-\S+|(sk-)?ecdsa-\S+)\s+AAAA|BEGIN (\w+ )?PUBLIC KEY")
_ENCRYPTED: Final = re.compile(r"Proc-Type:\s*4,\s*ENCRYPTED|BEGIN ENCRYPTED PRIVATE KEY")
_FILE_NAME: Final = re.compile(r"(~|\.{0,2}/)[\w./~-]{0,200}|[\w.-]*id_(rsa|dsa|ecdsa|ed25519)[\w.-]*")

_UNLOCK: Final = "remove the passphrase of a copy with: ssh-keygen -p -f KEY -N ''"
_NEW_KEY: Final = "make a new one with: ssh-keygen -t ed25519 -N '' -f KEY"
_PRIVATE_HALF: Final = "give the private half, the file without .pub"
_WHOLE_FILE: Final = "give the whole file, from its BEGIN line to its END line"


def normalise_private_key(text: str) -> str:
    """Return the key as OpenSSH reads it: LF line ends, no white space around or in its lines, one newline at the end.

    Accepted formats are OpenSSH's own (Ed25519, ECDSA, RSA), PEM (ECDSA, RSA) and PKCS#8 (all three). An Ed25519 key in
    PKCS#8 is converted to OpenSSH's format, because OpenSSH reads PKCS#8 since 9.6 only. Repaired are line ends, blank
    lines, indentation, surrounding quotes, a literal `\\n` or a space in place of a newline, and a missing last
    newline; this is safe, because the result must parse as a key. Equal keys give equal text, however they were pasted.

    Raises ValueError that says what was found instead, and how to fix it.
    """
    return _load(text)[0]


def new_private_key() -> str:
    """Make an Ed25519 key, as `normalise_private_key` returns it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    return normalise_private_key(content.decode())


def public_key(text: str) -> str:
    """Return the public half as a Git host takes it: the type and the key. Raises ValueError."""
    content = _load(text)[1]
    return f"{read_string(content)[0].decode()} {b64encode(content).decode()}"


def _load(text: str) -> tuple[str, bytes]:
    """Return the key's text, and its public half in SSH's binary form."""
    label, data, normal = _read_block(_unpaste(text))
    written = _written_public_key(data) if label == _OPENSSH else None
    public = _public_key(label, normal)
    if label == _PKCS8 and read_string(public)[0] == _ED25519:
        return _as_openssh(normal, public), public
    # cryptography does not notice a damaged Ed25519 seed, because it is the seed of another key.
    if written not in (None, public):
        raise _refusal("a key that is cut off or damaged", _WHOLE_FILE)
    return normal, public


def _unpaste(text: str) -> str:
    """Undo what environment variables, YAML, JSON and editors do to the line ends of a key."""
    for newline in ("\\r\\n", "\\n", "\r\n", "\r"):
        text = text.replace(newline, "\n")
    return text.strip("\ufeff \t\n\"'")


def _read_block(text: str) -> tuple[str, bytes, str]:
    """Return label, decoded content and normal text of the only private key in the text."""
    if "PRIVATE KEY-----" not in text:
        raise _refusal(*_recognise(text))
    if _ENCRYPTED.search(text):
        raise _refusal("a key with a passphrase, which no pod can type", _UNLOCK)
    blocks = [(label, "".join(body.split())) for label, body in _BLOCK.findall(text)]
    # `openssl ecparam -genkey` writes the curve before the key, which names it again.
    keys = [block for block in blocks if block[0] != "EC PARAMETERS"]
    if not keys:
        raise _refusal("a key that is cut off", _WHOLE_FILE)
    if len(keys) > 1 or _BLOCK.sub("", text).strip():
        raise _refusal("other text beside the key", "give the key's file alone")
    label, body = keys[0]
    if label == "DSA PRIVATE KEY":
        raise _refusal("a DSA key, which current OpenSSH refuses", _NEW_KEY)
    if label not in _LINE_WIDTH:
        raise _refusal("a key in another format", _NEW_KEY)
    data = _decode(body)
    if data is None:
        raise _refusal("a key that is cut off or damaged", _WHOLE_FILE)
    return label, data, _pem(label, data)


def _recognise(text: str) -> tuple[str, str]:
    """Return what a text without the BEGIN or END line of a private key is, and how to fix it."""
    if not text:
        return "nothing", _NEW_KEY
    if text.startswith("PuTTY-User-Key-File-"):
        return "a PuTTY key", "convert it with: puttygen KEY.ppk -O private-openssh -o KEY"
    if _PUBLIC_KEY.search(text):
        return "a public key", _PRIVATE_HALF
    if re.search(r"BEGIN [A-Z0-9 ]*CERTIFICATE", text):
        return "an X.509 certificate", _PRIVATE_HALF
    if "BEGIN SSH2 ENCRYPTED PRIVATE KEY" in text:
        return "a key in the format of ssh.com", "convert it with: ssh-keygen -i -f KEY > NEW-KEY"
    if "BEGIN PGP" in text:
        return "a PGP key", _NEW_KEY
    decoded = _decode("".join(text.split())) or b""
    if decoded.startswith(_OPENSSH_MAGIC):
        return "a key without its BEGIN and END lines", _WHOLE_FILE
    if decoded.lstrip().startswith((b"-----BEGIN", b"PuTTY-User-Key-File-")):
        return "the Base64 form of a key's file", "decode it first with: base64 -d"
    if _FILE_NAME.fullmatch(text):
        return "what looks like the name of a file", "give what is in the file"
    return "text that is no key", _WHOLE_FILE


def _written_public_key(data: bytes) -> bytes:
    """Return the public half, which OpenSSH's format stores in clear (PROTOCOL.key of openssh-portable).

    Raises ValueError for a key with a passphrase or of a type that no pod can use; the parser would call both damaged.
    """
    try:
        cipher, rest = read_string(data.removeprefix(_OPENSSH_MAGIC))
        _, rest = read_string(rest)  # key derivation
        _, rest = read_string(rest)  # its options
        public, _ = read_string(rest[4:])  # after the number of keys
        key_type, _ = read_string(public)
    except ValueError:
        cipher = public = key_type = b""
    if cipher not in (b"", b"none"):
        raise _refusal("a key with a passphrase, which no pod can type", _UNLOCK)
    if key_type == b"ssh-dss":
        raise _refusal("a DSA key, which current OpenSSH refuses", _NEW_KEY)
    if key_type.startswith(b"sk-"):
        raise _refusal("the handle of a key in a hardware token, which pods do not have", _NEW_KEY)
    return public


def _public_key(label: str, normal: str) -> bytes:
    # Imported here, because stacks with an HTTPS repository do not need it.
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _parse(label, normal.encode())
    if key is None:
        raise _refusal("a key that is cut off or damaged", _WHOLE_FILE)
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < _MIN_RSA_BITS:
            raise _refusal(f"an RSA key of {key.key_size} bits, fewer than {_MIN_RSA_BITS}", _NEW_KEY)
    elif not isinstance(key, ed25519.Ed25519PrivateKey) and not (
        isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES
    ):
        raise _refusal("a key of a type that OpenSSH does not have", _NEW_KEY)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return b64decode(line.split(b" ")[1])


def _as_openssh(normal: str, public: bytes) -> str:
    """Return an Ed25519 key in OpenSSH's format (PROTOCOL.key of openssh-portable).

    Not by cryptography, which puts a random number into the key: every update would make another Secret.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = _parse(_PKCS8, normal.encode())
    assert key is not None
    seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    raw = read_string(read_string(public)[1])[0]
    check = hashlib.sha256(public).digest()[:4]
    private = check * 2 + _string(_ED25519) + _string(raw) + _string(seed + raw) + _string(b"")
    private += bytes(range(1, -len(private) % 8 + 1))
    data = _OPENSSH_MAGIC + _string(b"none") * 2 + _string(b"") + b"\0\0\0\1" + _string(public) + _string(private)
    return _pem(_OPENSSH, data)


def _string(data: bytes) -> bytes:
    """Return data as a string of SSH's binary encoding (RFC 4251, section 5)."""
    return len(data).to_bytes(4, "big") + data


def _pem(label: str, data: bytes) -> str:
    content = textwrap.wrap(b64encode(data).decode(), _LINE_WIDTH[label])
    return "\n".join([f"-----BEGIN {label}-----", *content, f"-----END {label}-----"]) + "\n"


def _parse(label: str, data: bytes) -> PrivateKeyTypes | None:
    """Return the parsed key, or None. A separate function, so that no error of the parser is chained to ours."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    load = load_ssh_private_key if label == _OPENSSH else load_pem_private_key
    try:
        return load(data, password=None)
    except Exception:  # it raises more types than it documents, and each may quote the key
        return None


def _decode(body: str) -> bytes | None:
    try:
        return b64decode(body, validate=True)
    except ValueError:
        return None


def _refusal(found: str, fix: str) -> ValueError:
    return ValueError(f"expected an OpenSSH private key without a passphrase, got {found}; {fix}")
