"""The NetworkPolicies of a deployment. The whole set, because policies only ever add: with the chart's own beside it,
which admit workers to PgBouncer, nothing here could take that back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as k8s

from components.kube.metadata import object_metadata
from components.network.policies import IsolationRules, network_policies

TYPE: Final = "airflow:index:NetworkIsolation"


@dataclass(frozen=True, kw_only=True)
class NetworkIsolationArgs:
    """namespace: to isolate; everything in it is denied unless a rule allows it. rules: what decides the set."""

    namespace: pulumi.Input[str]
    rules: IsolationRules


class NetworkIsolation(pulumi.ComponentResource):
    """Default deny, then what each component needs.

    Workers reach the API server, Redis, DNS and the outside; never the database or PgBouncer. Whether a policy is
    enforced is the cluster's affair (its CNI): `automation/verification/verify.py` probes it.
    Raises: nothing of its own. Replaces: nothing; rules change in place. Survives a destroy: nothing.
    """

    policies: tuple[k8s.networking.v1.NetworkPolicy, ...]
    """All of them: what runs in the namespace comes after, and goes before."""

    def __init__(self, name: str, args: NetworkIsolationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        self.policies = tuple(
            k8s.networking.v1.NetworkPolicy(
                f"{name}-{role}",
                metadata=object_metadata(args.namespace),
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for role, spec in network_policies(args.rules).items()
        )
        self.register_outputs({})
