"""The complete set of NetworkPolicy specs of a deployment. Pure.

All traffic is denied in both directions; each rule below then allows one thing that a component needs. Traffic between
a node and its own pods (kubelet probes, port-forward) is never subject to a NetworkPolicy.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from components.database import pgbouncer
from components.database.backup_bucket import LABELS as BACKUP_LABELS
from components.database.migration import ADMIN_USER_LABELS, MIGRATION_LABELS
from components.kube.ports import LAST_PORT
from components.network import pods
from components.network.addresses import block, covered, namespace_peer, with_all_metadata, within
from components.network.database_place import DatabaseCidrs, DatabasePods
from components.network.dns import DnsServer
from components.network.extra_egress import API_SERVER_PORTS, BACKUP, extra_egress_rules
from components.network.isolation_rules import IsolationRules

_POD_IDENTITY = ("169.254.170.23/32", "fd00:ec2::23/128")  # docs.aws.amazon.com/eks: agent of EKS Pod Identity
_POD_IDENTITY_PORT = 80
_HTTPS: Final = 443


def network_policies(rules: IsolationRules) -> dict[str, Any]:
    """Return the specs by name, in a fixed order."""
    return _Policies(rules).specs()


class _Policies:
    def __init__(self, rules: IsolationRules) -> None:
        self.rules = rules
        database = rules.database
        self.excepted = with_all_metadata(rules.egress_except)
        excluded = self.excepted + (database.cidrs if isinstance(database, DatabaseCidrs) else ())
        self.outside = [
            block("0.0.0.0/0", [cidr for cidr in excluded if ":" not in cidr]),
            block("::/0", [cidr for cidr in excluded if ":" in cidr]),
        ]
        shared = database.cidrs if isinstance(database, DatabaseCidrs) and database.shared else ()
        self.beside_database = [
            block(cidr, within(self.excepted, cidr)) for cidr in shared if not covered(cidr, rules.egress_except)
        ]
        self.database_peers: list[dict[str, Any]] = (
            [{"podSelector": {"matchLabels": database.labels}}]
            if isinstance(database, DatabasePods)
            else [{"ipBlock": {"cidr": cidr}} for cidr in database.cidrs]
        )
        self.clients = (
            *pods.DATABASE_CLIENTS,
            *([pods.CLEANUP] if rules.database_cleanup else []),
            *([pods.EXPORTER] if rules.exporter else []),
        )

    def specs(self) -> dict[str, dict[str, Any]]:
        rules = self.rules
        specs = {
            "default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            "dns": self.dns(),
            "api-server": self.api_server(),
            "scheduler": self.scheduler(),
            "dag-processor": self.policy(
                self.component("dag-processor"),
                ingress=self.git_sync_scraped() or None,
                egress=[
                    *self.to_database(),
                    self.to_statsd(),
                    *self.to_outside(),
                    *(self.to_pod_identity() if rules.secrets_in_aws else []),
                ],
            ),
            "triggerer": self.policy(
                self.component("triggerer"),
                ingress=[
                    self.allow("from", [self.peer("api-server")], pods.TRIGGERER_LOG_PORT),
                    *self.git_sync_scraped(),
                ],
                egress=[*self.to_database(), self.to_statsd(), *self.to_outside(), *self.to_pod_identity()],
            ),
            "worker": self.worker(),
            "statsd": self.policy(
                self.component("statsd"),
                ingress=[
                    self.allow("from", [self.airflow()], pods.STATSD_PORT, protocol="UDP"),
                    *self.scraped(pods.STATSD_METRICS_PORT),
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
        if rules.executor.celery and rules.broker is None:
            specs["redis"] = self.policy(
                self.component("redis"),
                ingress=[self.allow("from", [self.peer("scheduler"), self.peer("worker")], pods.REDIS_PORT)],
            )
        if rules.database_cleanup:
            specs[pods.CLEANUP] = self.policy(self.component(pods.CLEANUP), egress=self.to_database())
        if rules.backup_bucket:
            specs[BACKUP] = self.policy(
                {"matchLabels": BACKUP_LABELS},
                egress=[
                    self.allow("to", self.database_peers, rules.database.port),
                    *self.to_outside(_HTTPS),
                    *self.to_pod_identity(),
                ],
            )
        if rules.exporter:
            specs[pods.EXPORTER] = self.policy(
                self.component(pods.EXPORTER), ingress=self.scraped(pods.EXPORTER_PORT), egress=self.to_database()
            )
        if rules.verification:
            specs[pods.VERIFICATION] = self.policy(
                self.component(pods.VERIFICATION),
                egress=[self.allow("to", [self.peer("api-server")], pods.API_SERVER_PORT), self.to_statsd()],
            )
        if rules.pgbouncer:
            clients = [self.peer(client) for client in self.clients]
            if rules.keda_namespace is not None:
                clients += [
                    namespace_peer(rules.keda_namespace) | {"podSelector": {"matchLabels": labels}}
                    for labels in pods.KEDA_OPERATOR
                ]
            specs["pgbouncer"] = self.policy(
                self.component("pgbouncer"),
                ingress=[
                    self.allow("from", clients, pgbouncer.PORT),
                    *self.scraped(pods.PGBOUNCER_METRICS_PORT),
                ],
                egress=[self.allow("to", self.database_peers, rules.database.port)],
            )
        if isinstance(rules.database, DatabasePods):
            specs["postgres"] = self.postgres(rules.database)
        for entry in (*([rules.broker] if rules.broker else []), *rules.extra_egress):
            database = rules.database if isinstance(rules.database, DatabaseCidrs) else None
            for component in entry.components:
                if component == BACKUP and not rules.backup_bucket:
                    continue  # of an entry for all
                specs[component]["egress"] += extra_egress_rules(entry, self.excepted, database)
        return specs

    def dns(self) -> dict[str, Any]:
        egress = []
        for number in dict.fromkeys(server.port for server in self.rules.dns):
            servers = [server for server in self.rules.dns if server.port == number]
            ports = [{"protocol": protocol, "port": number} for protocol in ("UDP", "TCP")]
            egress.append({"to": [_dns_peer(server) for server in servers], "ports": ports})
        return self.policy({}, egress=egress)

    def api_server(self) -> dict[str, Any]:
        proxies: list[dict[str, Any]] = [*map(namespace_peer, self.rules.ui_namespaces)]
        proxies += [{"ipBlock": {"cidr": cidr}} for cidr in self.rules.ui_cidrs]
        ingress = [self.allow("from", [self.airflow(), *proxies], pods.API_SERVER_PORT)]
        if proxies and self.rules.ui_closed_port is not None:
            ingress.append(self.allow("from", proxies, self.rules.ui_closed_port))
        return self.policy(
            self.component("api-server"),
            ingress=ingress,
            egress=[
                *self.to_database(),
                self.to_statsd(),
                self.allow("to", [self.peer("worker")], pods.WORKER_LOG_PORT),
                self.allow("to", [self.peer("triggerer")], pods.TRIGGERER_LOG_PORT),
                # For single sign-on and remote logs; with KubernetesExecutor also the Kubernetes API, to read pod logs.
                *self.to_outside(*API_SERVER_PORTS),
                *self.to_pod_identity(),
            ],
        )

    def scheduler(self) -> dict[str, Any]:
        egress = [
            *self.to_database(),
            self.to_statsd(),
            self.allow("to", [self.peer("api-server")], pods.API_SERVER_PORT),
        ]
        egress += self.to_redis()
        if self.rules.executor.kubernetes:
            egress += self.to_outside(443, 6443)
        return self.policy(self.component("scheduler"), egress=egress)

    def worker(self) -> dict[str, Any]:
        egress = [
            self.allow("to", [self.peer("api-server")], pods.API_SERVER_PORT),
            self.to_statsd(),
            *self.to_outside(),
            *self.to_pod_identity(),
        ]
        egress += self.to_redis()
        return self.policy(
            self.component("worker"),
            ingress=[self.allow("from", [self.peer("api-server")], pods.WORKER_LOG_PORT), *self.git_sync_scraped()],
            egress=egress,
        )

    def postgres(self, database: DatabasePods) -> dict[str, Any]:
        clients = ("pgbouncer",) if self.rules.pgbouncer else self.clients
        peers = [self.peer(client) for client in clients]
        jobs = (MIGRATION_LABELS, ADMIN_USER_LABELS, *([BACKUP_LABELS] if self.rules.backup_bucket else []))
        peers += [{"podSelector": {"matchLabels": labels}} for labels in jobs]
        return self.policy({"matchLabels": database.labels}, ingress=[self.allow("from", peers, database.port)])

    def to_database(self) -> list[dict[str, Any]]:
        if self.rules.pgbouncer:
            return [self.allow("to", [self.peer("pgbouncer")], pgbouncer.PORT)]
        return [self.allow("to", self.database_peers, self.rules.database.port)]

    def to_redis(self) -> list[dict[str, Any]]:
        """Allow the stack's own Redis; the way to a broker outside is opened beside it."""
        if not self.rules.executor.celery or self.rules.broker is not None:
            return []
        return [self.allow("to", [self.peer("redis")], pods.REDIS_PORT)]

    def to_statsd(self) -> dict[str, Any]:
        return self.allow("to", [self.peer("statsd")], pods.STATSD_PORT, protocol="UDP")

    def to_outside(self, *ports: int) -> list[dict[str, Any]]:
        """Allow all ports, or some TCP ports; in networks shared with a database, all ports except the database's."""
        outside: dict[str, Any] = {"to": self.outside}
        if ports:
            outside["ports"] = _tcp(ports)
        if not self.beside_database:
            return [outside]
        closed = self.rules.database.port
        beside = _tcp(port for port in ports if port != closed) if ports else _all_but(closed)
        return [outside, {"to": self.beside_database, "ports": beside}] if beside else [outside]

    def to_pod_identity(self) -> list[dict[str, Any]]:
        """Allow the agent's address: `egress_except` may cover it, and the API server may use few outside ports."""
        if not self.rules.pod_identity:
            return []
        peers = [{"ipBlock": {"cidr": cidr}} for cidr in _POD_IDENTITY]
        return [self.allow("to", peers, _POD_IDENTITY_PORT)]

    def scraped(self, port: int) -> list[dict[str, Any]]:
        peers = [namespace_peer(name) for name in self.rules.metrics_namespaces]
        return [self.allow("from", peers, port)] if peers else []

    def git_sync_scraped(self) -> list[dict[str, Any]]:
        return [] if self.rules.git_sync_metrics is None else self.scraped(self.rules.git_sync_metrics)

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


def _dns_peer(server: DnsServer) -> dict[str, Any]:
    return block(server.cidr, []) if server.cidr is not None else namespace_peer(server.namespace or "")


def _tcp(ports: Iterable[int]) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": port} for port in ports]


def _all_but(port: int) -> list[dict[str, Any]]:
    """Return every TCP port except one, and all of UDP."""
    ranges = [(1, port - 1), (port + 1, LAST_PORT)]
    tcp = [{"protocol": "TCP", "port": first, "endPort": last} for first, last in ranges if first <= last]
    return [*tcp, {"protocol": "UDP"}]
