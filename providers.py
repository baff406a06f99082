"""The explicit providers of a stack: it reaches no cluster and no account but those that its config names."""

from __future__ import annotations

import pulumi
import pulumi_kubernetes as k8s

from components.platform_args import AirflowPlatformArgs


def providers(platform: AirflowPlatformArgs) -> list[pulumi.ProviderResource]:
    """Kubernetes, and AWS where the stack has anything there. The AWS one refuses another account's credentials."""
    cluster = k8s.Provider(
        "cluster",
        # Empty, the provider looks where kubectl does; left out, the SDK would store this machine's path in the state.
        kubeconfig=platform.kubeconfig or "",
        context=platform.kube_context,
        # Whatever moves the cluster's address, it is the same cluster: nothing is replaced for that.
        cluster_identifier=platform.kube_context,
    )
    if platform.aws is None:
        return [cluster]
    # Imported here: a laptop's stack has no use for it, and would wait for it.
    import pulumi_aws as aws

    account = aws.Provider(
        "aws",
        region=platform.aws.cluster.region,
        allowed_account_ids=[platform.aws.cluster.account_id],
        default_tags=aws.ProviderDefaultTagsArgs(tags=dict(platform.aws.tags)),
    )
    return [cluster, account]
