"""Rules that keep what holds data or keys: it exists, is protected, and is not lost in one step.

CrossGuard shows a policy the resources as they will be, never what becomes of the existing ones. Only the rule over the
engine's steps sees a deletion or a replacement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from components.kube.own_secrets import holds
from policy.chart import airflow_values
from policy.context import Context
from policy.model import UNKNOWN, Finding, JudgedResource, JudgedStep, get
from policy.rule import Rule

_KEYS: Final = "airflow:index:AirflowKeys"
_ESCROW: Final = "airflow:index:KeyEscrow"
_PLATFORM: Final = "airflow:index:AirflowPlatform"
_CONNECTIONS: Final = "airflow:index:DatabaseAccess"
_VERIFICATION: Final = "airflow:index:ScheduledVerification"
_INSTANCE: Final = "aws:rds/instance:Instance"
_BUCKETS: Final = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
_ESCROW_SECRET: Final = "aws:secretsmanager/secret:Secret"
_SECRET: Final = "kubernetes:core/v1:Secret"
_NAMESPACE: Final = "kubernetes:core/v1:Namespace"
_RANDOM: Final = ("pulumi:index:Stash", "random:index/randomPassword:RandomPassword")

_KEY_IN_USE: Final = "a key in use"
STATEFUL: Final[dict[str, str]] = {
    # type: what is lost with it
    _INSTANCE: "the metadata database",
    "aws:kms/key:Key": "all that the key encrypts",
    **dict.fromkeys(_BUCKETS, "the task logs"),
    _ESCROW_SECRET: "the copy of the keys",
    _NAMESPACE: "all that is in the namespace",
    "kubernetes:core/v1:PersistentVolumeClaim": "what is on the volume",
    **dict.fromkeys(_RANDOM, _KEY_IN_USE),
}

_LEAST_BACKUP_DAYS: Final = 7
_REPLACING: Final = ("replace", "create-replacement", "delete-replaced", "read-replacement", "import-replacement")

_KEY_SECRETS: Final = {
    "fernet-key": "fernetKeySecretName",
    "api-secret-key": "apiSecretKeySecretName",
    "jwt-secret": "jwtSecretName",
}
"""Endings of the names of the Secrets without which no pod of Airflow starts, and the chart's values that name them."""
_FROM_JWT_SECRET: Final = ("-jwt-key-id", "-jwks")
"""Endings of the names of Secrets that hold a form of another key, and are made anew from it."""
_PARTS: Final = {
    "airflow:index:ManagedPostgres": (_INSTANCE,),
    "airflow:index:PostgresContainer": ("kubernetes:core/v1:PersistentVolumeClaim",),
    "airflow:index:TaskLogBucket": _BUCKETS,
    "airflow:index:DatabaseBackups": ("kubernetes:core/v1:PersistentVolumeClaim",),
    "airflow:index:TaskLogVolume": ("kubernetes:core/v1:PersistentVolumeClaim",),
    "airflow:index:KeyEscrow": (_ESCROW_SECRET,),
}
"""Components, and the types of which each has at least one, which holds its data."""


def lost_with(subject: JudgedResource | JudgedStep) -> str | None:
    """Return what is lost with a resource, or None.

    The passwords of the pooler's statistics user and of the scheduled verification are made anew at no loss.
    """
    if subject.type in _RANDOM and (subject.under(_CONNECTIONS) or subject.under(_VERIFICATION)):
        return None
    if subject.type == _SECRET:
        return _KEY_IN_USE if subject.under(_KEYS) and not subject.name.endswith(_FROM_JWT_SECRET) else None
    return STATEFUL.get(subject.type)


def _kept(step: JudgedStep, context: Context) -> Iterator[Finding]:
    lost = lost_with(step)
    if lost is None or {step.urn, step.name} & context.decided:
        return
    # A protected resource, or one in AWS, is never a laptop's, whatever the rest of the stack has become.
    if context.disposable and not step.protect and not step.type.startswith("aws:"):
        return
    if step.operation in _REPLACING:
        yield Finding(message=f"would be replaced, and {lost} is lost")
    elif step.operation == "delete" and not step.retain_on_delete:
        yield Finding(message=f"would be deleted, and {lost} is lost")


