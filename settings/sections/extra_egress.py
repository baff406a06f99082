"""Entries of airflow:extraEgress: their form, and whether each opens something that may be opened."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from components.kube.ports import LAST_PORT
from components.network.addresses import METADATA, covered, overlap
from components.network.database_place import DatabaseCidrs
from components.network.extra_egress import (
    FREE_COMPONENTS,
    NAMED,
    ExtraEgress,
    Ports,
    Protocol,
    extra_egress_rules,
)
from components.texts import fields

DATABASE_ALONE: Final = "expected more than the metadata database's port, which stays closed, found nothing else"
_ALL: Final = "all"
_KEYS: Final = ("components", "cidrs", "namespaces", "ports", "protocol")


def parse_entry(entry: Mapping[str, Any]) -> ExtraEgress:
    """Return an entry. Raises ValueError with what was expected and found."""
    unknown = sorted(set(entry) - set(_KEYS))
    if unknown:
        fields.refuse(f"expected the keys {', '.join(_KEYS)}, found {fields.shown(unknown[0])}")
    components = _texts(entry, "components")
    bad = [name for name in components if name not in (*NAMED, _ALL)]
    if bad or not components:
        found = fields.shown(bad[0]) if bad else "none"
        fields.refuse(f"expected components of {', '.join(NAMED)}, or all, found {found}")
    cidrs, namespaces = _texts(entry, "cidrs"), _texts(entry, "namespaces")
    if not cidrs and not namespaces:
        fields.refuse("expected networks in cidrs, or names in namespaces, found neither")
    protocol = entry.get("protocol", Protocol.TCP.value)
    if protocol not in tuple(Protocol):
        fields.refuse(f"expected protocol TCP or UDP, found {fields.shown(protocol)}")
    return ExtraEgress(
        components=NAMED if _ALL in components else tuple(dict.fromkeys(components)),
        cidrs=tuple(map(_cidr, cidrs)),
        namespaces=tuple(map(fields.dns_label, namespaces)),
        ports=_ports(entry.get("ports")),
        protocol=Protocol(protocol),
    )


def entry_problem(
    entry: ExtraEgress, *, excepted: tuple[str, ...], database: DatabaseCidrs | None, known: bool, namespace: str
) -> str | None:
    """Return what is wrong with an entry in its stack, or None.

    Args:
        entry: What to open.
        excepted: Networks that pods do not reach as a part of the outside.
        database: The database outside of the namespace, or None.
        known: Whether this is where the database is. AWS tells the networks of a managed one later.
        namespace: Namespace of the stack.
    """
    if namespace in entry.namespaces:
        return f"expected namespaces other than the stack's own, whose pods have their rules, found {namespace}"
    if not extra_egress_rules(entry, excepted, database):
        return DATABASE_ALONE
    databases = database.cidrs if database else ()
    free = known and set(entry.components) <= set(FREE_COMPONENTS) and not entry.namespaces
    if free and not any(covered(cidr, excepted) or overlap([cidr], databases) for cidr in entry.cidrs):
        return (
            f"expected networks that are closed to {' and '.join(entry.components)}, found only some that they "
            "reach on every port already"
        )
    return None


def _texts(entry: Mapping[str, Any], key: str) -> list[str]:
    found = entry.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        fields.refuse(f"expected a list of texts in {key}, found {fields.shown(found)}")
    return found


def _cidr(text: str) -> str:
    """Return a network. All addresses are one too: the policies except the database and the metadata from it."""
    if "/" not in text:
        fields.refuse(f"expected networks with a prefix length, such as 10.0.0.7/32, found {fields.shown(text)}")
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        fields.refuse(f"expected networks such as 10.0.0.0/16 with no host bits, found {fields.shown(text)}")
    if covered(str(network), METADATA):
        fields.refuse(f"expected no instance metadata, which stays closed to pods, found {network}")
    if network.prefixlen and (network.is_loopback or network.is_multicast or network.is_unspecified):
        fields.refuse(f"expected networks of other hosts, found {network}, which is the pod itself or no host")
    return str(network)


def _ports(value: Any) -> tuple[Ports, ...]:
    found = value if isinstance(value, list) else [value]
    ranges = tuple(_range(item) for item in found)
    if value is None or not ranges or None in ranges:
        fields.refuse(f"expected ports from 1 to {LAST_PORT} such as [636] or [8000-8010], found {fields.shown(value)}")
    return tuple(each for each in ranges if each is not None)


def _range(item: Any) -> Ports | None:
    first, dash, last = str(item).partition("-")
    if isinstance(item, bool) or not first.isdecimal() or (dash and not last.isdecimal()):
        return None
    ports = int(first), int(last or first)
    return ports if 1 <= ports[0] <= ports[1] <= LAST_PORT else None
