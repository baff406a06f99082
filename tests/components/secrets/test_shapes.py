"""Keys are recognised by what they are, and what is no key is left alone."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Iterator
from typing import Any, Final

from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from components.chart_values import chart_defaults
from components.dags.known_hosts import published_known_hosts
from components.database import access, container
from components.keys import airflow_keys
from components.kube.safe_yaml import load_yaml
from components.secrets.generated import LENGTHS, looks_generated
from components.secrets.masker import SHOWN, Masker
from components.secrets.shape import Shape
from components.secrets.shapes import SHAPES, harmless, key_shape
from policy.model import walk
from tests import samples
from tests.cases import each

LETTERS_AND_DIGITS: Final = string.ascii_letters + string.digits
DOCKER_CONFIG: Final = '{"auths": {"registry.example.com": {"auth": "dXNlcjpwYXNz"}}}'

KEYS: Final = {
    "a private key": [
        samples.ssh_private_key(),
        samples.ssh_private_key().replace("\n", "\\n"),
        f"key: |\n  {samples.ssh_private_key()}",
        "-----BEGIN RSA PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "PuTTY-User-Key-File-3: ssh-ed25519",
    ],
    "a private key in Base64": [
        base64.b64encode(samples.ssh_private_key().encode()).decode(),
        samples.ssh_private_key().splitlines()[1] + "\n" + samples.ssh_private_key().splitlines()[2],
    ],
    "a URI with a password": [
        "postgresql://airflow:hunter2@db.example.com:5432/airflow",
        "redis://:hunter2@redis:6379/0",
        "broker_url = redis://:p%40ss@redis/0\n",
        "https://robot:token@git.example.com/dags.git",
        "postgresql://airflow:hun/ter2@db.example.com/airflow",
        "http://host:8080/x?y=a@b,redis://:hunter2@redis",
    ],
    "credentials of a registry": [DOCKER_CONFIG],
    "JSON with a password": ['{"conn_type": "http", "password": "hunter2"}', '{"clientSecret": "hunter2"}'],
    "a header with a login": ["Authorization: Basic dXNlcjpwYXNz=", 'curl -H "Private-Token: hunter2" https://host'],
    "an access key of AWS": ["AKIAIOSFODNN7EXAMPLE"],
    "a token of GitHub": ["ghp_" + "a1B2" * 9, "github_pat_" + "a1B2" * 12],
    "a token of GitLab": ["glpat-" + "a1B2" * 5],
    "a token of Slack": ["xoxb-123456789012-abcdef"],
    "a key of Google": ["AIza" + "a1B2c" * 7],
    "a JSON Web Token": ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r"],
    "a Fernet key": [
        samples.sentinels()["fernetKey"],
        samples.ESCROWED["fernet_key"],
        f"{samples.sentinels()['fernetKey']},{samples.ESCROWED['fernet_key']}",
        f"fernet_key={samples.sentinels()['fernetKey']}",
        f"fernet_key = {samples.sentinels()['fernetKey']}",
        "+/" + "Ab" * 20 + "A=",
    ],
    "text that looks like a generated key": [
        "k3Jt9vQm2ZxR7pLw8NbY4sFd6HgT1cVaEuXo5PiK",
        "wJalrXUt9FEMI/K7MDENG/bPxRfiCYzq3T8vLm2c",
        "secret_key = k3Jt9vQm2ZxR7pLw8NbY4sFd6HgT1cVaEuXo5PiK",
    ],
}


@given(
    st.one_of(
        *(
            st.tuples(st.just(item), st.from_regex(item.pattern, fullmatch=True))
            for item in SHAPES
            if item.needs != ("",)
        )
    )
)
def test_text_of_a_shape_has_what_the_shape_needs(found: tuple[Shape, str]) -> None:
    """Also where its letters are capitals, or stand for others as the sign of kelvin does."""
    shape, text = found
    has_it = any(needed in text.casefold() for needed in shape.needs)
    assert has_it or not any(map(shape.holds, shape.pattern.finditer(text)))


@each("kind", KEYS)
def test_key_is_recognised_alone_and_in_other_text(kind: str) -> None:
    for text in KEYS[kind]:
        assert key_shape(text) == kind
        assert key_shape(f"export X='{text}' && run") == kind


@each("kind", KEYS)
def test_masker_hides_every_shape(kind: str) -> None:
    for text in KEYS[kind]:
        shown = Masker().text(f"before '{text}'")
        assert SHOWN in shown
        assert shown.startswith("before '")
        for secret in (text, "hunter2", "hun/ter2", "dXNlcjpwYXNz", "p%40ss"):
            assert secret not in shown, text


SECRET: Final = "Zq8Rt2Vw5yKx7Lm3Pn9Q"
LONG: Final = SECRET * 2
HEX: Final = "9f86d081884c7d659a2feaa0c55ad015"
IN_LOGS: Final = (
    *(f"SG.{SECRET}.{LONG}", f"sk_live_{LONG}", f"rk_test_{LONG}", f"pypi-AgEIcHlwaS5vcmc{LONG}", f"npm_{LONG}"[:40]),
    *(f"dapi{HEX}", f"hf_{LONG}", f"sk-proj-{LONG}", f"sk-ant-api03-{LONG}", f"sk-{LONG}", f"hvs.{LONG}"),
    *(f"dop_v1_{HEX}{HEX}", f"lin_api_{LONG}", f"ATATT3xFfGF0{LONG}", f"123456789:AA{LONG}", f"glsa_{LONG}_0123abcd"),
    *(
        f"NRAK-{SECRET.upper()}7ABCDEF",
        f"ya29.{LONG}",
        f"GOCSPX-{LONG}",
        f"AGE-SECRET-KEY-1{LONG.upper()}{LONG.upper()}",
    ),
    *(f"Cookie: session={LONG}", f"Set-Cookie: session={LONG}; HttpOnly", f"machine h login u password {SECRET}"),
    *(f"    client-key-data: {LONG}", f"sshpass -p {SECRET} ssh h", f"redis-cli -h redis -a {SECRET} ping"),
    *(f"<password>{SECRET}</password>", f"ALTER USER x WITH PASSWORD '{SECRET}'", f"IDENTIFIED  BY '{SECRET}'"),
    *(f"Authorization: Bearer {SECRET}", f"X-Api-Key: {SECRET}", f"private-token: {SECRET}"),
    *(f'{{User:"x", Password:"{SECRET}"}}', f'{{"name": "DB_PASSWORD", "value": "{SECRET}"}}'),
    *(f"AccountKey={LONG}==;EndpointSuffix=x", f"jdbc:postgresql://h/db?user=x&password={SECRET}", f"Pwd={SECRET};"),
)
"""As tasks, their tools and the services that they call write secrets into logs and errors."""


@each("text", IN_LOGS)
def test_secret_in_a_log_is_hidden_by_its_beginning_or_its_place(text: str) -> None:
    shown = Masker().text(f"before\n{text}\nafter")
    assert not [part for part in (SECRET, SECRET.upper(), HEX) if part in shown]
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter")


WORDS: Final = (
    *("sk-learn-contrib-with-a-long-name", "user 'airflow' has no password", "hf_transfer"),
    *(
        '"name": "TOKEN", "value": "$(TOKEN)"',
        "<token>{{ x }}</token>",
        "<password></password>",
        "login to the registry, then a password",
        "Cookie: none",
    ),
)


@each("text", WORDS)
def test_what_only_looks_like_that_stays(text: str) -> None:
    assert Masker().text(text) == text


@given(st.binary(min_size=32, max_size=32))
def test_every_fernet_key_is_one(data: bytes) -> None:
    assert key_shape(base64.urlsafe_b64encode(data).decode()) == "a Fernet key"


def test_fernet_s_own_keys_are_recognised() -> None:
    assert key_shape(Fernet.generate_key().decode()) == "a Fernet key"


@each("length", LENGTHS)
def test_generated_keys_are_told_from_words(length: int) -> None:
    """Nearly all: of 24 characters, one in ten has no two digits, or letters of a kind that stand together."""
    chance = random.Random(length)
    words = ["".join(chance.choices(LETTERS_AND_DIGITS, k=length)) for _ in range(1000)]
    assert sum(map(looks_generated, words)) >= (880 if length == 24 else 990)


def test_lengths_are_those_of_the_generated_keys() -> None:
    made = {
        value
        for module in (airflow_keys, access, container)
        for name, value in vars(module).items()
        if name.endswith("_LENGTH")
    }
    assert made == set(LENGTHS)


NO_KEYS: Final = (
    "",
    "latest",
    "AirflowDatabaseMigration",  # 24 letters
    "AwsEksPodIdentityAgentV1",  # 24, with a digit
    "airflow-database-pgbouncer-config-e08657",
    samples.DIGEST,
    samples.DIGEST.removeprefix("sha256:"),
    f"apache/airflow@{samples.DIGEST}",
    "SHA256:" + "a1B2c3D4" * 5 + "a1B",
    "https://github.com/apache/airflow.git",
    "git@github.com:example/dags.git",
    "postgresql://airflow@db.example.com/airflow",
    "postgresql://$(USER):$(PASSWORD)@db.example.com/airflow",
    "postgresql://user:${PASSWORD}@db.example.com/airflow",
    "postgresql://USER:<password>@HOST/NAME",
    "postgresql://user:***@db.example.com/airflow",
    "aws://",
    "http://host:8080/x?y=a@b",
    "http://[::1]:8080/x@y",
    "global-rds-certificate-bundle-of-2024",
    '{"password": "$PASSWORD", "token": "<token>"}',
    '{"auths": {}}',
    "X-Api-Key: <key>",
    "Private-Token: ${TOKEN}",
    "arn:aws:acm:eu-central-1:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
    "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
    "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    "-----BEGIN PUBLIC KEY-----\n"
    + "k3Jt9vQm2ZxR7pLw8NbY4sFd6HgT1cVaEuXo5PiKk3Jt9vQm2ZxR7pLw8NbY4sFd\n" * 3
    + "-----END PUBLIC KEY-----",
)


def test_text_that_is_no_key_is_left_alone() -> None:
    for text in NO_KEYS:
        assert key_shape(text) is None, text


def texts(value: Any) -> Iterator[str]:
    yield from (item for _, item in walk(value) if isinstance(item, str))


def test_nothing_that_is_published_or_shipped_is_a_key() -> None:
    found = [
        *texts(chart_defaults.chart_values()),
        *texts([load_yaml(path.read_text()) for path in samples.SHIPPED.glob("*.yaml")]),
        *texts(samples.schema()),
        *[str(published_known_hosts(host)) for host in ("github.com", "gitlab.com", "bitbucket.org")],
        (samples.ROOT / "certificates" / "rds-global-bundle.pem").read_text(),
        (samples.ROOT / "README.md").read_text(),
    ]
    assert [text[:60] for text in found if key_shape(text)] == []


@each("kind", KEYS)
def test_key_is_not_harmless(kind: str) -> None:
    for text in KEYS[kind]:
        for name in (text, f"x {text}", f"registry.example.com/{text}"):
            assert harmless(name) == "…"


def test_name_is_shown_and_a_long_one_shortened() -> None:
    assert harmless("airflow-scheduler") == "airflow-scheduler"
    assert len(harmless("a" * 1000)) < 200


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    key_shape(text)
    harmless(text)
