"""A program for comparison, which shows the Helm provider's part: the same providers, one release of the chart."""

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
