"""The kinds of objects that the program uses, and how the API spells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CRON_JOB: Final = "CronJob"
DEPLOYMENT: Final = "Deployment"
STATEFUL_SET: Final = "StatefulSet"
JOB: Final = "Job"
CLAIM: Final = "PersistentVolumeClaim"

PLURALS: Final[Mapping[str, Mapping[str, str]]] = {
    "v1": {
        "ConfigMap": "configmaps",
        "Event": "events",
        "Namespace": "namespaces",
        "PersistentVolume": "persistentvolumes",
        "PersistentVolumeClaim": "persistentvolumeclaims",
        "Pod": "pods",
        "ResourceQuota": "resourcequotas",
        "Secret": "secrets",
        "Service": "services",
        "ServiceAccount": "serviceaccounts",
    },
    "apps/v1": {"Deployment": "deployments", "StatefulSet": "statefulsets"},
    "batch/v1": {"Job": "jobs"},
    "networking.k8s.io/v1": {"IngressClass": "ingressclasses", "NetworkPolicy": "networkpolicies"},
    "rbac.authorization.k8s.io/v1": {"Role": "roles", "RoleBinding": "rolebindings"},
    "storage.k8s.io/v1": {"CSIDriver": "csidrivers", "StorageClass": "storageclasses"},
    "admissionregistration.k8s.io/v1": {
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    },
}
"""The spelling in paths, by API version and kind, which spares a request for each API. Namespace, PersistentVolume,
IngressClass, and the kinds of storage and admission have no namespace."""
