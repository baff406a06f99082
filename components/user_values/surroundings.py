"""The part of the typed settings that decides which Helm values can work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The typed settings on which the check of Helm values depends."""

    isolated: bool = False
    """Whether network policies are applied."""
    ui_reachable: bool = True
    """Whether networks outside the cluster may call the API server."""
    protected: bool = False
    """Whether the stack holds what must not be lost, and so passwords that must not be read."""
    ingress: bool = False
    """Whether the stack has an Ingress."""
    with_role: tuple[str, ...] = ()
    """Paths of the components whose pods get an IAM role."""
    groups: bool = False
    """Whether sets of workers are worker groups, which have service accounts of their own."""
    oidc: bool = False
    """Whether people log in by OpenID Connect."""
    without_budget: frozenset[str] = frozenset()
    """Components that the program gives no disruption budget, such as one with a single pod."""
    switched_off: Mapping[str, str] = field(default_factory=dict)
    """Paths of what is not deployed, each with the setting that switches it on."""
    secrets_in_aws: bool = False
    """Whether the program sets the secrets backend of what reads connections."""
    connection_variables: frozenset[str] = frozenset()
    """Names of the variables in which pods get the connections and variables of the config."""
    client_certificate: bool = False
    """Whether the program gives pods a client certificate for the database."""
    held_secrets: Mapping[str, str] = field(default_factory=dict)
    """Secrets of the team that may be referred to as little as the stack's own, each with the setting that names it."""
    api_server_may_send: Callable[[int], bool] = lambda _: False
    """Whether the API server may send to a TCP port of another system."""
    metrics_readable: bool = False
    """Whether pods of other namespaces may read metrics."""
    dags_fetched: bool = False
    """Whether something fetches DAGs to a place of the chart's or the program's."""
    several_nodes: bool = False
    """Whether pods may run on several nodes, so that no volume of one node serves them all."""
    stateful_workers: bool | None = None
    """Whether Celery's workers are a StatefulSet and not a Deployment; None where it is not known."""
    with_requests: bool = True
    """Whether the program gives components requests of CPU and memory."""
    worker_grace_seconds: int = 0
    """Seconds that a worker which stops gives its tasks to end; 0 where it is not known."""
    mounted: frozenset[str] = frozenset()
    """Names of volumes that another config key mounts."""
    log_volume: bool = False
    """Whether all pods share a volume of task logs."""
    may_send: Callable[[str, int], bool] = lambda _, __: False
    """Whether all components may send to a port of another system, by protocol (TCP or UDP) and port."""
