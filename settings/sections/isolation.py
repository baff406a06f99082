"""What the network policies of the namespace allow."""

from __future__ import annotations

from components import fields
from components.network.isolation_args import Isolation, IsolationArgs
from settings.keys import Section
from settings.reading import Config

SECTION = Section("Isolation")

NETWORK_ISOLATION = SECTION.choice(
    "networkIsolation",
    Isolation,
    default=Isolation.REQUIRED,
    description="required (verification fails where the cluster does not enforce it), wanted (a warning), or off.",
)
EGRESS_EXCEPT_CIDRS = SECTION.texts(
    "egressExceptCidrs",
    fields.network,
    default=["169.254.169.254/32"],
    description="Networks that no pod reaches as a part of the outside. By default the cloud's instance metadata, "
    "which is closed at its IPv6 address too.",
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


def read_isolation(config: Config) -> IsolationArgs:
    """Return what the network policies allow."""
    return IsolationArgs(
        mode=config[NETWORK_ISOLATION],
        egress_except=config[EGRESS_EXCEPT_CIDRS],
        ui_namespaces=config[UI_NAMESPACES],
        ui_cidrs=config[UI_CIDRS],
        metrics_namespaces=config[METRICS_NAMESPACES],
    )
