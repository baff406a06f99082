"""Which secrets anybody guesses."""

from __future__ import annotations

import base64
import secrets

import pytest
from cryptography.fernet import Fernet

from components.secrets.weak import fernet_weakness, weakness
from tests import samples
from tests.cases import each


@each(
    ("secret", "says"),
    [
        ("x", "one repeated character"),
        ("a" * 64, "one repeated character"),
        ("   ", "blanks only"),
        ("\t ", "blanks only"),
        ("abab" * 16, "two characters"),
        ("airflow", "a common word"),
        ("Airflow123!", "a common word"),
        ("CHANGEME", "a common word"),
        ("change-me", "a common word"),
        ("secret" * 11, "a common word"),
        ("adminadmin", "a common word"),
        ("airflow-admin", "a common word"),
        ("P@ssw0rd", "a common word"),
        ("P4$$w0rd!", "a common word"),
        ("prod-airflow", "a common word"),
        ("postgres-airflow-prod", "a common word"),
        ("change-me-please-now", "a common word"),
        ("YOUR_PASSWORD_HERE", "a common word"),
        ("default_jwt_secret_value", "a common word"),
        ("12345678", "a row"),
        ("qwertyuiop123", "a row"),
        ("Kx7", "fewer than 6 characters"),
        ("x9Kq2", "fewer than 6 characters"),
        ("abcdefghijklmnop", "a row"),
    ],
)
def test_guessable_secret_is_named_by_kind(secret: str, says: str) -> None:
    found = weakness(secret)
    assert found is not None
    assert says in found


@each(
    "secret",
    ["correct horse battery staple", "tr0ub4dor&3", "airflow of the harbour 7", "sentinel-password", "Kx7-q2"],
)
def test_other_secret_is_accepted(secret: str) -> None:
    assert weakness(secret) is None


@pytest.mark.parametrize("size", [24, 40, 64])
def test_random_secret_is_accepted(size: int) -> None:
    assert weakness(secrets.token_urlsafe(size)) is None
    assert weakness(secrets.token_hex(size)) is None


def test_samples_are_strong() -> None:
    """Tests use them for stacks that are protected."""
    values = samples.sentinels()
    assert fernet_weakness(values["fernetKey"]) is None
    assert [
        key for key in ("apiSecretKey", "jwtSecret", "redisPassword", "adminPassword") if weakness(values[key])
    ] == []


@each("content", [bytes(32), b"\xff" * 32, b"a" * 32, b"password" * 4, b" " * 32])
def test_fernet_key_of_one_byte_or_a_word_is_weak(content: bytes) -> None:
    key = base64.urlsafe_b64encode(content).decode()
    for keys in (key, f"{Fernet.generate_key().decode()},{key}"):
        found = fernet_weakness(keys)
        assert found is not None
        assert found.startswith("a key of ")


def test_generated_fernet_keys_are_strong() -> None:
    assert fernet_weakness(",".join(Fernet.generate_key().decode() for _ in range(20))) is None
