"""A copy of an Airflow deployment's keys in AWS Secrets Manager, which outlives the stack and its state.

The component owns the secret, its content, and the KMS key that encrypts it. It does not read the secret; for a stack
that lost its state, `escrow_reader` does. AWS does not rotate it: a key that AWS changed would lock Airflow out of its
own database.
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
    """Arguments of `KeyEscrow`."""

    secret_name: str
    """Fixed name, such as `airflow/prod/keys`, by which a stack that lost its state finds the secret."""
    values: Mapping[str, pulumi.Output[str]]
    """The keys by their field in `EscrowedKeys`."""
    region: str
    """AWS region of the provider."""
    account_id: str
    """AWS account of the provider."""
    recovery_window_days: int = 30
    """Days in which a deleted secret can be restored, 7 to 30 (API reference, DeleteSecret)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of the secret and of its KMS key."""

    def __post_init__(self) -> None:
        escrow_name(self.secret_name)
        if not 7 <= self.recovery_window_days <= 30:
            raise ValueError(f"recovery_window_days: expected 7 to 30, found {self.recovery_window_days}")
        unknown = sorted(self.values.keys() - ROLES)
        if unknown:
            raise ValueError(f"values: expected only {', '.join(sorted(ROLES))}, found {', '.join(unknown)}")


class KeyEscrow(pulumi.ComponentResource):
    """The keys, as one JSON object in a secret of AWS Secrets Manager, encrypted with its own KMS key.

    Raises: ValueError for arguments that AWS would refuse. A preview and an update both fail with AwsError if the
    secret is about to be created but exists: it holds the keys of a deployment whose state was lost.
    Replaces: another name makes another secret; the old one stays. Other keys make another version of the content.
    Survives a destroy: everything. All resources are retained and none is protected, because a stack that changes to
    airflow:keySource escrow drops them from its program: `protect` would refuse that, and a deletion would lose the
    keys. Once dropped, they are in no stack's state.
    """

    stored: aws.secretsmanager.SecretVersion
    """The stored content; every user of a key depends on it, so that no key in use is only in the state."""

    def __init__(self, name: str, args: KeyEscrowArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)

        def before_create(hook: pulumi.ResourceHookArgs) -> None:
            refuse_second_keys(args.secret_name, args.region)

        # It runs in a preview too, so that its refusal is seen before the update is confirmed.
        guard = pulumi.ResourceHook(
            f"{name}-no-second-keys", before_create, pulumi.ResourceHookOptions(on_dry_run=True)
        )
        # Not protected even if the parent is; see above.
        retained = pulumi.ResourceOptions(parent=self, retain_on_delete=True, protect=False)
        guarded = pulumi.ResourceOptions.merge(
            retained, pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_create=[guard]))
        )

        # Guarded like the secret: the key is created first, and would be left behind if the secret were refused.
        key = aws.kms.Key(
            name,
            description=f"Encrypts the secret {args.secret_name}: the keys of an Airflow deployment",
            enable_key_rotation=True,
            deletion_window_in_days=_KMS_DELETION_WINDOW_DAYS,
            policy=json.dumps(key_policy(args.account_id, args.region, "secretsmanager")),
            tags=dict(args.tags),
            opts=guarded,
        )
        key_alias = aws.kms.Alias(name, name=alias(args.secret_name), target_key_id=key.key_id, opts=retained)
        secret = aws.secretsmanager.Secret(
            name,
            name=args.secret_name,
            description="Keys of an Airflow deployment: without them, what its database holds cannot be read",
            kms_key_id=key.arn,
            recovery_window_in_days=args.recovery_window_days,
            tags=dict(args.tags),
            # A destroy that stops at a protected resource must not have dropped the retained alias from the state: the
            # next update would create it again, which AWS refuses.
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[key_alias])),
        )
        self.stored = aws.secretsmanager.SecretVersion(
            name, secret_id=secret.id, secret_string=content(args.values), opts=retained
        )
        self.register_outputs({"secret_arn": secret.arn, "kms_key_arn": key.arn})


def content(values: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """Return the secret's text: a JSON object with sorted fields, so that the same keys never make another version."""

    def as_json(revealed: Mapping[str, Any]) -> str:
        return json.dumps(revealed, sort_keys=True)

    return pulumi.Output.secret(pulumi.Output.all(**values).apply(as_json))


def alias(secret_name: str) -> str:
    """Return the KMS key's alias, made from the secret's name. Aliases allow fewer characters, and not `alias/aws/`."""
    return f"alias/escrow/{re.sub('[^A-Za-z0-9/_-]', '-', secret_name)}"
