"""Checks the host of an external database or broker: a name or an address that pods can reach.

No message shows the text: it may be the URI of the database, with its password.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

from components.kube.instance_metadata import METADATA_ADDRESSES
from components.texts.fields import refuse

_LABEL: Final = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_NUMBER: Final = re.compile(r"([0-9]+|0[xX][0-9a-fA-F]*)")
"""A last label like this makes the whole name an IPv4 address in an old form (inet_aton(3)), such as 127.1."""
_LOCAL_NAMES: Final = ("localhost", "localdomain", "ip6-localhost", "ip6-loopback")
_METADATA_NAMES: Final = ("metadata.google.internal", "metadata.goog", "instance-data.ec2.internal", "instance-data")


def database_host(text: str) -> str:
    """Return a DNS name or an IP address of a database outside the pods. Raises ValueError."""
    if "://" in text or "@" in text:
        refuse(
            "expected a host name or an IP address, without port, found what looks like a URI or a login, which is not "
            "shown: give airflow:databasePort, databaseName, databaseUser and databasePassword apart"
        )
    return server_host(text, "database")


def server_host(text: str, server: str) -> str:
    """Return a DNS name or an IP address of a server outside the pods. Raises ValueError.

    Args:
        text: What was given.
        server: What the server is called in the error, such as `database`.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return _name(text, server)
    what = _why_not(address)
    if what:
        refuse(f"expected an address that pods reach the {server} at, found {what}")
    return str(address)


def outside_networks(host: str, networks: Sequence[str]) -> str | None:
    """Return what is wrong if a host is an address and in none of its networks; None if it is in one, or is a name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    given = [ipaddress.ip_network(network) for network in networks]
    if any(address in network for network in given):
        return None
    if all(network.version != address.version for network in given):
        return f"expected a network of IPv{address.version}, as the host's address is, found IPv{given[0].version} only"
    return "expected a network with the host's address in it, found none"


def _name(text: str, server: str) -> str:
    if not _NAME.fullmatch(text):
        refuse("expected a host name or an IP address, without port, found something else")
    labels = text.lower().split(".")
    if _NUMBER.fullmatch(labels[-1]):
        refuse("expected a host name, or an IPv4 address of four numbers, found an address in another form")
    if labels[-1] in _LOCAL_NAMES or labels[0] in _LOCAL_NAMES:
        refuse(f"expected a host that pods reach the {server} at, found localhost, which is the pod itself")
    if text.lower() in _METADATA_NAMES:
        refuse(f"expected the host of a {server}, found the cloud's instance metadata")
    return text


def _why_not(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str | None:
    """Return what an address is that no database has, or None."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return "an IPv4 address in IPv6's form: write it as IPv4"
    if str(address) in METADATA_ADDRESSES:
        return "the cloud's instance metadata"
    if address.is_loopback:
        return "a loopback address, which is the pod itself"
    if address.is_unspecified or (address.version == 4 and int(address) < 1 << 24):
        return "an address that stands for no host"
    if address.is_link_local:
        return "a link-local address, which is another host on each node"
    return "a multicast or reserved address" if address.is_multicast or int(address) == 0xFFFFFFFF else None
