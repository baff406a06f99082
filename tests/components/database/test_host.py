"""Where an external database may be, and that a refusal never repeats what was given."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.database.host import database_host, outside_networks
from tests.cases import each


@each("text", ["db", "db.example.internal", "10.0.0.1", "fd00::1", "a-1.b", "localhost-db.test"])
def test_name_or_address_is_returned(text: str) -> None:
    assert database_host(text) == text


REFUSED = {
    "nothing": ("", "without port"),
    "port": ("db:5432", "without port"),
    "login": ("airflow:hunter2", "without port"),
    "hyphen first": ("-db", "without port"),
    "dot last": ("db.", "without port"),
    "empty label": ("a..b", "without port"),
    "space": ("a b", "without port"),
    "line end": ("a\n", "without port"),
    "long label": ("a" * 64, "without port"),
    "underscore": ("a_b", "without port"),
    "URI": ("postgresql://airflow:hunter2@db.test/airflow", "a URI or a login"),
    "URI without a login": ("https://db", "databaseUser and databasePassword apart"),
    "user": ("airflow:hunter2@db.test", "a URI or a login"),
    "localhost": ("localhost", "the pod itself"),
    "localhost in capitals": ("LOCALHOST", "the pod itself"),
    "localhost with a domain": ("localhost.localdomain", "the pod itself"),
    "name under localhost": ("db.localhost", "the pod itself"),
    "loopback": ("127.0.0.1", "loopback"),
    "another loopback": ("127.8.9.1", "loopback"),
    "loopback of IPv6": ("::1", "loopback"),
    "loopback in short": ("127.1", "another form"),
    "loopback as a number": ("2130706433", "another form"),
    "loopback in hexadecimal": ("0x7f000001", "another form"),
    "mapped loopback": ("::ffff:127.0.0.1", "IPv6's form"),
    "no host": ("0.0.0.0", "no host"),  # noqa: S104
    "no host of IPv6": ("::", "no host"),
    "this network": ("0.1.2.3", "no host"),
    "metadata": ("169.254.169.254", "instance metadata"),
    "metadata of IPv6": ("fd00:ec2::254", "instance metadata"),
    "metadata of Google by IPv6": ("fd20:ce::254", "instance metadata"),
    "metadata of Azure": ("168.63.129.16", "instance metadata"),
    "metadata in long": ("fd00:0ec2:0::0254", "instance metadata"),
    "metadata of Google": ("metadata.google.internal", "instance metadata"),
    "link-local": ("169.254.1.1", "link-local"),
    "link-local of IPv6": ("fe80::1", "link-local"),
    "multicast": ("224.0.0.1", "multicast"),
    "broadcast": ("255.255.255.255", "reserved"),
}


@each(("text", "found"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_database_is_refused_without_being_shown(text: str, found: str) -> None:
    with pytest.raises(ValueError, match=r"^expected .*, found ") as error:
        database_host(text)
    assert found in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


@given(st.ip_addresses().map(str))
def test_address_is_accepted_in_its_one_form_or_refused(address: str) -> None:
    try:
        host = database_host(address)
    except ValueError:
        return
    assert ipaddress.ip_address(host) == ipaddress.ip_address(address)
    assert ipaddress.ip_address(host).is_loopback is False


@each(
    ("host", "networks", "says"),
    [
        ("10.0.0.1", ["10.0.0.0/24", "fd00::/8"], ""),
        ("fd00::1", ["10.0.0.0/24", "fd00::/8"], ""),
        ("db.test", ["10.0.0.0/24"], ""),
        ("10.0.1.1", ["10.0.0.0/24"], "with the host's address in it"),
        ("10.0.1.1", ["10.0.0.0/24", "fd00::/8"], "with the host's address in it"),
        ("fd00::1", ["10.0.0.0/24"], "expected a network of IPv6"),
        ("10.0.0.1", ["fd00::/8"], "expected a network of IPv4"),
    ],
)
def test_address_is_in_its_networks(host: str, networks: Sequence[str], says: str) -> None:
    problem = outside_networks(host, networks)
    assert (says in problem) if problem else not says
