"""What extra egress opens, and what it never opens, under the whole set of policies."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.network.database_place import DatabaseCidrs, DatabasePods, database_cidrs
from components.network.extra_egress import COMPONENTS, ExtraEgress, Protocol
from tests.cases import each
from tests.components.network.evaluator import (
    API_SERVER,
    IN_NAMESPACE,
    INTERNET,
    JOBS,
    METADATA_ADDRESSES,
    METADATA_SERVICES,
    OUTSIDE,
    PGBOUNCER,
    POSTGRES,
    REDIS,
    SCHEDULER,
    SHARED,
    STRANGER,
    WORKER,
    WORKERS,
    Pod,
    component,
    policies,
    reaches,
)

LDAP = Pod(namespace=None, address="192.0.2.7")
VAULT = Pod({"app": "vault"}, "vault")
EVERYTHING = ExtraEgress(components=COMPONENTS, cidrs=("0.0.0.0/0", "::/0"), ports=((1, 65535),))


def opened(*entries: ExtraEgress, **more: Any) -> dict[str, Any]:
    return policies(extra_egress=entries, **more)


def test_an_ldap_server_is_opened_to_the_api_server_alone() -> None:
    specs = opened(ExtraEgress(components=("api-server",), cidrs=("192.0.2.0/28",), ports=((636, 636),)))
    assert reaches(specs, API_SERVER, LDAP, 636)
    assert not reaches(policies(), API_SERVER, LDAP, 636), "or the test would prove nothing"
    assert not reaches(specs, API_SERVER, LDAP, 389)
    assert not reaches(specs, API_SERVER, LDAP, 636, "UDP")
    assert not reaches(specs, API_SERVER, Pod(namespace=None, address="192.0.2.16"), 636)
    for other in (SCHEDULER, REDIS, STRANGER, *JOBS):
        assert not reaches(specs, other, LDAP, 636)


def test_pods_of_another_namespace_are_opened() -> None:
    specs = opened(ExtraEgress(components=("api-server", "scheduler"), namespaces=("vault",), ports=((8200, 8201),)))
    for pod in (API_SERVER, SCHEDULER):
        assert reaches(specs, pod, VAULT, 8201)
        assert not reaches(specs, pod, VAULT, 8202)
        assert not reaches(specs, pod, Pod(VAULT.labels, "elsewhere"), 8200)
    assert not any(reaches(specs, pod, VAULT, 8200) for pod in (REDIS, STRANGER, *JOBS))


def test_a_part_of_an_excepted_network_is_opened_and_the_rest_stays_closed() -> None:
    entry = ExtraEgress(components=("worker",), cidrs=("10.1.2.0/24",), ports=((443, 443),))
    specs = opened(entry, egress_except=("10.0.0.0/8",))
    assert reaches(specs, WORKER, Pod(namespace=None, address="10.1.2.3"), 443)
    assert not reaches(specs, WORKER, Pod(namespace=None, address="10.1.2.3"), 80)
    assert not reaches(specs, WORKER, Pod(namespace=None, address="10.1.3.3"), 443)


@each("protocol", Protocol)
def test_an_opened_protocol_is_that_one(protocol: Protocol) -> None:
    entry = ExtraEgress(components=COMPONENTS, cidrs=("192.0.2.7/32",), ports=((8125, 8125),), protocol=protocol)
    for other in Protocol:
        assert reaches(opened(entry), SCHEDULER, LDAP, 8125, other.value) is (other is protocol)


# What stays closed


@each("database", [IN_NAMESPACE, OUTSIDE, SHARED], ids=["inside", "outside", "shared"])
@each("pooled", [False, True])
def test_everything_opened_to_everybody_is_not_the_database(
    database: DatabasePods | DatabaseCidrs, pooled: bool
) -> None:
    specs = opened(EVERYTHING, database=database, pgbouncer=pooled)
    inside = isinstance(database, DatabasePods)
    for target in (POSTGRES,) if inside else (Pod(namespace=None, address=a) for a in ("10.0.32.7", "fd00:1::7")):
        for worker in WORKERS:
            assert not reaches(specs, worker, target, database.port)
        assert reaches(specs, API_SERVER, target, database.port) is not pooled, "the pooler is no detour"
        if not inside:
            assert reaches(specs, WORKER, target, 443), "the port is closed, not the network"
    for worker in WORKERS:
        assert not reaches(specs, worker, PGBOUNCER, 6543)
    for metadata in METADATA_SERVICES:
        assert not any(reaches(specs, component(name), metadata, 80) for name in COMPONENTS)
    assert reaches(specs, SCHEDULER, INTERNET, 22)
    for pod in (REDIS, STRANGER, *JOBS):
        assert not reaches(specs, pod, INTERNET, 22)


def test_the_namespace_of_an_external_database_is_opened_without_its_port() -> None:
    database = database_cidrs("pg.databases.svc.cluster.local", ("10.96.0.0/12",), 5432)
    entry = ExtraEgress(components=("scheduler",), namespaces=("databases", "other"), ports=((5000, 6000),))
    specs = opened(entry, database=database, pgbouncer=True)
    pods = {name: Pod({}, name, "10.244.1.1") for name in ("databases", "other")}
    assert not reaches(specs, SCHEDULER, pods["databases"], 5432)
    assert reaches(specs, SCHEDULER, pods["databases"], 5433)
    assert reaches(specs, SCHEDULER, pods["other"], 5432)


@each(
    ("host", "namespace"),
    [
        ("pg.databases", "databases"),
        ("pg.databases.svc", "databases"),
        ("pg-rw.databases.svc.cluster.local.", "databases"),
        ("db.example.com", None),
        ("db.abc.eu-central-1.rds.amazonaws.com", None),
        ("10.0.32.7", None),
        ("localdb", None),
    ],
)
def test_a_service_s_name_tells_the_namespace(host: str, namespace: str | None) -> None:
    assert database_cidrs(host, (), 5432).namespace == namespace


def cidrs() -> st.SearchStrategy[str]:
    def network(address: Any, share: float) -> str:
        return str(ipaddress.ip_network((int(address), round(address.max_prefixlen * share)), strict=False))

    return st.builds(network, st.ip_addresses(), st.floats(0, 1))


@given(st.data())
def test_an_entry_opens_what_it_names_and_nothing_else(data: st.DataObject) -> None:
    outer, excepted = data.draw(st.lists(cidrs(), min_size=1, max_size=2)), data.draw(st.lists(cidrs(), max_size=2))
    places = data.draw(st.lists(cidrs(), min_size=1, max_size=2))
    first = data.draw(st.integers(1, 65535))
    last = data.draw(st.integers(first, 65535))
    database = DatabaseCidrs(cidrs=tuple(places), port=data.draw(st.sampled_from([first, last, 5432])))
    entry = ExtraEgress(components=("scheduler",), cidrs=tuple(outer), ports=((first, last),))
    specs = opened(entry, database=database, pgbouncer=True, egress_except=tuple(excepted))
    network = ipaddress.ip_network(data.draw(st.sampled_from([*outer, *excepted, *places])))
    address = network[data.draw(st.integers(0, network.num_addresses - 1))]
    port = data.draw(st.sampled_from([first, last, database.port, 80]))

    def inside(networks: list[str]) -> list[Any]:
        return [each for each in map(ipaddress.ip_network, networks) if address in each]

    closed = [*inside(excepted), *inside(list(METADATA_ADDRESSES))]
    named = any(not any(one.subnet_of(opened_) and one != opened_ for one in closed) for opened_ in inside(outer))
    metadata = str(address) in METADATA_ADDRESSES
    expected = named and not metadata and first <= port <= last and not (inside(places) and port == database.port)
    if str(address) != "169.254.20.10":
        assert reaches(specs, SCHEDULER, Pod(namespace=None, address=str(address)), port) is expected
