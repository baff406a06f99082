"""Arithmetic of IPv4 and IPv6 networks for NetworkPolicies, and the peers of their rules. Pure."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from typing import Any, Final

from components.kube.instance_metadata import METADATA_ADDRESSES, METADATA_IPV4

_network: Final = functools.lru_cache(maxsize=256)(ipaddress.ip_network)
METADATA: Final = tuple(str(ipaddress.ip_network(address)) for address in METADATA_ADDRESSES)
"""The instance metadata, as networks of one address."""


def overlap(networks: Iterable[str], others: Iterable[str]) -> bool:
    """Return whether two lists of IPv4 or IPv6 networks have an address in common."""
    parsed = [_network(other) for other in others]
    return any(
        network.version == other.version and network.overlaps(other)
        for network in map(_network, networks)
        for other in parsed
    )


def covered(cidr: str, outers: Iterable[str]) -> bool:
    """Return whether all of `cidr` is in one of `outers`."""
    inner = _network(cidr)
    return any(
        inner.version == outer.version and inner.network_address in outer and inner.prefixlen >= outer.prefixlen
        for outer in map(_network, outers)
    )


def within(cidrs: Iterable[str], outer: str) -> list[str]:
    """Return those of `cidrs` that are a part of `outer`, or all of it."""
    return [cidr for cidr in cidrs if covered(cidr, (outer,))]


def block(cidr: str, excluded: list[str]) -> dict[str, Any]:
    """Return a peer of a rule: a network without some of its parts."""
    return {"ipBlock": {"cidr": cidr, "except": excluded} if excluded else {"cidr": cidr}}


def namespace_peer(name: str) -> dict[str, Any]:
    """Return a peer of a rule: all pods of a namespace."""
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def with_all_metadata(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Return networks that pods do not reach, with every address of the metadata where the common one is among them."""
    if not covered(METADATA_IPV4, cidrs):
        return cidrs
    return (*cidrs, *(network for network in METADATA if not covered(network, cidrs)))
