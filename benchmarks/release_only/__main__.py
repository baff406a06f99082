"""How much of a preview is the Helm provider's work: the same providers, and a release of the same chart, as it is."""

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

config = pulumi.Config("airflow")
context = config.require("kubeContext")

cluster = k8s.Provider("cluster", context=context, cluster_identifier=context)
random.RandomId("id", byte_length=8)
k8s.helm.v3.Release(
    "airflow",
    name="airflow",
    namespace=config.require("namespace"),
    chart=config.require("chartPath"),
    opts=pulumi.ResourceOptions(provider=cluster),
)
