"""Where the metadata database is, as network policies see it. Value types without Pulumi resources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DatabasePods:
    """A database in the same namespace."""

    labels: dict[str, str]
    """Labels of its pods."""
    port: int
    """Its TCP port."""


@dataclass(frozen=True, kw_only=True)
class DatabaseCidrs:
    """A database outside the cluster."""

    cidrs: tuple[str, ...]
    """IPv4 or IPv6 networks that it may be in."""
    port: int
    """Its TCP port."""
    shared: bool = False
    """Whether other services, such as the cluster's endpoints, are in these networks: then only the port is closed."""
    namespace: str | None = None
    """Namespace of its pods where it is in the cluster, or None."""


def database_cidrs(host: str, cidrs: tuple[str, ...], port: int, *, shared: bool = False) -> DatabaseCidrs:
    """Return the place of an external database.

    Args:
        host: Its name or address. The name of a Service tells the namespace: NAME.NAMESPACE, or with .svc behind it.
        cidrs: Networks that it may be in.
        port: Its TCP port.
        shared: Whether other services are in these networks.
    """
    labels = host.rstrip(".").split(".")
    in_cluster = (len(labels) == 2 or labels[2:3] == ["svc"]) and not labels[-1].isdecimal()
    return DatabaseCidrs(cidrs=cidrs, port=port, shared=shared, namespace=labels[1] if in_cluster else None)
