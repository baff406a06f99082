"""The explicit providers of a stack, by which it reaches only the cluster and the account in its config."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.platform_args import AirflowPlatformArgs


def providers(platform: AirflowPlatformArgs) -> list[pulumi.ProviderResource]:
    """Return the Kubernetes provider, and an AWS provider if the stack needs one; it refuses other accounts."""
    cluster = k8s.Provider(
        "cluster",
        # Empty, the provider uses kubectl's own. Without a value, the SDK would store this machine's path in the state.
        kubeconfig=platform.kubeconfig or "",
        context=platform.kube_context,
        # Identified by its context, so that another address of the cluster replaces nothing.
        cluster_identifier=platform.kube_context,
    )
    if platform.aws is None:
        return [cluster]
    # Imported here, because only stacks in AWS need it, and it loads slowly.
    import pulumi_aws as aws

    account = aws.Provider(
        "aws",
        region=platform.aws.cluster.region,
        allowed_account_ids=[platform.aws.cluster.account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=dict(platform.aws.tags)),
    )
    return [cluster, account]
