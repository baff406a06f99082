"""An object of Kubernetes as a resource of Pulumi, without the SDK's models of every object.

The SDK's class of a ConfigMap loads 4 MB of models of the API group `core`, and the first registration evaluates their
types. That took half of what a preview's program took. This class registers the same, with fields as the API spells
them. The policies and the API server judge their content.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

import pulumi

_EARLIER: Final[Mapping[str, tuple[str, ...]]] = {
    "apps/v1:Deployment": ("apps/v1beta1", "apps/v1beta2", "extensions/v1beta1"),
    "apps/v1:StatefulSet": ("apps/v1beta1", "apps/v1beta2"),
    "batch/v1:CronJob": ("batch/v1beta1", "batch/v2alpha1"),
    "networking.k8s.io/v1:NetworkPolicy": ("extensions/v1beta1",),
    "policy/v1:PodDisruptionBudget": ("policy/v1beta1",),
    **{
        f"{group}/v1:{kind}": (f"{group}/v1alpha1", f"{group}/v1beta1")
        for group, kinds in (
            ("rbac.authorization.k8s.io", ("Role", "RoleBinding")),
            (
                "admissionregistration.k8s.io",
                ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"),
            ),
        )
        for kind in kinds
    },
}
"""Earlier APIs of each kind: the SDK's aliases, by which the engine knows such a resource again."""
_VERSION: Final = version("pulumi-kubernetes")


class KubeObject(pulumi.CustomResource):
    """An object of Kubernetes."""

    metadata: pulumi.Output[Mapping[str, Any]]
    """Its metadata, as the cluster has it."""

    def __init__(
        self,
        api_version: str,
        kind: str,
        name: str,
        fields: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register the object.

        Args:
            api_version: Its API, such as `batch/v1`.
            kind: Its kind.
            name: The logical name.
            fields: `metadata` and whatever else it has, with Outputs anywhere. None stands for a field that is not set.
            opts: Options of the resource.
        """
        group = api_version if "/" in api_version else f"core/{api_version}"
        earlier = _EARLIER.get(f"{api_version}:{kind}", ())
        own = pulumi.ResourceOptions(
            version=_VERSION,
            aliases=[pulumi.Alias(type_=f"kubernetes:{api}:{kind}") for api in earlier],
            additional_secret_outputs=["data", "stringData"] if kind == "Secret" else None,
        )
        super().__init__(
            f"kubernetes:{group}:{kind}",
            name,
            {"apiVersion": api_version, "kind": kind, **fields},
            pulumi.ResourceOptions.merge(own, opts),
        )

    @property
    def name(self) -> pulumi.Output[str]:
        """Its name in the cluster."""

        def found(metadata: Any) -> Any:
            # In a preview the whole may be unknown, and the name missing.
            return metadata.get("name") if isinstance(metadata, Mapping) else metadata

        return self.metadata.apply(found, True)
