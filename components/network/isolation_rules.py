"""What decides which NetworkPolicies a deployment has. Value types without Pulumi resources."""

from __future__ import annotations

from dataclasses import dataclass

from components.chart_values.executor import Executor
from components.network.database_place import DatabaseCidrs, DatabasePods
from components.network.dns import DEFAULT_DNS, DnsServer
from components.network.extra_egress import ExtraEgress


@dataclass(frozen=True, kw_only=True)
class IsolationRules:
    """The parts of a stack that decide which policies exist, and what they allow."""

    release_name: str
    """Value of the chart's label `release`."""
    executor: Executor
    """Executors, which need Redis, standing workers, or access to the Kubernetes API."""
    database: DatabasePods | DatabaseCidrs
    """Where the metadata database is."""
    pgbouncer: bool
    """Whether there is a pooler in front of the database."""
    egress_except: tuple[str, ...]
    """CIDRs that "the outside" never includes."""
    ui_namespaces: tuple[str, ...]
    """Namespaces, such as an ingress controller's, whose pods may call the API server."""
    metrics_namespaces: tuple[str, ...]
    """Namespaces, such as Prometheus's, whose pods may scrape metrics."""
    ui_cidrs: tuple[str, ...] = ()
    """Networks, such as a load balancer's subnets, that may call the API server."""
    ui_closed_port: int | None = None
    """Port without a listener that callers of the API server may also use, so that it is refused at once; or None."""
    keda_namespace: str | None = None
    """Namespace of KEDA's operator, which asks PgBouncer how many workers are needed; or None."""
    database_cleanup: bool = False
    """Whether the chart's job that deletes old rows runs."""
    backup_bucket: bool = False
    """Whether dumps of the database go to a bucket."""
    exporter: bool = False
    """Whether the program's own exporter runs."""
    verification: bool = False
    """Whether a DAG is run by a schedule, through the API server."""
    git_sync_metrics: int | None = None
    """Port at which git-sync serves metrics, or None."""
    pod_identity: bool = False
    """Whether pods get the cloud's credentials from the agent of EKS Pod Identity."""
    secrets_in_aws: bool = False
    """Whether the DAG processor is one of these pods, to read secrets."""
    dns: tuple[DnsServer, ...] = DEFAULT_DNS
    """Who answers the DNS queries of every pod."""
    broker: ExtraEgress | None = None
    """The broker outside the stack that Celery uses, or None for Redis in the namespace."""
    extra_egress: tuple[ExtraEgress, ...] = ()
    """What components may reach beside what every deployment needs."""
