"""The program for comparison: the same providers, and no resources of theirs."""

import pulumi
import pulumi_kubernetes as k8s
import pulumi_random as random

context = pulumi.Config("airflow").require("kubeContext")

k8s.Provider("cluster", context=context, cluster_identifier=context)
# From the default provider, as in the program: it starts the plugin.
random.RandomId("id", byte_length=8)
