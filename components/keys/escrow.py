"""A copy of an Airflow deployment's keys in AWS Secrets Manager, which outlives the stack and its state.

Owns the secret, its content, and the KMS key that encrypts it. Does not read it: `escrow_reader` does, for a stack that
lost its state. Does not rotate it: its content follows the keys, and a key that AWS changed would lock Airflow out of
its own database.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from components.aws.kms_policy import key_policy
from components.keys.escrow_reader import ROLES, escrow_name, refuse_second_keys

TYPE: Final = "airflow:index:KeyEscrow"

_KMS_DELETION_WINDOW_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class KeyEscrowArgs:
    """Arguments of `KeyEscrow`.

    secret_name: fixed and known beforehand, so that a stack that lost its state finds it: `airflow/prod/keys`.
    values: the keys by role (see `EscrowedKeys`).
    region, account_id: of the provider.
    recovery_window_days: that a deleted secret can be restored in, 7 to 30 (API reference, DeleteSecret).
    tags: on the secret and its KMS key.
    """

    secret_name: str
    values: Mapping[str, pulumi.Output[str]]
    region: str
    account_id: str
    recovery_window_days: int = 30
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        escrow_name(self.secret_name)
        if not 7 <= self.recovery_window_days <= 30:
            raise ValueError(f"recovery_window_days: expected 7 to 30, found {self.recovery_window_days}")
        unknown = sorted(self.values.keys() - ROLES)
        if unknown:
            raise ValueError(f"values: expected only {', '.join(sorted(ROLES))}, found {', '.join(unknown)}")


class KeyEscrow(pulumi.ComponentResource):
    """The keys, as one JSON object in a secret of AWS Secrets Manager, encrypted with a KMS key of their own.

    Raises: ValueError for arguments that AWS would refuse. A preview and an update both fail, with AwsError, where the
    secret is about to be made and is there already: it has the keys of a deployment whose state was lost.
    Replaces: another name makes another secret; the old one stays. Other keys make another version of the content.
    Survives a destroy: all of it. Everything is retained, and nothing is protected: a stack that changes to
    airflow:keySource escrow drops these resources from its program, which `protect` would refuse and a plain deletion
    would make useless. Once dropped, they belong to nobody's state; the keys are in them.
    """

    stored: aws.secretsmanager.SecretVersion
    """The content, stored. Whatever begins to use a key depends on it: no key is in use that is in the state alone."""

    def __init__(self, name: str, args: KeyEscrowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)

        def before_create(hook: pulumi.ResourceHookArgs) -> None:
            refuse_second_keys(args.secret_name, args.region)

        # In a preview too: what it would refuse must be known before anybody says yes to the update.
        guard = pulumi.ResourceHook(
            f"{name}-no-second-keys", before_create, pulumi.ResourceHookOptions(on_dry_run=True)
        )
        # Not protected even where a parent is: see above.
        retained = pulumi.ResourceOptions(parent=self, retain_on_delete=True, protect=False)
        guarded = pulumi.ResourceOptions.merge(
            retained, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[guard]))
        )

        # Guarded as the secret is: made first, it would else be left behind where the secret is refused.
        key = aws.kms.Key(
            name,
            description=f"Encrypts the secret {args.secret_name}: the keys of an Airflow deployment",
            enable_key_rotation=True,
            deletion_window_in_days=_KMS_DELETION_WINDOW_DAYS,
            policy=json.dumps(key_policy(args.account_id, args.region, "secretsmanager")),
            tags=dict(args.tags),
            opts=guarded,
        )
        aws.kms.Alias(name, name=alias(args.secret_name), target_key_id=key.key_id, opts=retained)
        secret = aws.secretsmanager.Secret(
            name,
            name=args.secret_name,
            description="Keys of an Airflow deployment: without them, what its database holds cannot be read",
            kms_key_id=key.arn,
            recovery_window_in_days=args.recovery_window_days,
            tags=dict(args.tags),
            opts=guarded,
        )
        self.stored = aws.secretsmanager.SecretVersion(
            name, secret_id=secret.id, secret_string=content(args.values), opts=retained
        )
        self.register_outputs({"secret_arn": secret.arn, "kms_key_arn": key.arn})


def content(values: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """The secret's text: a JSON object, ordered, so that the same keys never make another version."""

    def as_json(revealed: Mapping[str, Any]) -> str:
        return json.dumps(revealed, sort_keys=True)

    return pulumi.Output.secret(pulumi.Output.all(**values).apply(as_json))


def alias(secret_name: str) -> str:
    """The KMS key's alias, made of the secret's name. It has fewer characters, and `alias/aws/` is AWS's own."""
    return f"alias/escrow/{re.sub('[^A-Za-z0-9/_-]', '-', secret_name)}"
