"""What the network policies of the namespace allow."""

from __future__ import annotations

from typing import Final

from components.network.addresses import METADATA, covered
from components.network.database_place import database_cidrs
from components.network.dns import DEFAULT_DNS, parse_dns_server
from components.network.isolation_args import Isolation, IsolationArgs
from components.texts import fields
from settings.keys import Section
from settings.reading import Config
from settings.sections.cluster import NAMESPACE
from settings.sections.database import CIDRS, DATABASE, HOST, PORT, DatabaseKind
from settings.sections.extra_egress import entry_problem, parse_entry

SECTION = Section("Isolation")

_DNS_PORT: Final = 53


def _dns_server(text: str) -> str:
    server = parse_dns_server(text)
    if server.cidr is not None and covered(server.cidr, METADATA) and server.port != _DNS_PORT:
        fields.refuse(f"expected instance metadata on port 53 only, found port {server.port}")
    return text


NETWORK_ISOLATION = SECTION.choice(
    "networkIsolation",
    Isolation,
    default=Isolation.REQUIRED,
    description="required (verify fails if the cluster does not enforce it), wanted (verify warns), or off.",
)
EGRESS_EXCEPT_CIDRS = SECTION.texts(
    "egressExceptCidrs",
    fields.network,
    default=["169.254.169.254/32"],
    description="Networks outside the cluster that pods do not reach, unless extraEgress names a part. The default is "
    "the cloud's instance metadata, which is closed at its other addresses too. A list of your own replaces it: name "
    "169.254.169.254/32 there as well.",
)
UI_NAMESPACES = SECTION.texts(
    "uiNamespaces",
    fields.dns_label,
    description="Namespaces, such as an ingress controller's, whose pods may call the API server.",
)
UI_CIDRS = SECTION.texts(
    "uiCidrs",
    fields.network,
    check_all=fields.not_everybody,
    description="Networks, such as a load balancer's subnets, that may call the API server.",
)
METRICS_NAMESPACES = SECTION.texts(
    "metricsNamespaces",
    fields.dns_label,
    description="Namespaces, such as Prometheus's, whose pods may scrape metrics.",
)
CLUSTER_DNS = SECTION.texts(
    "clusterDns",
    _dns_server,
    default=["kube-system", "169.254.20.10"],
    description="Where pods ask for DNS: NAMESPACE or ADDRESS, with :PORT if it is not 53. On OpenShift it is "
    "openshift-dns:5353, with Cloud DNS on GKE 169.254.169.254.",
)
EXTRA_EGRESS = SECTION.entries(
    "extraEgress",
    parse_entry,
    description="More that components may reach, such as LDAP: a list of maps with components (or all), cidrs or "
    "namespaces, ports, and protocol TCP or UDP. The database and instance metadata stay closed.",
)


def read_isolation(config: Config) -> IsolationArgs:
    """Return what the network policies allow."""
    _check_dns(config)
    _check_extra_egress(config)
    return IsolationArgs(
        mode=config[NETWORK_ISOLATION],
        egress_except=config[EGRESS_EXCEPT_CIDRS],
        ui_namespaces=config[UI_NAMESPACES],
        ui_cidrs=config[UI_CIDRS],
        metrics_namespaces=config[METRICS_NAMESPACES],
        dns=tuple(map(parse_dns_server, config[CLUSTER_DNS])),
        extra_egress=config[EXTRA_EGRESS],
    )


def _check_dns(config: Config) -> None:
    """Note DNS servers that no pod would find a host with, or that would open another thing."""
    servers = [parse_dns_server(text) for text in config[CLUSTER_DNS]]
    if config.bad(CLUSTER_DNS, NETWORK_ISOLATION):
        return
    if not servers:
        config.problem(
            CLUSTER_DNS,
            "expected a namespace or an address, found none: no pod would find any host",
            f"pulumi config set --path '{CLUSTER_DNS.full}[0]' kube-system",
        )
    elif config[NETWORK_ISOLATION] is Isolation.OFF and tuple(servers) != DEFAULT_DNS:
        config.must_not_be_set(CLUSTER_DNS, f"with {NETWORK_ISOLATION.full} off, where nothing is closed")
    elif any(server.namespace == config[NAMESPACE] or server.port == config[PORT] for server in servers):
        config.problem(
            CLUSTER_DNS,
            "expected neither the stack's own namespace nor the database's port, found one of them",
            f"pulumi config set --path '{CLUSTER_DNS.full}[0]' kube-system",
        )


def _check_extra_egress(config: Config) -> None:
    """Note entries that open nothing. The networks of a managed database are AWS's to tell (see `aws_lookup.py`)."""
    entries = config[EXTRA_EGRESS]
    if not entries or config.bad(EXTRA_EGRESS, NETWORK_ISOLATION, EGRESS_EXCEPT_CIDRS, NAMESPACE, DATABASE, CIDRS):
        return
    if config[NETWORK_ISOLATION] is Isolation.OFF:
        config.must_not_be_set(EXTRA_EGRESS, f"with {NETWORK_ISOLATION.full} off, where nothing is closed")
        return
    kind = config[DATABASE]
    database = None
    if kind is DatabaseKind.EXTERNAL:
        database = database_cidrs(config[HOST] or "", config[CIDRS], config[PORT])
    for number, entry in enumerate(entries):
        problem = entry_problem(
            entry,
            excepted=config[EGRESS_EXCEPT_CIDRS],
            database=database,
            known=kind is not DatabaseKind.MANAGED,
            namespace=config[NAMESPACE],
        )
        if problem is not None:
            fix = f"edit {EXTRA_EGRESS.full} in Pulumi.STACK.yaml"
            config.problem(EXTRA_EGRESS, f"entry {number}: {problem}", fix, one_of_many=True)
