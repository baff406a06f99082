"""The complete set of NetworkPolicy specs of a deployment: pure, so that all of it can be tested and read.

Everything is denied in both directions; each rule below then names one thing that a component needs. Traffic between a
node and its own pods (kubelet probes, port-forward) is never subject to a NetworkPolicy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from components import pgbouncer
from components.database_migration import ADMIN_USER_LABELS, MIGRATION_LABELS
from components.executor import Executor

API_SERVER_PORT: Final = 8080
WORKER_LOG_PORT: Final = 8793
TRIGGERER_LOG_PORT: Final = 8794
REDIS_PORT: Final = 6379
STATSD_PORT: Final = 9125
STATSD_METRICS_PORT: Final = 9102
PGBOUNCER_METRICS_PORT: Final = 9127
"""`ports` of the chart's values.yaml (tested against it)."""

DATABASE_CLIENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer")
"""Components that read and write the metadata database. Workers are not among them."""
_NODE_LOCAL_DNS = "169.254.20.10/32"  # kubernetes.io/docs/tasks/administer-cluster/nodelocaldns


@dataclass(frozen=True, kw_only=True)
class DatabasePods:
    """A database in the same namespace: its pods' labels and port."""

    labels: dict[str, str]
    port: int


@dataclass(frozen=True, kw_only=True)
class DatabaseCidrs:
    """A database outside the cluster: where it may be (IPv4 or IPv6 CIDRs) and its port."""

    cidrs: tuple[str, ...]
    port: int


@dataclass(frozen=True, kw_only=True)
class IsolationRules:
    """What decides the set.

    release_name: the chart's label `release`.
    executor: brings Redis, standing workers, or access to the Kubernetes API.
    database: where the metadata database is.
    pgbouncer: a pooler stands in front of it.
    egress_except: CIDRs that "the outside" never includes.
    ui_namespaces: namespaces (of an ingress controller) whose pods may call the API server.
    metrics_namespaces: namespaces (of Prometheus) whose pods may scrape.
    """

    release_name: str
    executor: Executor
    database: DatabasePods | DatabaseCidrs
    pgbouncer: bool
    egress_except: tuple[str, ...]
    ui_namespaces: tuple[str, ...]
    metrics_namespaces: tuple[str, ...]


def network_policies(rules: IsolationRules) -> dict[str, Any]:
    """Specs by name, in a fixed order."""
    return _Policies(rules).specs()


