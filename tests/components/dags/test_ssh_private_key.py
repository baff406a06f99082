"""Which pasted keys are mended, which are refused, and that no refusal holds a part of a key."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.dags.ssh_private_key import normalise_private_key, public_key
from components.dags.ssh_public_key import fingerprint
from tests.cases import each

SSH_KEYGEN = shutil.which("ssh-keygen")
needs_ssh_keygen = pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen is not on PATH")
uses_shared_keys = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TOO_FEW_BITS = 1024
PASSPHRASE = b"correct horse battery staple"

normal = functools.cache(normalise_private_key)
"""For what a test compares with: to read a key of RSA takes long."""


class Keys(dict[str, str]):
    """Keys by name, which a failing test does not print."""

    def __repr__(self) -> str:
        return f"Keys({', '.join(self)})"


def write(key: Any, form: PrivateFormat, encryption: KeySerializationEncryption | None = None) -> str:
    content: bytes = key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())
    return content.decode()


def wire(*strings: bytes) -> bytes:
    """Strings in SSH's binary encoding."""
    return b"".join(len(each).to_bytes(4, "big") + each for each in strings)


def openssh_file(cipher: bytes, key_type: bytes) -> str:
    """A file in OpenSSH's format with made-up key material."""
    public = wire(key_type, b"made-up-public-key-material")
    content = b"openssh-key-v1\0" + wire(cipher, b"bcrypt", b"options") + b"\0\0\0\1" + wire(public, b"secret" * 20)
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{b64encode(content).decode()}\n-----END OPENSSH PRIVATE KEY-----\n"


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Private keys that OpenSSH reads, by kind and format, and some that it does not."""
    ed = ed25519.Ed25519PrivateKey.generate()
    curves = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}
    ecdsa = {name: ec.generate_private_key(curve) for name, curve in curves.items()}
    big, small = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, TOO_FEW_BITS)
    locked = BestAvailableEncryption(PASSPHRASE)
    return Keys(
        {
            "ed25519": write(ed, PrivateFormat.OpenSSH),
            "ecdsa 256": write(ecdsa["256"], PrivateFormat.OpenSSH),
            "ecdsa 384": write(ecdsa["384"], PrivateFormat.OpenSSH),
            "ecdsa 521": write(ecdsa["521"], PrivateFormat.OpenSSH),
            "ecdsa PEM": write(ecdsa["256"], PrivateFormat.TraditionalOpenSSL),
            "ecdsa PKCS#8": write(ecdsa["384"], PrivateFormat.PKCS8),
            "rsa": write(big, PrivateFormat.OpenSSH),
            "rsa PEM": write(big, PrivateFormat.TraditionalOpenSSL),
            "rsa PKCS#8": write(big, PrivateFormat.PKCS8),
            "public": ed.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
            "public PEM": big.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            "public RSA PEM": big.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode(),
            "small": write(small, PrivateFormat.OpenSSH),
            "small PEM": write(small, PrivateFormat.TraditionalOpenSSL),
            "ed25519 PKCS#8": write(ed, PrivateFormat.PKCS8),
            "ed448": write(ed448.Ed448PrivateKey.generate(), PrivateFormat.PKCS8),
            "x25519": write(x25519.X25519PrivateKey.generate(), PrivateFormat.PKCS8),
            "secp256k1": write(ec.generate_private_key(ec.SECP256K1()), PrivateFormat.TraditionalOpenSSL),
            "locked PEM": write(big, PrivateFormat.TraditionalOpenSSL, locked),
            "locked PKCS#8": write(big, PrivateFormat.PKCS8, locked),
        }
    )


ACCEPTED = [
    "ed25519",
    "ecdsa 256",
    "ecdsa 384",
    "ecdsa 521",
    "ecdsa PEM",
    "ecdsa PKCS#8",
    "rsa",
    "rsa PEM",
    "rsa PKCS#8",
]


def chained(error: BaseException | None) -> list[BaseException]:
    """The error and all that hang on it, shown or not."""
    return [] if error is None else [error, *chained(error.__cause__), *chained(error.__context__)]


def assert_says_nothing_of(secret: str, error: BaseException) -> None:
    """No eight characters in a row of the secret, its BEGIN and END lines apart, stand in the error."""
    content = re.sub(r"-----.*?-----|----.*?----", " ", secret)
    for link in chained(error):
        said = f"{link} {link!r}"
        assert not [said[at : at + 8] for at in range(len(said) - 7) if said[at : at + 8] in content]


def refusal_of(text: str) -> ValueError:
    with pytest.raises(ValueError, match=r"\Aexpected an OpenSSH private key without a passphrase, got ") as caught:
        normalise_private_key(text)
    return caught.value


@each("kind", ACCEPTED)
def test_key_is_accepted_and_normal_form_is_idempotent(keys: Keys, kind: str) -> None:
    found = normalise_private_key(keys[kind])
    assert normalise_private_key(found) == found
    assert found.endswith("-----\n")
    assert not re.search(r"\r|\n\n|^\s|[ \t]$", found, re.MULTILINE)
    assert "".join(found.split()) == "".join(keys[kind].split())


@needs_ssh_keygen
@each("kind", ACCEPTED)
def test_openssh_reads_the_normal_form_and_shows_the_same_fingerprint(keys: Keys, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(normalise_private_key("  " + keys[kind].replace("\n", "\r\n ").rstrip()))
    public = subprocess.run(["ssh-keygen", "-y", "-f", file], capture_output=True, text=True, check=True).stdout
    (tmp_path / "key.pub").write_text(public)
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[1] == fingerprint(b64decode(public_key(keys[kind]).split()[1]))


@needs_ssh_keygen
@pytest.mark.parametrize("options", [["-t", "ed25519"], ["-t", "ecdsa", "-m", "PEM"], ["-t", "ecdsa", "-m", "PKCS8"]])
def test_key_of_ssh_keygen_is_returned_unchanged(options: list[str], tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-f", tmp_path / "key", *options], check=True)
    written = (tmp_path / "key").read_text()
    assert normalise_private_key(written) == written


MENDED: dict[str, Callable[[str], str]] = {
    "CRLF": lambda key: key.replace("\n", "\r\n"),
    "CR": lambda key: key.replace("\n", "\r"),
    "no newline at the end": lambda key: key.rstrip(),
    "blank lines around": lambda key: f"\n \n{key}\n\n",
    "blank lines inside": lambda key: key.replace("\n", "\n\n"),
    "trailing spaces": lambda key: key.replace("\n", " \t\n"),
    "indented": lambda key: "    " + key.replace("\n", "\n    "),
    "literal newlines": lambda key: key.replace("\n", "\\n"),
    "literal newlines in quotes": lambda key: '"' + key.replace("\n", "\\n") + '"\n',
    "literal CRLF": lambda key: key.replace("\n", "\\r\\n"),
    "newlines folded into spaces": lambda key: key.replace("\n", " "),
    "byte order mark": lambda key: "\ufeff" + key,
    "no newlines at all": lambda key: key.replace("\n", ""),
    "single quotes": lambda key: f"'{key}'",
}


@each(
    ("kind", "mangle"),
    [
        (kind, mangle)
        for number, mangle in enumerate(MENDED.values())
        for kind in ("ed25519", ("rsa PEM", "ecdsa PKCS#8")[number % 2])
    ],
)
def test_paste_faults_are_mended(keys: Keys, kind: str, mangle: Callable[[str], str]) -> None:
    assert normalise_private_key(mangle(keys[kind])) == normal(keys[kind])


@uses_shared_keys
@given(st.lists(st.sampled_from(["\n", "\r\n", "\n\n", " ", "\t\n  ", "\\n"]), min_size=40, max_size=40))
def test_any_mix_of_line_ends_is_mended(keys: Keys, ends: list[str]) -> None:
    key = keys["ed25519"]
    lines = key.splitlines()
    assert normalise_private_key("".join(map("".join, zip(lines, ends, strict=False)))) == normal(key)


def test_curve_parameters_before_a_key_are_dropped(keys: Keys) -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert normalise_private_key(parameters + keys["ecdsa PEM"]) == normalise_private_key(keys["ecdsa PEM"])


def as_openssh(public: str) -> str:
    return public.split()[1]


def edited(key: str, edit: Callable[[bytes], bytes]) -> str:
    """A key in OpenSSH's format with its content changed."""
    label, *body = key.splitlines()[:-1]
    content = edit(b64decode("".join(body)))
    return "\n".join([label, b64encode(content).decode(), label.replace("BEGIN", "END")])


