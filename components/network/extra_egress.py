"""The destinations that a config opens to components in addition to those of every deployment, such as an LDAP server.

An entry never opens the metadata database's port to anybody, nor the cloud's instance metadata: the policies except
both. A value type and pure functions, without Pulumi resources.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Any, Final

from components.network.addresses import METADATA, block, covered, namespace_peer, within
from components.network.database_place import DatabaseCidrs

BACKUP: Final = "database-backup"
"""The pods that store dumps in a bucket and fetch them."""
COMPONENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
"""The components of Airflow. Task pods are workers."""
NAMED: Final = (*COMPONENTS, BACKUP)
"""Who may be named."""

FREE_COMPONENTS: Final = ("dag-processor", "triggerer", "worker")
"""Those that reach the outside on every port already."""

API_SERVER_PORTS: Final = (443, 6443)
"""Ports outside that the API server may send to, for single sign-on, remote logs and the Kubernetes API."""
_NO_DATABASE: Final = DatabaseCidrs(cidrs=(), port=0)

Ports = tuple[int, int]
"""The first and the last port of a range."""


@unique
class Protocol(StrEnum):
    """Protocol of the opened ports."""

    TCP = "TCP"
    UDP = "UDP"


@dataclass(frozen=True, kw_only=True)
class ExtraEgress:
    """Ports of networks or namespaces that components may connect to."""

    components: tuple[str, ...]
    """Who may connect, of `NAMED`."""
    ports: tuple[Ports, ...]
    """Ranges of ports."""
    cidrs: tuple[str, ...] = ()
    """IPv4 or IPv6 networks that are opened, also those that are excepted from the outside."""
    namespaces: tuple[str, ...] = ()
    """Other namespaces whose pods are opened."""
    protocol: Protocol = Protocol.TCP
    """Protocol of the ports."""

    def opens(self, component: str, protocol: Protocol, port: int) -> bool:
        """Return whether a component may use a port of what the entry names."""
        in_ports = any(first <= port <= last for first, last in self.ports)
        return component in self.components and self.protocol is protocol and in_ports


def broker_egress(cidrs: tuple[str, ...], port: int) -> ExtraEgress:
    """Return who reaches a broker outside the stack: those that would reach the stack's own Redis."""
    return ExtraEgress(components=("scheduler", "worker"), ports=((port, port),), cidrs=cidrs)


def extra_egress_rules(
    entry: ExtraEgress, excepted: tuple[str, ...], database: DatabaseCidrs | None
) -> list[dict[str, Any]]:
    """Return the egress rules of an entry; none where it names nothing but the database's port.

    Args:
        entry: What to open.
        excepted: Networks that pods do not reach as a part of the outside. An entry opens only what it names itself.
        database: The database outside of the stack's namespace, or None. The policy of one inside admits no others.
    """
    closed = database if database is not None and entry.protocol is Protocol.TCP else _NO_DATABASE
    whole: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    for namespace in entry.namespaces:
        peers = beside if namespace == closed.namespace else whole
        peers.append(namespace_peer(namespace))
    for cidr in entry.cidrs:
        if covered(cidr, METADATA):
            continue
        kept = [each for each in within((*excepted, *METADATA), cidr) if each != cidr]
        if covered(cidr, closed.cidrs):
            beside.append(block(cidr, _outermost(kept)))
            continue
        databases = within(closed.cidrs, cidr)
        whole.append(block(cidr, _outermost([*kept, *databases])))
        beside += [
            block(each, _outermost([one for one in within(kept, each) if one != each]))
            for each in _outermost(databases)
            if not covered(each, kept)
        ]
    open_ports = tuple(_without(entry.ports, closed.port))
    return [
        {"to": peers, "ports": [_port(ports, entry.protocol) for ports in ranges]}
        for peers, ranges in ((whole, entry.ports), (beside, open_ports))
        if peers and ranges
    ]


def _without(ranges: tuple[Ports, ...], port: int) -> Iterator[Ports]:
    for first, last in ranges:
        parts = [(first, min(last, port - 1)), (max(first, port + 1), last)] if first <= port <= last else []
        yield from (part for part in parts or [(first, last)] if part[0] <= part[1])


def _port(ports: Ports, protocol: Protocol) -> dict[str, Any]:
    first, last = ports
    return {"protocol": protocol.value, "port": first} | ({"endPort": last} if last > first else {})


def _outermost(cidrs: list[str]) -> list[str]:
    """Return the networks without those that are a part of another, and each once."""
    each = list(dict.fromkeys(str(ipaddress.ip_network(cidr)) for cidr in cidrs))
    return [cidr for cidr in each if not covered(cidr, [other for other in each if other != cidr])]
