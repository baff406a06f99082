"""Which changed inputs make a provider replace a resource, and which fields Kubernetes lets nobody change.

Of resources, for the types that this program registers. The engine asks the provider; a plan has none to ask. From the
providers' sources, in the versions of requirements.txt:

- Kubernetes: provider/pkg/provider/diff.go (`forceNew`), helm_release.go and provider.go (`DiffConfig`) of
  pulumi/pulumi-kubernetes 4.32. Every object is replaced for another namespace or name.
- random: every argument (`RequiresReplace` in internal/provider/resource_*.go of hashicorp/terraform-provider-random).
- AWS: `ForceNew` and `RequiresReplace` in internal/service/*/*.go of hashicorp/terraform-provider-aws. An instance's
  identifier is among them, because another one is another address, whether the provider renames or replaces.

Objects of the chart are no resources: Helm patches them, and where Kubernetes refuses that, nothing replaces them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_ALL: Final = ("*",)
_METADATA: Final = ("metadata.name", "metadata.namespace")
_SELECTOR: Final = ("spec.selector",)

REPLACED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "pulumi:providers:kubernetes": ("clusterIdentifier",),
    "kubernetes:helm.sh/v3:Release": ("name", "namespace"),
    # Immutable, as all of this program's are; and ConfigMaps by the provider's default too.
    "kubernetes:core/v1:Secret": ("type", "data", "stringData"),
    "kubernetes:core/v1:ConfigMap": ("data", "binaryData"),
    "kubernetes:core/v1:PersistentVolumeClaim": (
        *("spec.accessModes", "spec.storageClassName", "spec.volumeName"),
        *_SELECTOR,
    ),
    "kubernetes:core/v1:Service": ("spec.clusterIP",),
    "kubernetes:batch/v1:Job": ("spec.completions", "spec.parallelism", "spec.template", *_SELECTOR),
    "kubernetes:apps/v1:Deployment": _SELECTOR,
    "kubernetes:apps/v1:StatefulSet": (
        *("spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.serviceName", "spec.volumeClaimTemplates"),
        *_SELECTOR,
    ),
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": ("roleRef",),
    "random:index/randomPassword:RandomPassword": _ALL,
    "random:index/randomBytes:RandomBytes": _ALL,
    "random:index/randomUuid:RandomUuid": _ALL,
    "aws:rds/instance:Instance": (
        *("identifier", "engine", "dbName", "username", "kmsKeyId", "storageEncrypted", "snapshotIdentifier"),
        *("availabilityZone", "characterSetName", "restoreToPointInTime", "s3Import", "timezone"),
    ),
    "aws:rds/subnetGroup:SubnetGroup": ("name", "namePrefix"),
    "aws:rds/parameterGroup:ParameterGroup": ("name", "namePrefix", "family", "description"),
    "aws:ec2/securityGroup:SecurityGroup": ("name", "namePrefix", "description", "vpcId"),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": ("securityGroupId",),
    "aws:kms/key:Key": ("customerMasterKeySpec", "keyUsage", "multiRegion", "customKeyStoreId", "xksKeyId"),
    "aws:kms/alias:Alias": ("name", "namePrefix"),
    "aws:cloudwatch/logGroup:LogGroup": ("name", "namePrefix", "logGroupClass"),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("name",),
    "aws:iam/role:Role": ("name", "namePrefix", "path"),
    "aws:iam/rolePolicy:RolePolicy": ("name", "namePrefix", "role"),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": ("role", "policyArn"),
    "aws:secretsmanager/secret:Secret": ("name", "namePrefix"),
    "aws:secretsmanager/secretVersion:SecretVersion": ("secretId", "secretString", "secretBinary"),
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": ("clusterName", "namespace", "serviceAccount"),
    "aws:s3/bucket:Bucket": ("bucket", "bucketPrefix", "objectLockEnabled"),
    **{
        f"aws:s3/{kind[0].lower()}{kind[1:]}:{kind}": ("bucket", "expectedBucketOwner")
        for kind in (
            "BucketLifecycleConfiguration",
            "BucketOwnershipControls",
            "BucketPolicy",
            "BucketPublicAccessBlock",
            "BucketServerSideEncryptionConfiguration",
            "BucketVersioning",
        )
    },
}
"""Inputs by type; all that is below one counts too."""

IMMUTABLE: Final[Mapping[str, tuple[str, ...]]] = {
    # Of Kubernetes 1.35: pkg/registry/apps/{deployment,daemonset}/strategy.go; pkg/apis/apps/validation/validation.go
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
"""Fields by kind; all that is below one counts too."""


def replaces(type_: str, path: str) -> bool:
    """Whether a change at a path, as `compare` writes them, replaces a resource of the type."""
    of_type = REPLACED_BY.get(type_, ())
    if type_.startswith("kubernetes:"):
        of_type = (*of_type, *_METADATA)
    return of_type == _ALL or any(_is_within(path, prefix) for prefix in of_type)


def refused(kind: str, changed: Iterable[str]) -> tuple[str, ...]:
    """Fields, among those with a change at these paths, that Kubernetes lets nobody change in an object of the kind."""
    paths = tuple(changed)
    return tuple(field for field in IMMUTABLE.get(kind, ()) if any(_is_within(path, field) for path in paths))


def _is_within(path: str, prefix: str) -> bool:
    return re.match(rf"{re.escape(prefix)}(?![A-Za-z0-9_])", path) is not None
