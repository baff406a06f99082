"""The NetworkPolicies of a deployment.

The component owns the complete set. Policies only add permissions, and the chart's own policies admit workers to
PgBouncer: with them, no policy here could take that back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi

from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.network.isolation_rules import IsolationRules
from components.network.policies import network_policies

TYPE: Final = "airflow:index:NetworkIsolation"


@dataclass(frozen=True, kw_only=True)
class NetworkIsolationArgs:
    """Arguments of `NetworkIsolation`."""

    namespace: pulumi.Input[str]
    """Namespace to isolate; all traffic in it is denied unless a rule allows it."""
    rules: IsolationRules
    """The rules from which the policies are made."""


class NetworkIsolation(pulumi.ComponentResource):
    """A default-deny policy, and a policy for each component with what it needs.

    Workers reach the API server, Redis, DNS and the outside, but never the database or PgBouncer. Whether policies are
    enforced depends on the cluster's CNI; `automation/verification/verify.py` tests it.
    Raises: nothing of its own. Replaces: nothing; rules change in place. Survives a destroy: nothing.
    """

    policies: tuple[KubeObject, ...]
    """All policies; whatever runs in the namespace is created after them and deleted before them."""

    def __init__(self, name: str, args: NetworkIsolationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self.policies = tuple(
            KubeObject(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                f"{name}-{role}",
                {"metadata": object_metadata(args.namespace), "spec": spec},
                pulumi.ResourceOptions(parent=self),
            )
            for role, spec in network_policies(args.rules).items()
        )
        self.register_outputs({})
