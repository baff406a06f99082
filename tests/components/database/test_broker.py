"""A broker's URL: what is read from it, how pods get it, and that no refusal shows it."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.database.broker import broker_url
from tests.cases import each

VERIFIED = "?ssl_cert_reqs=required&ssl_check_hostname=true"


@each(
    ("text", "whole"),
    [
        ("redis://broker.test", "redis://broker.test:6379/0"),
        ("redis://broker.test:6380/", "redis://broker.test:6380/0"),
        ("redis://:p@broker.test/15", "redis://:p@broker.test:6379/15"),
        ("redis://me:a:b@10.0.0.7/1", "redis://me:a%3Ab@10.0.0.7:6379/1"),
        ("redis://[fd00::7]:6380/2", "redis://[fd00::7]:6380/2"),
        ("rediss://broker.test/0", f"rediss://broker.test:6379/0{VERIFIED}"),
        ("rediss://broker.test/0?ssl_cert_reqs=CERT_REQUIRED", f"rediss://broker.test:6379/0{VERIFIED}"),
        (f"rediss://broker.test/0{VERIFIED}", f"rediss://broker.test:6379/0{VERIFIED}"),
    ],
)
def test_url_of_pods_is_whole_and_verifies_the_server(text: str, whole: str) -> None:
    found = broker_url(text)
    assert found.whole == whole
    assert found.tls is whole.startswith("rediss")
    assert broker_url(found.whole) == found, "it is read as it was written"


@given(st.text(min_size=1), st.text(min_size=1))
def test_any_login_survives_encoded(user: str, password: str) -> None:
    from urllib.parse import quote

    try:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    except UnicodeEncodeError:
        return
    split = urlsplit(broker_url(f"rediss://{login}@broker.test/3").whole)
    assert (unquote(split.username or ""), unquote(split.password or "")) == (user, password)
    assert parse_qs(split.query) == {"ssl_cert_reqs": ["required"], "ssl_check_hostname": ["true"]}
    assert not set(split.netloc) & set("$ \n"), "Airflow would expand it"


@each(
    ("text", "told"),
    [
        ("amqp://u:sentinel@sentinel.test/", "RabbitMQ"),
        ("sentinel://:sentinel@sentinel.test:26379/0", "Sentinel"),
        ("sqs://sentinel", "another scheme"),
        ("http://sentinel.test", "another scheme"),
        ("sentinel.test:6379", "redis://USER:PASSWORD"),
        ("redis://:sentinel/x@sentinel.test/0", "percent-encoded"),
        ("redis://a.test,sentinel.test/0", "a host name"),
        ("redis://:sentinel@localhost:6379/0", "reach the broker at, found localhost"),
        ("redis://169.254.169.254/0", "instance metadata"),
        ("redis://sentinel.test:0/0", "a port"),
        ("redis://sentinel.test:65536/0", "a port"),
        ("redis://sentinel.test/queue", "percent-encoded"),
        ("redis://sentinel@host.test/0", "a password beside the user"),
        ("rediss://sentinel.test/0?ssl_cert_reqs=none", "are verified"),
        ("rediss://sentinel.test/0?ssl_check_hostname=false", "are verified"),
        ("redis://sentinel.test/0?ssl_cert_reqs=required", "rediss://"),
        ("rediss://sentinel.test/0?db=sentinel", "no options"),
        ("redis://sentinel.test/0?virtual_host=1", "no options"),
    ],
)
def test_refusal_tells_what_is_wrong_and_shows_nothing(text: str, told: str) -> None:
    with pytest.raises(ValueError, match="expected") as refused:
        broker_url(text)
    assert told in str(refused.value)
    assert "sentinel" not in str(refused.value)


def test_representation_has_no_password() -> None:
    assert "sentinel" not in repr(broker_url("redis://:sentinel@broker.test/0"))