class _Policies:
    def __init__(self, rules: IsolationRules) -> None:
        self.rules = rules
        database = rules.database
        excluded = rules.egress_except + (database.cidrs if isinstance(database, DatabaseCidrs) else ())
        self.outside = [
            {"ipBlock": _block("0.0.0.0/0", [cidr for cidr in excluded if ":" not in cidr])},
            {"ipBlock": _block("::/0", [cidr for cidr in excluded if ":" in cidr])},
        ]
        self.database_peers: list[dict[str, Any]] = (
            [{"podSelector": {"matchLabels": database.labels}}]
            if isinstance(database, DatabasePods)
            else [{"ipBlock": {"cidr": cidr}} for cidr in database.cidrs]
        )

    def specs(self) -> dict[str, dict[str, Any]]:
        rules = self.rules
        specs = {
            "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            "dns": self.dns(),
            "api-server": self.api_server(),
            "scheduler": self.scheduler(),
            "dag-processor": self.policy(
                self.component("dag-processor"), egress=[*self.to_database(), self.to_statsd(), self.to_outside()]
            ),
            "triggerer": self.policy(
                self.component("triggerer"),
                ingress=[self.allow("from", [self.peer("api-server")], TRIGGERER_LOG_PORT)],
                egress=[*self.to_database(), self.to_statsd(), self.to_outside()],
            ),
            "worker": self.worker(),
            "statsd": self.policy(
                self.component("statsd"),
                ingress=[
                    self.allow("from", [self.airflow()], STATSD_PORT, protocol="UDP"),
                    *self.scraped(STATSD_METRICS_PORT),
                ],
            ),
            "database-jobs": self.policy(
                {
                    "matchExpressions": [
                        {
                            "key": "component",
                            "operator": "In",
                            "values": [MIGRATION_LABELS["component"], ADMIN_USER_LABELS["component"]],
                        }
                    ]
                },
                egress=[self.allow("to", self.database_peers, rules.database.port)],
            ),
        }
        if rules.executor.celery:
            specs["redis"] = self.policy(
                self.component("redis"),
                ingress=[self.allow("from", [self.peer("scheduler"), self.peer("worker")], REDIS_PORT)],
            )
        if rules.pgbouncer:
            specs["pgbouncer"] = self.policy(
                self.component("pgbouncer"),
                ingress=[
                    self.allow("from", [self.peer(client) for client in DATABASE_CLIENTS], pgbouncer.PORT),
                    *self.scraped(PGBOUNCER_METRICS_PORT),
                ],
                egress=[self.allow("to", self.database_peers, rules.database.port)],
            )
        if isinstance(rules.database, DatabasePods):
            specs["postgres"] = self.postgres(rules.database)
        return specs

    def dns(self) -> dict[str, Any]:
        peers = [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
            {"ipBlock": {"cidr": _NODE_LOCAL_DNS}},
        ]
        ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
        return self.policy({}, egress=[{"to": peers, "ports": ports}])

    def api_server(self) -> dict[str, Any]:
        callers = [self.airflow(), *map(_namespace, self.rules.ui_namespaces)]
        return self.policy(
            self.component("api-server"),
            ingress=[self.allow("from", callers, API_SERVER_PORT)],
            egress=[
                *self.to_database(),
                self.to_statsd(),
                self.allow("to", [self.peer("worker")], WORKER_LOG_PORT),
                self.allow("to", [self.peer("triggerer")], TRIGGERER_LOG_PORT),
                # Single sign-on, remote logs; with KubernetesExecutor also the Kubernetes API, for a running pod's log.
                self.to_outside(443, 6443),
            ],
        )

    def scheduler(self) -> dict[str, Any]:
        egress = [
            *self.to_database(),
            self.to_statsd(),
            self.allow("to", [self.peer("api-server")], API_SERVER_PORT),
        ]
        if self.rules.executor.celery:
            egress.append(self.allow("to", [self.peer("redis")], REDIS_PORT))
        if self.rules.executor.kubernetes:
            egress.append(self.to_outside(443, 6443))
        return self.policy(self.component("scheduler"), egress=egress)

    def worker(self) -> dict[str, Any]:
        egress = [
            self.allow("to", [self.peer("api-server")], API_SERVER_PORT),
            self.to_statsd(),
            self.to_outside(),
        ]
        if self.rules.executor.celery:
            egress.append(self.allow("to", [self.peer("redis")], REDIS_PORT))
        return self.policy(
            self.component("worker"),
            ingress=[self.allow("from", [self.peer("api-server")], WORKER_LOG_PORT)],
            egress=egress,
        )

    def postgres(self, database: DatabasePods) -> dict[str, Any]:
        clients = ("pgbouncer",) if self.rules.pgbouncer else DATABASE_CLIENTS
        peers = [self.peer(client) for client in clients]
        peers += [{"podSelector": {"matchLabels": labels}} for labels in (MIGRATION_LABELS, ADMIN_USER_LABELS)]
        return self.policy({"matchLabels": database.labels}, ingress=[self.allow("from", peers, database.port)])

    def to_database(self) -> list[dict[str, Any]]:
        if self.rules.pgbouncer:
            return [self.allow("to", [self.peer("pgbouncer")], pgbouncer.PORT)]
        return [self.allow("to", self.database_peers, self.rules.database.port)]

    def to_statsd(self) -> dict[str, Any]:
        return self.allow("to", [self.peer("statsd")], STATSD_PORT, protocol="UDP")

    def to_outside(self, *ports: int) -> dict[str, Any]:
        rule: dict[str, Any] = {"to": self.outside}
        if ports:
            rule["ports"] = [{"protocol": "TCP", "port": port} for port in ports]
        return rule

    def scraped(self, port: int) -> list[dict[str, Any]]:
        peers = [_namespace(name) for name in self.rules.metrics_namespaces]
        return [self.allow("from", peers, port)] if peers else []

    def component(self, name: str) -> dict[str, Any]:
        return {"matchLabels": {"tier": "airflow", "release": self.rules.release_name, "component": name}}

    def peer(self, component: str) -> dict[str, Any]:
        return {"podSelector": self.component(component)}

    def airflow(self) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": {"tier": "airflow", "release": self.rules.release_name}}}

    @staticmethod
    def allow(direction: str, peers: list[dict[str, Any]], port: int, *, protocol: str = "TCP") -> dict[str, Any]:
        return {direction: peers, "ports": [{"protocol": protocol, "port": port}]}

    @staticmethod
    def policy(
        selector: dict[str, Any],
        *,
        ingress: list[dict[str, Any]] | None = None,
        egress: list[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        spec: dict[str, Any] = {"podSelector": selector, "policyTypes": []}
        for direction, allowed in (("ingress", ingress), ("egress", egress)):
            if allowed is not None:
                spec["policyTypes"].append(direction.capitalize())
                spec[direction] = allowed
        return spec


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _block(cidr: str, excluded: list[str]) -> dict[str, Any]:
    return {"cidr": cidr, "except": excluded} if excluded else {"cidr": cidr}
