"""Which changes Kubernetes refuses, and which may replace a resource.

Only the engine knows what it replaces: it asks the provider. A plan says "may replace" where it matters: for Kubernetes
objects by the fields that are immutable there, and for what holds data or keys in AWS.
Sources: provider/pkg/provider/diff.go (`forceNew`) and provider.go (`DiffConfig`) of pulumi/pulumi-kubernetes 4.32;
`ForceNew` in internal/service/*/*.go of hashicorp/terraform-provider-aws.

The chart's objects are not resources of Pulumi. Helm patches them, and if Kubernetes refuses that, nothing replaces
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_KUBERNETES: Final = "kubernetes:"
_SELECTOR: Final = ("spec.selector",)

IMMUTABLE: Final[Mapping[str, tuple[str, ...]]] = {
    # From Kubernetes 1.35: pkg/registry/apps/{deployment,daemonset}/strategy.go; pkg/apis/apps/validation/validation.go
    # (ValidateStatefulSetUpdate); pkg/apis/core/validation/validation.go (ValidateServiceUpdate,
    # ValidatePersistentVolumeClaimUpdate, ValidateSecretUpdate); pkg/apis/batch/validation/validation.go
    # (ValidateJobSpecUpdate); pkg/apis/rbac/validation/validation.go.
    "Deployment": _SELECTOR,
    "DaemonSet": _SELECTOR,
    "StatefulSet": ("spec.podManagementPolicy", "spec.serviceName", "spec.volumeClaimTemplates", *_SELECTOR),
    "Service": ("spec.clusterIP",),
    "PersistentVolumeClaim": (
        *("spec.accessModes", "spec.storageClassName", "spec.volumeName", "spec.volumeMode"),
        *("spec.dataSource", "spec.dataSourceRef", "spec.resources.limits", *_SELECTOR),
    ),
    "Job": (
        *("spec.backoffLimitPerIndex", "spec.completionMode", "spec.completions", "spec.managedBy"),
        *("spec.podFailurePolicy", "spec.successPolicy", "spec.template", *_SELECTOR),
    ),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Secret": ("type",),
}
"""Fields by kind that Kubernetes never changes, with all that is below them."""

MAY_REPLACE: Final[Mapping[str, tuple[str, ...]]] = {
    "pulumi:providers:kubernetes": ("clusterIdentifier",),
    "kubernetes:helm.sh/v3:Release": ("name", "namespace"),
    "kubernetes:core/v1:Secret": ("data", "stringData"),  # this program's are immutable
    "kubernetes:core/v1:ConfigMap": ("data", "binaryData"),  # by the provider's default
    "kubernetes:batch/v1:Job": ("spec.parallelism",),
    "random:index/randomPassword:RandomPassword": ("",),
    "aws:rds/instance:Instance": (
        # Another identifier is another address, whether the provider renames or replaces.
        *("identifier", "engine", "dbName", "username", "kmsKeyId", "storageEncrypted", "snapshotIdentifier"),
        *("availabilityZone", "characterSetName", "restoreToPointInTime", "s3Import", "timezone"),
    ),
    "aws:kms/key:Key": ("customerMasterKeySpec", "keyUsage", "multiRegion", "customKeyStoreId", "xksKeyId"),
    "aws:secretsmanager/secret:Secret": ("name", "namePrefix"),
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretId", "secretString", "secretBinary"),
    "aws:s3/bucket:Bucket": ("bucket", "bucketPrefix", "objectLockEnabled"),
}
"""Inputs by type, beside `IMMUTABLE`; what is below an input counts too, and "" is every input."""


def may_replace(type_: str, path: str) -> bool:
    """Return whether a change at a path, as `compare` writes them, may replace a resource of a type."""
    inputs = MAY_REPLACE.get(type_, ())
    if type_.startswith(_KUBERNETES):
        kind = type_.rpartition(":")[2]
        inputs = (*inputs, *IMMUTABLE.get(kind, ()), "metadata.name", "metadata.namespace")
    return any(not prefix or _is_within(path, prefix) for prefix in inputs)


def refused(kind: str, changed: Iterable[str]) -> tuple[str, ...]:
    """Return the immutable fields of a kind that have a change at one of these paths."""
    paths = tuple(changed)
    return tuple(field for field in IMMUTABLE.get(kind, ()) if any(_is_within(path, field) for path in paths))


def _is_within(path: str, prefix: str) -> bool:
    return re.match(rf"{re.escape(prefix)}(?![A-Za-z0-9_])", path) is not None