def another_seed(ed25519_key: bytes) -> bytes:
    """One bit of the secret seed changed, while both copies of the public half stay whole."""
    content = bytearray(ed25519_key)
    content[-72] ^= 1  # the seed: 32 bytes, before 32 of the public half, 4 of the comment and 5 of padding
    return bytes(content)


def compressed_point(ecdsa_256_key: bytes) -> bytes:
    """The first byte of the public point says that it is compressed."""
    return ecdsa_256_key.replace(b"\0\0\0\x41\x04", b"\0\0\0\x41\x02")


REFUSED: dict[str, tuple[Callable[[Keys], str], str, str]] = {
    "empty": (lambda keys: "", "got nothing", "ssh-keygen -t ed25519 -N ''"),
    "white space": (lambda keys: " \r\n\t\n", "got nothing", "ssh-keygen -t ed25519 -N ''"),
    "public key": (lambda keys: keys["public"], "a public key", "give the private half"),
    "public key with comment": (lambda keys: keys["public"] + " me@here\n", "a public key", "give the private half"),
    "public key with options": (lambda keys: "restrict " + keys["public"], "a public key", "give the private half"),
    "public key of a token": (
        lambda keys: "sk-ssh-ed25519@openssh.com " + as_openssh(keys["public"]),
        "a public key",
        "give the private half",
    ),
    "SSH certificate": (
        lambda keys: "ssh-ed25519-cert-v01@openssh.com " + as_openssh(keys["public"]),
        "a public key",
        "give the private half",
    ),
    "public key in PEM": (lambda keys: keys["public PEM"], "a public key", "give the private half"),
    "public RSA key in PEM": (lambda keys: keys["public RSA PEM"], "a public key", "give the private half"),
    "public key of ssh.com": (
        lambda keys: f"---- BEGIN SSH2 PUBLIC KEY ----\n{as_openssh(keys['public'])}\n---- END SSH2 PUBLIC KEY ----",
        "a public key",
        "give the private half",
    ),
    "private key of ssh.com": (
        lambda keys: (
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAAiIAAAA3\n---- END SSH2 ENCRYPTED PRIVATE KEY ----"
        ),
        "a key in the format of ssh.com",
        "ssh-keygen -i -f KEY",
    ),
    "PuTTY": (
        lambda keys: "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nPrivate-Lines: 1\r\nAAAAIEhQxs0qZVjc",
        "a PuTTY key",
        "puttygen KEY.ppk -O private-openssh -o KEY",
    ),
    "X.509 certificate": (
        lambda keys: f"-----BEGIN CERTIFICATE-----\n{as_openssh(keys['public'])}\n-----END CERTIFICATE-----\n",
        "an X.509 certificate",
        "give the private half",
    ),
    "PGP": (
        lambda keys: "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQPGBGZjZm8BCAC\n-----END PGP PRIVATE KEY BLOCK-----",
        "a PGP key",
        "ssh-keygen -t ed25519",
    ),
    "passphrase, OpenSSH": (
        lambda keys: openssh_file(b"aes256-ctr", b"ssh-ed25519"),
        "a key with a passphrase",
        "ssh-keygen -p -f KEY -N ''",
    ),
    "passphrase, PEM": (lambda keys: keys["locked PEM"], "a key with a passphrase", "ssh-keygen -p -f KEY -N ''"),
    "passphrase, PEM in one line": (
        lambda keys: keys["locked PEM"].replace("\n", " "),
        "a key with a passphrase",
        "ssh-keygen -p -f KEY -N ''",
    ),
    "passphrase, PKCS#8": (lambda keys: keys["locked PKCS#8"], "a key with a passphrase", "ssh-keygen -p -f KEY -N ''"),
    "DSA, OpenSSH": (lambda keys: openssh_file(b"none", b"ssh-dss"), "a DSA key", "ssh-keygen -t ed25519"),
    "DSA, PEM": (
        lambda keys: keys["rsa PEM"].replace("RSA PRIVATE", "DSA PRIVATE"),
        "a DSA key",
        "ssh-keygen -t ed25519",
    ),
    "hardware token": (
        lambda keys: openssh_file(b"none", b"sk-ssh-ed25519@openssh.com"),
        "the handle of a key in a hardware token",
        "ssh-keygen -t ed25519",
    ),
    "RSA of 1024 bits": (lambda keys: keys["small"], "an RSA key of 1024 bits", "ssh-keygen -t ed25519"),
    "RSA of 1024 bits, PEM": (lambda keys: keys["small PEM"], "an RSA key of 1024 bits", "ssh-keygen -t ed25519"),
    "Ed448": (lambda keys: keys["ed448"], "a type that OpenSSH does not have", "ssh-keygen -t ed25519"),
    "X25519": (lambda keys: keys["x25519"], "a type that OpenSSH does not have", "ssh-keygen -t ed25519"),
    "another curve": (lambda keys: keys["secp256k1"], "a type that OpenSSH does not have", "ssh-keygen -t ed25519"),
    "another label": (
        lambda keys: keys["rsa PEM"].replace("RSA PRIVATE", "ANY PRIVATE"),
        "a key in another format",
        "ssh-keygen -t ed25519",
    ),
    "wrong label": (
        lambda keys: keys["rsa"].replace("OPENSSH", "RSA"),
        "cut off or damaged",
        "give the whole file",
    ),
    "no END line": (lambda keys: keys["rsa"].rpartition("-----END")[0], "a key that is cut off", "give the whole file"),
    "no BEGIN line": (lambda keys: keys["rsa"].partition("\n")[2], "a key that is cut off", "give the whole file"),
    "labels differ": (
        lambda keys: keys["rsa"].replace("END OPENSSH", "END RSA"),
        "a key that is cut off",
        "give the whole file",
    ),
    "only the first line": (lambda keys: "-----BEGIN OPENSSH PRIVATE KEY-----", "cut off", "give the whole file"),
    "no content": (
        lambda keys: "-----BEGIN OPENSSH PRIVATE KEY-----\n-----END OPENSSH PRIVATE KEY-----",
        "cut off or damaged",
        "give the whole file",
    ),
    "a line is missing": (
        lambda keys: "\n".join(line for at, line in enumerate(keys["rsa"].split("\n")) if at != 3),
        "cut off or damaged",
        "give the whole file",
    ),
    "another character": (
        lambda keys: keys["ed25519"].replace("\n", "\n*", 1),
        "cut off or damaged",
        "give the whole file",
    ),
    "damaged seed": (lambda keys: edited(keys["ed25519"], another_seed), "cut off or damaged", "give the whole file"),
    "damaged point": (
        lambda keys: edited(keys["ecdsa 256"], compressed_point),
        "cut off or damaged",
        "give the whole file",
    ),
    "two keys": (lambda keys: keys["ed25519"] + keys["rsa"], "other text beside the key", "the key's file alone"),
    "both halves": (lambda keys: keys["ed25519"] + keys["public"], "other text beside the key", "the key's file alone"),
    "text before": (lambda keys: "key: " + keys["ed25519"], "other text beside the key", "the key's file alone"),
    "Base64 of the file": (
        lambda keys: b64encode(keys["ed25519"].encode()).decode(),
        "the Base64 form of a key's file",
        "base64 -d",
    ),
    "Base64 of the file in lines": (
        lambda keys: re.sub("(.{76})", r"\1\n", b64encode(keys["rsa PEM"].encode()).decode()) + "\n",
        "the Base64 form of a key's file",
        "base64 -d",
    ),
    "no BEGIN and END lines": (
        lambda keys: "".join(keys["ed25519"].splitlines()[1:-1]),
        "a key without its BEGIN and END lines",
        "give the whole file",
    ),
    "path": (lambda keys: "~/.ssh/id_ed25519", "the name of a file", "what is in the file"),
    "name of a file": (lambda keys: "id_rsa", "the name of a file", "what is in the file"),
    "something else": (lambda keys: "hunter2-hunter2", "text that is no key", "give the whole file"),
}


