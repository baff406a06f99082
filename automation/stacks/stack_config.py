"""What must be known of a stack's config before, or without, a run of the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from automation.errors import ClusterUnreachable, from_text
from automation.folder import write_file
from settings import PROJECT


@dataclass(frozen=True)
class StackConfig:
    """kubeconfig: None takes kubectl's own. namespace: that the stack owns.

    eks: name, region and account of an EKS cluster; context and kubeconfig follow from it (see `reached`).
    """

    kube_context: str
    kubeconfig: str | None
    protect: bool
    eks: tuple[str, str, str] | None = None
    namespace: str = ""
    image_digest: str = ""

    @staticmethod
    def of(values: Mapping[str, str]) -> StackConfig:
        """values: as the engine gives them, texts by full key."""

        def text(key: str) -> str:
            return values.get(f"{PROJECT}:{key}", "")

        return StackConfig(
            kube_context=text("kubeContext"),
            kubeconfig=text("kubeconfig") or None,
            protect=text("protect") != "false",
            eks=(eks, text("awsRegion"), text("awsAccountId")) if (eks := text("eksCluster")) else None,
            namespace=text("namespace"),
            image_digest=text("imageDigest"),
        )

    def reached(self, work_dir: Path) -> StackConfig:
        """With the kubeconfig of its EKS cluster, written into the stack's work directory. Raises ClusterUnreachable.

        The file names no credential, but who reads another's files might swap the command in it: its owner's alone.
        """
        if self.eks is None:
            return self
        # Imported here: a laptop's stack has nothing to ask AWS.
        from components.aws.client import AwsError
        from components.aws.eks_cluster import find_cluster

        try:
            found = find_cluster(*self.eks)
        except AwsError as error:
            raise from_text(ClusterUnreachable, str(error)) from None
        path = work_dir / "kubeconfig"
        write_file(path, found.kubeconfig, mode=0o600)
        return replace(self, kube_context=found.context, kubeconfig=str(path))
