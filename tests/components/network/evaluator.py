"""A small evaluator of NetworkPolicies, which knows nothing of how they are made; and who is there."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from components.chart_values.executor import Executor
from components.database import container
from components.database.backup_bucket import LABELS as BACKUP_LABELS
from components.database.migration import ADMIN_USER_LABELS, MIGRATION_LABELS
from components.network.database_place import DatabaseCidrs, DatabasePods
from components.network.isolation_rules import IsolationRules
from components.network.policies import network_policies

# The evaluator (kubernetes.io/docs/concepts/services-networking/network-policies)

OWN_NAMESPACE: Final = "airflow"

_address = functools.cache(ipaddress.ip_address)
_network = functools.cache(ipaddress.ip_network)


@dataclass(frozen=True)
class Pod:
    """A pod somewhere in the cluster, or, with an address and no namespace, something outside of it."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = OWN_NAMESPACE
    address: str = "10.244.0.9"


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    for key, value in selector.get("matchLabels", {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    return True


def is_peer(peer: Mapping[str, Any], pod: Pod, *, by_address: bool) -> bool:
    assert set(peer) <= {"podSelector", "namespaceSelector", "ipBlock"}
    if "ipBlock" in peer:
        if pod.namespace is not None and not by_address:
            return False
        address = _address(pod.address)
        inside = address in _network(peer["ipBlock"]["cidr"])
        return inside and not any(address in _network(cidr) for cidr in peer["ipBlock"].get("except", []))
    if pod.namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": pod.namespace}):
            return False
    elif pod.namespace != OWN_NAMESPACE:
        return False
    return selects(peer.get("podSelector", {}), pod.labels)


def is_open(entry: Mapping[str, Any], port: int, protocol: str) -> bool:
    """Whether an entry of a rule's ports is about this one: a port, a range, or all of a protocol."""
    assert set(entry) <= {"protocol", "port", "endPort"}
    if entry["protocol"] != protocol:
        return False
    return "port" not in entry or entry["port"] <= port <= entry.get("endPort", entry["port"])


def one_side(
    specs: Mapping[str, Any], direction: str, subject: Pod, other: Pod, port: int, protocol: str, *, by_address: bool
) -> bool:
    """Whether the policies that select `subject` let it talk with `other`: all of them together, each adding."""
    if subject.namespace != OWN_NAMESPACE:
        return True  # not under these policies
    isolated = False
    key, peers_key = (("ingress", "from"), ("egress", "to"))[direction == "Egress"]
    for spec in specs.values():
        if direction not in spec["policyTypes"] or not selects(spec["podSelector"], subject.labels):
            continue
        isolated = True
        for rule in spec.get(key, []):
            assert rule.get(peers_key), "a rule without peers allows all"
            ports = rule.get("ports")
            assert ports is None or ports, "a rule with an empty list of ports allows all"
            fits = ports is None or any(is_open(entry, port, protocol) for entry in ports)
            if fits and any(is_peer(peer, other, by_address=by_address) for peer in rule[peers_key]):
                return True
    return not isolated


def reaches(specs: Mapping[str, Any], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    """Whether `source` can open a connection to `target`.

    Whether an `ipBlock` is about pods too is left to the cluster; what is tested here must not depend on it.
    """
    answers = {
        one_side(specs, "Egress", source, target, port, protocol, by_address=by_address)
        and one_side(specs, "Ingress", target, source, port, protocol, by_address=by_address)
        for by_address in (False, True)
    }
    assert len(answers) == 1, f"whether {source} reaches {target} on {port} depends on the cluster"
    return answers.pop()


# Who is there


def component(name: str) -> Pod:
    return Pod({"tier": "airflow", "release": "airflow", "component": name})


API_SERVER, SCHEDULER = component("api-server"), component("scheduler")
DAG_PROCESSOR, TRIGGERER = component("dag-processor"), component("triggerer")
WORKER = component("worker")
TASK_POD = Pod({**WORKER.labels, "dag_id": "d", "task_id": "t", "kubernetes_executor": "True"})
REDIS, STATSD, PGBOUNCER = component("redis"), component("statsd"), component("pgbouncer")
MIGRATION, ADMIN_USER = Pod(MIGRATION_LABELS), Pod(ADMIN_USER_LABELS)
CLEANUP = component("database-cleanup")
BACKUP = Pod(BACKUP_LABELS)
EXPORTER = component("exporter")
VERIFICATION = component("verification")
POSTGRES = Pod(container.POD_LABELS)
STRANGER = Pod({"app": "something-else"})
DNS = Pod({"k8s-app": "kube-dns"}, "kube-system", "10.96.0.10")
NODE_LOCAL_DNS = Pod(namespace=None, address="169.254.20.10")
INTERNET = Pod(namespace=None, address="140.82.112.3")
INTERNET6 = Pod(namespace=None, address="2606:50c0::153")
METADATA_SERVICE = Pod(namespace=None, address="169.254.169.254")
METADATA_ADDRESSES = (
    "169.254.169.254",
    "fd00:ec2::254",
    "fd20:ce::254",
    "168.63.129.16",
    "100.100.100.200",
    "169.254.42.42",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
)
METADATA_SERVICES = tuple(Pod(namespace=None, address=address) for address in METADATA_ADDRESSES)
KUBERNETES_API = Pod(namespace=None, address="10.96.0.1")
INGRESS, PROMETHEUS = Pod({}, "ingress-nginx"), Pod({}, "monitoring")
KEDA = Pod({"app": "keda-operator", "app.kubernetes.io/name": "keda-operator"}, "keda")
OTHER_KEDA_POD = Pod({"app": "keda-admission-webhooks"}, "keda")
POD_IDENTITY = (Pod(namespace=None, address="169.254.170.23"), Pod(namespace=None, address="fd00:ec2::23"))
OTHER_NAMESPACE = Pod(API_SERVER.labels, "somebody-elses")
EXTERNAL_DATABASE = Pod(namespace=None, address="10.0.32.7")
EXTERNAL_DATABASE6 = Pod(namespace=None, address="fd00:1::7")

AIRFLOW: Final = {
    "api-server": API_SERVER,
    "scheduler": SCHEDULER,
    "dag-processor": DAG_PROCESSOR,
    "triggerer": TRIGGERER,
    "worker": WORKER,
    "task pod": TASK_POD,
}
PODS: Final = {
    **AIRFLOW,
    "redis": REDIS,
    "statsd": STATSD,
    "pgbouncer": PGBOUNCER,
    "migration": MIGRATION,
    "admin user": ADMIN_USER,
    "cleanup": CLEANUP,
    "exporter": EXPORTER,
    "verification": VERIFICATION,
    "postgres": POSTGRES,
    "stranger": STRANGER,
}
WORKERS: Final = (WORKER, TASK_POD)
CLIENTS: Final = (API_SERVER, SCHEDULER, DAG_PROCESSOR, TRIGGERER)
JOBS: Final = (MIGRATION, ADMIN_USER)

IN_NAMESPACE: Final = DatabasePods(labels=container.POD_LABELS, port=5432)
OUTSIDE: Final = DatabaseCidrs(cidrs=("10.0.32.0/20", "fd00:1::/64"), port=5433)
SHARED: Final = DatabaseCidrs(cidrs=("10.0.32.0/20", "fd00:1::/64"), port=5433, shared=True)


def policies(
    executor: Executor = Executor.CELERY,
    database: DatabasePods | DatabaseCidrs = IN_NAMESPACE,
    pgbouncer: bool = False,
    egress_except: tuple[str, ...] = ("169.254.169.254/32",),
    ui_namespaces: tuple[str, ...] = (),
    metrics_namespaces: tuple[str, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    return network_policies(
        IsolationRules(
            release_name="airflow",
            executor=executor,
            database=database,
            pgbouncer=pgbouncer,
            egress_except=egress_except,
            ui_namespaces=ui_namespaces,
            metrics_namespaces=metrics_namespaces,
            **more,
        )
    )


def database_of(database: DatabasePods | DatabaseCidrs) -> tuple[Pod, ...]:
    return (POSTGRES,) if isinstance(database, DatabasePods) else (EXTERNAL_DATABASE, EXTERNAL_DATABASE6)
