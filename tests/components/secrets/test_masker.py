"""No known secret is in what is shown, however it stands there; and what is none stays readable."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dags.git_repository import parse_git_repository
from components.dags.known_hosts import pinned_known_hosts
from components.dags.ssh_private_key import new_private_key, public_key
from components.secrets.encodings import ssh_public_half
from components.secrets.masker import CHANGED, SHOWN, Masker, masks, without_digests
from tests import samples
from tests.cases import each
from tests.quoted import FORMS

KEY = b"a key"
SECRET = "S3cret:with/odd@chars%and+more, ü and 'quotes'"


def leaks(secret: str, text: str) -> bool:
    """Twelve characters in a row of the secret, as it is or decoded."""
    return any(secret[at : at + 12] in text for at in range(len(secret) - 11))


@each("form", FORMS)
def test_secret_is_hidden_in_every_form(form: str) -> None:
    written = FORMS[form](SECRET)
    shown = without_digests(Masker(KEY, [SECRET]).text(written))
    assert SHOWN in shown
    assert not leaks(SECRET, shown)
    decoded = shown.replace(SHOWN, "")
    assert len(decoded) <= len(written) - len(SECRET) // 2, shown


@pytest.mark.parametrize(
    "written",
    [
        r'{"password":"p\u003c4ss\u0026w0rd\u003ex ü\u2028\"end"}',
        r'"{\"password\":\"p\\u003c4ss\\u0026w0rd\\u003ex ü\\u2028\\\"end\"}"',
        r'{"password":"p<4ss&w0rd>x ü' + "\u2028" + r'\"end"}',
    ],
    ids=["in JSON of Go", "in JSON of Go in JSON of Go", "in JSON that is not for HTML"],
)
def test_secret_is_hidden_as_go_quotes_it(written: str) -> None:
    shown = without_digests(Masker(KEY, ['p<4ss&w0rd>x ü\u2028"end']).text(written))
    assert SHOWN in shown
    assert not [part for part in ("4ss", "w0rd", "x ü", "end") if part in shown]


@each("key", sorted(samples.sentinels()))
def test_every_kind_of_secret_is_hidden(key: str) -> None:
    secret = samples.sentinels()[key]
    for written in (secret, json.dumps({"x": secret}), base64.b64encode(secret.encode()).decode()):
        shown = Masker(KEY, [secret]).text(f"before {written} after")
        assert shown.startswith("before ")
        assert shown.endswith(" after")
        for trace in samples.traces(key, secret):
            assert trace not in shown
            assert json.dumps(trace)[1:-1] not in shown


SLOW = (
    "://a:",
    "-",
    '"',
    "mysql -p ",
    "://a",
    '{"password": "',
    "password=" + "a." * 40,
    "-----BEGIN CERTIFICATE-----\n",
)


@each("part", SLOW)
def test_no_text_keeps_the_masker_busy(part: str) -> None:
    """Each of these texts was read again from each of its places: minutes for what a task can write into a log."""
    shown = Masker(KEY, [SECRET]).text(f"{part * (50_000 // len(part))}({SECRET}")
    assert "odd@chars" not in shown


@given(secret=st.text(min_size=12, max_size=60), before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_secret_survives(secret: str, before: str, after: str) -> None:
    masker = Masker(KEY, [secret])
    assert secret not in without_digests(masker.text(f"{before}{secret}{after}"))


@each("at", range(len(SECRET) - 11))
def test_any_twelve_characters_of_a_secret_are_hidden(at: int) -> None:
    assert without_digests(Masker(KEY, [SECRET]).text(f"|{SECRET[at : at + 12]}|")) == f"|{SHOWN}|"


def test_what_is_learned_between_two_texts_is_hidden_in_the_second_one() -> None:
    masker = Masker(secrets=["elderberry-1"])
    assert masker.text("elderberry-1, tangerine-1") == "[secret], tangerine-1"
    masker.learn("tangerine-1")
    masker.learn_wrapped(["a lemon beside a cherry"])
    assert masker.text("elderberry-1, tangerine-1, a lemon beside a cherry") == "[secret], [secret], [secret]"


@given(st.text(max_size=200))
def test_masking_twice_is_masking_once(text: str) -> None:
    masker = Masker(KEY, [SECRET])
    once = masker.text(f"{text}{SECRET}")
    assert masker.text(once) == once


def test_masker_that_knows_more_leaves_the_first_as_it_was() -> None:
    first = Masker(secrets=["elderberry", "a pear beside an apple"])
    more = first.knowing(["tangerine", "a lemon beside a cherry"])
    text = "elderberry, a pear beside an apple, tangerine, a lemon beside a cherry"
    assert first.text(text) == "[secret], [secret], tangerine, a lemon beside a cherry"
    assert more.text(text) == "[secret], [secret], [secret], [secret]"


def test_parts_that_are_secrets_are_hidden_alone() -> None:
    fernet = ",".join(base64.urlsafe_b64encode(bytes([index]) * 32).decode() for index in (1, 2))
    docker = json.dumps({"auths": {"registry.test": {"auth": base64.b64encode(b"robot:the-password-itself").decode()}}})
    masker = Masker(KEY, [fernet, docker, "https://user:the-token-in-it@host/path"])
    for text in (*fernet.split(","), "the-password-itself", "the-token-in-it"):
        assert without_digests(masker.text(text)) == SHOWN
    assert masker.text("registry.test") == "registry.test", "the registry is no secret"
    assert masker.text("-----BEGIN OPENSSH") == "-----BEGIN OPENSSH"


def test_short_parts_of_a_list_or_of_a_uri_are_hidden_alone() -> None:
    masker = Masker(KEY, ["ab,zebra-7x", "https://user:t0k3n-9@host/path"])
    for text in ("zebra-7x", "t0k3n-9"):
        assert without_digests(masker.text(f"x {text} y")) == f"x {SHOWN} y"


def test_a_short_secret_is_hidden_where_it_is_marked_alone() -> None:
    """Else nobody could read a report of a stack whose password is `admin`."""
    masker = Masker(KEY, ["admin"])
    assert masker.text("airflow-keys-admin-password") == "airflow-keys-admin-password"
    assert without_digests(masker.secret("admin")) == SHOWN


def test_a_secret_of_a_few_characters_is_hidden_whole() -> None:
    masker = Masker(KEY, ["pa55w0rd"])
    assert without_digests(masker.text("x pa55w0rd y")) == f"x {SHOWN} y"
    assert masker.text("pa55w0r") == "pa55w0r"


def test_what_is_marked_is_hidden_leaf_by_leaf() -> None:
    marked = {"user": "x", "deep": [1, True, None, {"more": "y"}]}
    shown = without_digests(Masker(KEY).secret(marked))
    assert shown == {"user": SHOWN, "deep": [SHOWN, SHOWN, None, {"more": SHOWN}]}


def test_a_marked_value_is_hidden_elsewhere_too() -> None:
    masker = Masker(KEY)
    masker.learn_wrapped({"connection": "made of secrets by the program"})
    assert without_digests(masker.text("see: made of secrets by the program.")) == f"see: {SHOWN}."
    assert masker.text("connection") == "connection", "the key of a map is none"


def test_host_keys_and_certificates_stay_although_they_stand_beside_a_key() -> None:
    masker = Masker(KEY, [samples.ssh_private_key()])
    certificate = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ\n-----END CERTIFICATE-----\n"
    hosts = pinned_known_hosts(None, parse_git_repository(samples.SSH_REPOSITORY))
    masker.learn_wrapped({"known_hosts": hosts, "ca.crt": certificate})
    assert masker.text(hosts) == hosts
    assert masker.text(certificate) == certificate


SHAPES = {
    "private key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----",
    "private key that is cut off": "-----BEGIN PRIVATE KEY-----\nMIIEvQ",
    "Fernet key": "c2VudGluZWwtZmVybmV0LWtleS1vZi0zMi1ieXRlcyE=",
    "JSON Web Token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkw{'a' * 8}.c2lnbmF0dXJl",
    "token of GitHub": "ghp_" + "a1B2" * 9,
    "access key of AWS": "AKIA" + "ABCD1234" * 2,
}


def test_what_looks_like_a_secret_is_hidden() -> None:
    for shape in SHAPES:
        assert without_digests(Masker(KEY).text(f'before "{SHAPES[shape]}"')).startswith(f'before "{SHOWN}')
        assert SHAPES[shape][-6:] not in Masker(KEY).text(f"before {SHAPES[shape]}")


def test_password_in_a_uri_is_hidden_and_the_rest_stays() -> None:
    shown = without_digests(Masker(KEY).text("postgresql+psycopg2://airflow:hunter2@db.test:5432/airflow"))
    assert shown == f"postgresql+psycopg2://airflow:{SHOWN}@db.test:5432/airflow"


def test_what_is_no_secret_stays() -> None:
    for text in [
        "https://github.com/apache/airflow.git",
        "http://airflow-api-server:8080/execution/",
        "sha256:" + "0123456789abcdef" * 4,
        "arn:aws:rds:eu-central-1:123456789012:airflow-prod",
        "git@github.com:example/dags.git",
        "e862ea47e13e634cf17d476323784fa27dac20015550c230953b526182f5cac8",
    ]:
        assert Masker(KEY, [SECRET]).text(text) == text


def test_secret_objects_are_hidden_although_nobody_marked_them() -> None:
    masker = Masker(KEY)
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "data": {"key": "dmFsdWU="}}
    assert without_digests(masker.kubernetes_object(manifest)) == {**manifest, "data": {"key": SHOWN}}
    inputs = masker.inputs("aws:rds/instance:Instance", {"password": "plain", "username": "airflow"})
    assert without_digests(inputs) == {"password": SHOWN, "username": "airflow"}


def test_digests_tell_whether_a_secret_changed_and_nothing_else() -> None:
    one, same, other = (Masker(KEY).secret(text) for text in ("a", "a", "b"))
    assert one == same != other
    assert Masker(b"another key").secret("a") != one
    assert without_digests(other, masks(one)) == CHANGED
    assert without_digests(same, masks(one)) == SHOWN
    assert without_digests(f"x {other} y") == f"x {SHOWN} y"


def test_a_part_that_changes_is_seen_within_a_text() -> None:
    masker = Masker(KEY, ["first-password-1", "second-password-2"])
    before, after = (masker.text(f"redis://:{word}@redis") for word in ("first-password-1", "second-password-2"))
    assert before != after
    assert without_digests(before) == without_digests(after)


def test_each_of_several_places_gets_one_mask() -> None:
    secret = "sentinel-password-0123456789"
    assert Masker(secrets=[secret]).text(f"{secret} and {secret}, {secret}") == "[secret] and [secret], [secret]"


def test_public_half_of_a_deploy_key_is_shown_and_its_private_half_is_not() -> None:
    """Somebody must register it at the Git host; the private key's file repeats it."""
    private = new_private_key()
    masker = Masker(secrets=[private])
    assert base64.b64encode(ssh_public_half(private)).decode() == public_key(private).split()[1]
    told = f"register this deploy key: {public_key(private)}"
    assert masker.text(told) == told
    for line in private.splitlines()[1:-1]:
        assert "[secret" in masker.text(line)
    assert masker.text("".join(private.splitlines()[1:-1])) == "[secret]"


def test_public_half_is_shown_whichever_secret_holds_the_key_too() -> None:
    """A connection may have the deploy key as one of its values."""
    private = new_private_key()
    connection = json.dumps({"extra": {"private_key": private}})
    for secrets in ([private, connection], [connection, private]):
        masker = Masker(secrets=secrets)
        assert masker.text(public_key(private)) == public_key(private)
        assert masker.text("".join(private.splitlines()[1:-1])) == "[secret]"


def test_public_half_is_shown_although_a_text_was_masked_before_the_key_was_learned() -> None:
    private = new_private_key()
    masker = Masker(secrets=[json.dumps({"extra": {"private_key": "".join(private.splitlines()[1:-1])}})])
    assert "[secret]" in masker.text(public_key(private))
    masker.learn(private)
    assert masker.text(public_key(private)) == public_key(private)