def _protected(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    lost = lost_with(resource)
    # A Secret is made again of the key, and it is the key that is protected.
    if lost is None or resource.type == _SECRET or context.disposable or resource.protect:
        return
    # A restore leaves the instance for another one: the engine then forgets it, and RDS protects it.
    if resource.type == _INSTANCE and resource.retain_on_delete:
        return
    if not resource.under(_ESCROW):
        yield Finding(message=f"is not protected: an update may delete it, and {lost} with it")
    elif resource.retain_on_delete is False:
        yield Finding(message=f"is neither protected nor retained: an update may delete it, and {lost} with it")


def _guarded(resource: JudgedResource, context: Context) -> Iterator[Finding]:
    inputs = resource.inputs
    if resource.type == _INSTANCE:
        protection, days = inputs.get("deletionProtection"), inputs.get("backupRetentionPeriod")
        if protection is not True and protection is not UNKNOWN:
            yield Finding(message="deletionProtection is not true: one call deletes the database")
        if inputs.get("skipFinalSnapshot") is True:
            yield Finding(message="skipFinalSnapshot is true: nothing is left of a deleted database")
        if days is not UNKNOWN and (not isinstance(days, int | float) or days < _LEAST_BACKUP_DAYS):
            yield Finding(message=f"backupRetentionPeriod: expected {_LEAST_BACKUP_DAYS} days or more, found fewer")
    elif resource.type in _BUCKETS and inputs.get("forceDestroy") is True:
        yield Finding(message="forceDestroy is true: the bucket is deleted with all logs in it")
    elif resource.type == _ESCROW_SECRET and inputs.get("recoveryWindowInDays") == 0:
        yield Finding(message="recoveryWindowInDays is 0: a deleted escrow cannot be recovered")


def _present(resources: Sequence[JudgedResource], context: Context) -> Iterator[Finding]:
    types = {resource.type for resource in resources}
    if context.disposable or _PLATFORM not in types:
        return
    if _NAMESPACE not in types:
        yield Finding(message="no longer has a namespace of its own")
    secrets = [found.name for found in resources if found.type == _SECRET and found.under(_KEYS)]
    releases = [values for found in resources if (values := airflow_values(found)) is not None]
    for ending, value in _KEY_SECRETS.items():
        elsewhere = any(_of_others(get(values, value)) for values in releases)
        if not elsewhere and not any(name.endswith(ending) for name in secrets):
            yield Finding(message=f"no longer has a Secret {ending}")
    if not any(found.type in _RANDOM and found.under(_KEYS) for found in resources):
        yield Finding(message="no longer has a generated key")
    for component in (found for found in resources if found.type in _PARTS):
        wanted = _PARTS[component.type]
        if not any(found.type in wanted and found.under(component.type) for found in resources):
            kind = wanted[0].rpartition(":")[2]
            yield Finding.about(component, f"no longer has a {kind}: its data is gone or not managed")


def _of_others(name: object) -> bool:
    """Tell whether a release names a Secret that no stack of this program makes."""
    return isinstance(name, str) and bool(name) and holds(name) is None


RULES: Final = (
    Rule(
        id="stateful-kept",
        description="No update replaces or deletes a database, key, key Secret, volume, log bucket or namespace.",
        remedy="Find out what replaces it, and undo that. If you intend it, add a line to policy/decided.txt.",
        source="docs/policy.md#what-is-decided-on-purpose",
        step=_kept,
    ),
    Rule(
        id="stateful-present",
        description="A stack that may not be thrown away has a namespace, keys, a database and task logs.",
        remedy="Undo the change that removed it. If somebody deleted it, restore it from a backup or the escrow.",
        source="docs/architecture.md#what-survives-a-destroy",
        needs_stack=True,
        stack=_present,
    ),
    Rule(
        id="stateful-protected",
        description="Everything that holds data or keys is protected, except in a laptop's stack.",
        remedy="Set airflow:protect to true.",
        source="https://www.pulumi.com/docs/iac/concepts/resources/options/protect/",
        needs_stack=True,
        resource=_protected,
    ),
    Rule(
        id="deletion-guarded",
        description="AWS refuses to delete the database, the log bucket and the escrow at once. The database has "
        "backups.",
        remedy="Set airflow:protect to true, and airflow:databaseBackupRetentionDays to 7 or more.",
        source="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_DeleteInstance.html",
        resource=_guarded,
    ),
)
