"""The Pulumi program: settings, provider, the platform, exports. No logic."""

import pulumi
import pulumi_kubernetes as k8s

import settings
from components.airflow_platform import AirflowPlatform

loaded = settings.load()

cluster = k8s.Provider(
    "cluster",
    # Empty, the provider looks where kubectl does; left out, the SDK would store this machine's path in the state.
    kubeconfig=loaded.platform.kubeconfig or "",
    context=loaded.platform.kube_context,
    # Whatever moves the cluster's address, it is the same cluster: nothing is replaced for that.
    cluster_identifier=loaded.platform.kube_context,
)

platform = AirflowPlatform("airflow", loaded.platform, pulumi.ResourceOptions(provider=cluster))

for name, value in platform.exports.items():
    pulumi.export(name, value)