@each(("make", "found", "mend"), REFUSED.values(), ids=REFUSED.keys())
def test_refusal_names_the_fault_and_the_remedy_and_nothing_of_the_key(
    keys: Keys, make: Callable[[Keys], str], found: str, mend: str
) -> None:
    text = make(keys)
    error = refusal_of(text)
    assert found in str(error)
    assert mend in str(error)
    assert "\n" not in str(error)
    assert_says_nothing_of(text, error)
    with pytest.raises(ValueError, match=re.escape(str(error))):
        public_key(text)


@needs_ssh_keygen
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_key_that_ssh_keygen_locks_is_refused(form: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    # One round of key derivation: the fastest that there is.
    options = ["-t", "ecdsa", "-m", form, "-a", "1", "-N", PASSPHRASE.decode(), "-f", str(file)]
    subprocess.run(["ssh-keygen", "-q", *options], check=True)
    error = refusal_of(file.read_text())
    assert "a key with a passphrase" in str(error)
    assert_says_nothing_of(file.read_text(), error)


@uses_shared_keys
@given(st.sampled_from(["ed25519", "ecdsa PEM", "rsa PKCS#8"]), st.data())
def test_a_cut_off_key_is_refused(keys: Keys, kind: str, data: st.DataObject) -> None:
    key = keys[kind].rstrip()
    text = key[: data.draw(st.integers(0, len(key) - 1))]
    assert_says_nothing_of(text, refusal_of(text))


@uses_shared_keys
@given(st.sampled_from(["ed25519", "ecdsa PEM", "ecdsa PKCS#8", "rsa"]), st.data())
def test_a_damaged_key_is_refused_silently_or_is_still_a_key(keys: Keys, kind: str, data: st.DataObject) -> None:
    key = keys[kind]
    at = data.draw(st.integers(0, len(key) - 1))
    damaged = key[:at] + data.draw(st.characters()) + key[at + 1 :]
    try:
        normal = normalise_private_key(damaged)
    except ValueError as error:
        assert_says_nothing_of(key, error)
    else:
        # What belongs to no key: the comment, the check number, white space.
        assert public_key(normal) == public_key(key)


PIECES = [
    *(f"-----{end} {kind}PRIVATE KEY-----" for end in ("BEGIN", "END") for kind in ("", "OPENSSH ", "RSA ", "EC ")),
    *("\n", "\r\n", "\\n", " ", "Proc-Type: 4,ENCRYPTED", "b3BlbnNzaC1rZXktdjEA", "MC4CAQAwBQYDK2VwBCIEI", "=="),
]


@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES) | st.text(max_size=20)).map("".join))
def test_any_text_is_a_key_or_is_refused_in_one_line(text: str) -> None:
    message = ""
    try:
        normal = normalise_private_key(text)
    except ValueError as error:
        message = str(error)
    if message:
        assert message.startswith("expected ")
        assert "\n" not in message
    else:
        assert normalise_private_key(normal) == normal


def test_equal_keys_have_one_public_half_in_every_format(keys: Keys) -> None:
    assert len({public_key(keys[kind]) for kind in ("rsa", "rsa PEM", "rsa PKCS#8")}) == 1
    assert public_key(keys["ed25519"]) != public_key(keys["rsa"])


def test_cryptography_is_imported_only_when_a_key_is_read() -> None:
    program = "import sys, components.dags.ssh_private_key; print('cryptography' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_ed25519_key_in_pkcs8_becomes_the_same_key_in_openssh_format(keys: Keys) -> None:
    """Always the same text: another one would make another Secret with every update."""
    given_key = keys["ed25519 PKCS#8"]
    normal = normalise_private_key(given_key)
    assert normal.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert normal == normalise_private_key(given_key) == normalise_private_key(given_key.replace("\n", "\\n"))
    assert normalise_private_key(normal) == normal
    assert public_key(given_key) == public_key(keys["ed25519"]) == public_key(normal)
    raw = (Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    pairs = (load_ssh_private_key(normal.encode(), None), load_pem_private_key(given_key.encode(), None))
    assert len({key.private_bytes(*raw) for key in pairs}) == 1
