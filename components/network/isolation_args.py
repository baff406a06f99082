"""Whether the namespace is isolated, and the exceptions. A value type without Pulumi resources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from components.network.dns import DEFAULT_DNS, DnsServer
from components.network.extra_egress import ExtraEgress


@unique
class Isolation(StrEnum):
    """`required`: a cluster that does not enforce NetworkPolicies fails verification. `wanted`: it is a warning.

    `off`: no policies at all.
    """

    REQUIRED = "required"
    WANTED = "wanted"
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class IsolationArgs:
    """Network isolation of the namespace."""

    mode: Isolation
    """Whether policies are made, and whether verification fails where they are not enforced."""
    egress_except: tuple[str, ...] = ()
    """CIDRs that no pod reaches as a part of the outside."""
    ui_namespaces: tuple[str, ...] = ()
    """Namespaces, such as an ingress controller's, whose pods may call the API server."""
    ui_cidrs: tuple[str, ...] = ()
    """CIDRs, such as a load balancer's subnets, that may call the API server."""
    metrics_namespaces: tuple[str, ...] = ()
    """Namespaces, such as Prometheus's, whose pods may scrape metrics."""
    dns: tuple[DnsServer, ...] = DEFAULT_DNS
    """Who answers the DNS queries of every pod."""
    extra_egress: tuple[ExtraEgress, ...] = ()
    """What components may reach beside what every deployment needs."""
