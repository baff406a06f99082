"""Who answers the pods' DNS queries: pods of a namespace, or addresses. A value type without Pulumi resources."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from components.kube.ports import LAST_PORT

_PORT: Final = 53
_WITH_PORT: Final = re.compile(r"(?P<address>\[[^\]]*\]|[^:]*):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, kw_only=True)
class DnsServer:
    """The DNS of a cluster, or one of several."""

    namespace: str | None = None
    """Namespace of its pods, or None where it has an address."""
    cidr: str | None = None
    """IPv4 or IPv6 network of its address, or None where it has a namespace."""
    port: int = _PORT
    """Port that it listens on, by UDP and TCP. A policy sees the pod's port, not the Service's."""


DEFAULT_DNS: Final = (DnsServer(namespace="kube-system"), DnsServer(cidr="169.254.20.10/32"))
"""kube-dns or CoreDNS, and the NodeLocal DNSCache (kubernetes.io/docs/tasks/administer-cluster/nodelocaldns)."""


@functools.lru_cache(maxsize=64)
def parse_dns_server(text: str) -> DnsServer:
    """Return the server that `NAMESPACE`, `ADDRESS`, `NAMESPACE:PORT` or `ADDRESS:PORT` names. Raises ValueError."""
    match = _WITH_PORT.fullmatch(text)
    place, port = (match["address"], int(match["port"])) if match else (text, _PORT)
    if not 1 <= port <= LAST_PORT:
        raise ValueError(f"expected a port from 1 to {LAST_PORT}, found {port}")
    address = _address(place.removeprefix("[").removesuffix("]"))
    if address is not None:
        return DnsServer(cidr=address, port=port)
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", place):
        raise ValueError("expected a namespace or an address, with :PORT where it is not 53, found something else")
    return DnsServer(namespace=place, port=port)


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_network(ipaddress.ip_address(text)))
    except ValueError:
        return None
