"""The database of a production stack: RDS for PostgreSQL.

The component owns the instance, its KMS key, subnet group, parameter group, security group, log groups, and the role of
its enhanced monitoring. It does not own the network, the password, the alarms (rds_alarms.py) or roles within the
database.

For operators: while `protect` is set, no update replaces the instance, but for a restore. That first lets the engine
forget the instance in place of deleting it; RDS's own deletion protection stays. The key always outlives the stack,
because no snapshot can be read without it. `engine_version` 17 stands for any 17.N: the provider keeps the version that
exists. It also keeps the present storage where RDS has grown it beyond `storage_gib`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from components.database.connection import Database, SslMode
from components.database.rds_existing import LEFT_TAG, RESTORED_FROM_TAG, left_by, origin
from components.database.rds_policies import (
    LOG_EXPORTS,
    database_key_policy,
    log_group_name,
    monitoring_policy_arn,
    monitoring_trust,
)
from components.database.rds_settings import ENGINE, ENGINE_MAJOR, ManagedDatabase, Move, problems
from components.kube.secret import SecretInput, secret_output

TYPE: Final = "airflow:index:ManagedPostgres"

# Parameters of the group: (name, value, how a change is applied). The logs go to CloudWatch.
PARAMETERS: Final = (
    # RDS's own default since version 15, made explicit. AWS reports a default value as pending-reboot, so any other
    # method would show a change at each update.
    ("rds.force_ssl", "1", "pending-reboot"),
    ("log_statement", "ddl", "immediate"),
    ("log_min_duration_statement", "1000", "immediate"),  # milliseconds
    # These log few lines, because PgBouncer keeps its connections.
    ("log_connections", "1", "immediate"),
    ("log_disconnections", "1", "immediate"),
    ("log_lock_waits", "1", "immediate"),
)

_KEY_DELETION_DAYS = 30  # the longest that KMS waits
_LOG_RETENTION_DAYS = 365
_MONITORING_SECONDS = 60
# A standby is restored from a snapshot of the first instance, which takes long if the instance is large.
_TIMEOUTS: Final = pulumi.CustomTimeouts(create="90m", update="90m", delete="90m")


@dataclass(frozen=True, kw_only=True)
class ManagedPostgresArgs:
    """Arguments of `ManagedPostgres`."""

    managed: ManagedDatabase
    """Settings of the instance."""
    password: SecretInput
    """Password of the master user: 8 to 128 printable ASCII characters except / " @ and space."""
    account_id: str
    """Account of the provider, named in policies."""
    region: str
    """Region of the provider, named in policies."""
    vpc_id: pulumi.Input[str]
    """Network of the subnets."""
    subnet_ids: tuple[pulumi.Input[str], ...]
    """Private subnets in at least two availability zones."""
    client_security_group_id: pulumi.Input[str]
    """Security group whose members, and no others, may connect."""
    ca_certificates: str
    """PEM of RDS's CAs in the region, which clients verify the server against."""
    protect: bool
    """Whether to refuse to delete the instance and its key, in Pulumi and in RDS."""
    after: tuple[pulumi.Resource, ...]
    """Resources that must exist before the instance."""
    tags: Mapping[str, str]
    """Tags of all resources that can have tags; copied to snapshots."""
    permissions_boundary: str | None = None
    """ARN of the policy that bounds the role of enhanced monitoring, None for none."""

    def __post_init__(self) -> None:
        """Raise ValueError for settings that RDS would refuse after half of the resources are created."""
        found = problems(self.managed)
        if found:
            raise ValueError("; ".join(f"managed.{field}: {problem}" for field, problem in found.items()))


class ManagedPostgres(pulumi.ComponentResource):
    """An RDS for PostgreSQL instance that only one security group can reach, and only over TLS.

    Raises: nothing of its own; its arguments raise ValueError.
    Replaces: another identifier, user name, database name or key means another, empty instance. `protect` refuses that,
    and `replacements` reports it before the preview. A snapshot is read only when an instance is created:
    removing `snapshot_identifier` later changes nothing. Everything else changes in place, partly with a restart.
    Survives a destroy: the KMS key, always, and what it encrypts: a final snapshot and the automated backups. With
    `protect`, Pulumi and RDS refuse the destroy until an update without `protect`.
    """

    database: Database
    """How to connect; the password is secret."""
    instance: aws.rds.Instance
    """The instance; the provider waits until it is available."""
    ready: tuple[pulumi.Resource, ...]
    """Resources that must exist before anything connects."""
    key_arn: pulumi.Output[str]
    """ARN of the key that encrypts storage, backups, logs and Performance Insights."""

    def __init__(self, name: str, args: ManagedPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        managed, tags = args.managed, dict(args.tags)
        left, made = managed.left, managed.made
        child = pulumi.ResourceOptions(parent=self)
        # EC2 refuses apostrophes in descriptions.
        of_airflow = f"Database {managed.identifier} of Airflow"

        key = aws.kms.Key(
            f"{name}-key",
            description=f"{of_airflow}: storage, backups, logs, Performance Insights",
            enable_key_rotation=True,
            deletion_window_in_days=_KEY_DELETION_DAYS,
            policy=json.dumps(database_key_policy(args.account_id, args.region, managed.identifier)),
            tags=tags,
            # Without the key, every snapshot and backup is lost.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=True),
        )
        key_alias = aws.kms.Alias(
            f"{name}-key", name=f"alias/{managed.identifier}", target_key_id=key.key_id, opts=child
        )
        self.key_arn = key.arn

        # An instance that a restore leaves uses all three groups. A new description would replace two of them.
        described_once = pulumi.ResourceOptions(parent=self, ignore_changes=["description"])
        group = aws.ec2.SecurityGroup(
            name,
            description=f"{of_airflow}: PostgreSQL from the cluster, nothing out",
            vpc_id=args.vpc_id,
            # AWS allows everything at first, and an update may be killed before the provider takes that back.
            egress=[],
            tags=tags,
            opts=described_once,
        )
        way_in = aws.vpc.SecurityGroupIngressRule(
            f"{name}-clients",
            description="PostgreSQL from the nodes and pods of the cluster",
            security_group_id=group.id,
            referenced_security_group_id=args.client_security_group_id,
            ip_protocol="tcp",
            from_port=managed.port,
            to_port=managed.port,
            tags=tags,
            opts=child,
        )
        subnets = aws.rds.SubnetGroup(
            name,
            description=of_airflow,
            subnet_ids=list(args.subnet_ids),
            tags=tags,
            opts=described_once,
        )
        # With a generated name, the group of another family can exist before the instance leaves this one.
        parameters = aws.rds.ParameterGroup(
            name,
            description=of_airflow,
            family=f"{ENGINE}{ENGINE_MAJOR}",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(name=parameter, value=value, apply_method=method)
                for parameter, value, method in PARAMETERS
            ],
            tags=tags,
            opts=described_once,
        )

        # Created before the instance: log groups that RDS creates never expire, and logged statements contain data.
        logs = [
            aws.cloudwatch.LogGroup(
                f"{name}-{kind}",
                name=log_group_name(managed.identifier, kind),
                retention_in_days=_LOG_RETENTION_DAYS,
                kms_key_id=key.arn,
                tags=tags,
                # RDS would make a deleted one again, without expiry and key, for the instance that a restore leaves.
                opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True if left else None),
            )
            for kind in LOG_EXPORTS
        ]
        monitoring = aws.iam.Role(
            f"{name}-monitoring",
            description=f"{of_airflow}: enhanced monitoring",
            assume_role_policy=json.dumps(monitoring_trust(args.account_id, args.region, managed.identifier)),
            permissions_boundary=args.permissions_boundary,
            tags=tags,
            opts=child,
        )
        monitoring_policy = aws.iam.RolePolicyAttachment(
            f"{name}-monitoring",
            role=monitoring.name,
            policy_arn=monitoring_policy_arn(args.region),
            opts=child,
        )

        # Generated, because RDS refuses a final snapshot whose name is taken, even by an earlier stack's.
        final_snapshot = random.RandomUuid(f"{name}-final-snapshot", opts=child)
        source = origin(managed)
        own_tags = ({} if source is None else {RESTORED_FROM_TAG: source}) | ({LEFT_TAG: left_by(left)} if left else {})
        self.instance = aws.rds.Instance(
            name,
            identifier=managed.identifier,
            engine=ENGINE,
            engine_version=managed.engine_version,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            instance_class=managed.instance_class,
            multi_az=managed.multi_az,
            db_name=managed.name,
            username=managed.username,
            password=secret_output(args.password),
            port=managed.port,
            snapshot_identifier=(made.snapshot or None) if made else managed.snapshot_identifier,
            restore_to_point_in_time=_moment(made) if made else None,
            # Storage
            storage_type="gp3",
            allocated_storage=managed.storage_gib,
            max_allocated_storage=managed.max_storage_gib,
            storage_encrypted=True,
            kms_key_id=key.arn,
            # Access
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            # For people; Airflow and PgBouncer log in with the password.
            iam_database_authentication_enabled=True,
            ca_cert_identifier=managed.ca_identifier.value,
            parameter_group_name=parameters.name,
            # Backups
            backup_retention_period=managed.backup_retention_days,
            backup_window=managed.backup_window,
            copy_tags_to_snapshot=True,
            delete_automated_backups=False,
            deletion_protection=args.protect,
            skip_final_snapshot=False,
            final_snapshot_identifier=pulumi.Output.concat(managed.identifier, "-final-", final_snapshot.id),
            # Changes
            maintenance_window=managed.maintenance_window.lower(),
            apply_immediately=managed.apply_immediately,
            # Observation
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            monitoring_interval=_MONITORING_SECONDS,
            monitoring_role_arn=monitoring.arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=key.arn,
            performance_insights_retention_period=managed.performance_insights_retention_days,
            tags=tags | own_tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect and left is None,
                retain_on_delete=True if left else None,
                depends_on=[monitoring_policy, key_alias, *logs, *args.after],
                # They matter only at creation: removing them must not replace the instance.
                ignore_changes=["snapshotIdentifier", "restoreToPointInTime", *_left_to_rds(managed)],
                # RDS would rename the instance in place, even with `protect`, but another identifier means another one.
                replace_on_changes=["identifier"],
                custom_timeouts=_TIMEOUTS,
            ),
        )

        self.ready = (self.instance, way_in)
        self.database = Database(
            host=self.instance.address,
            port=managed.port,
            name=managed.name,
            user=managed.username,
            password=args.password,
            ssl_mode=SslMode.VERIFY_FULL,
            ca_certificates=args.ca_certificates,
        )
        self.register_outputs({"host": self.instance.address, "port": managed.port, "key_arn": self.key_arn})


def _left_to_rds(managed: ManagedDatabase) -> tuple[str, ...]:
    """Return the inputs that only RDS changes: the version, if any minor one will do.

    A provider that finds 17.9 in its state and 17 in the program asks RDS for 17, which RDS takes for its default minor
    version: `Cannot upgrade postgres from 17.9 to 17.6`
    (github.com/terraform-aws-modules/terraform-aws-rds/issues/627).
    """
    return () if "." in managed.engine_version else ("engineVersion",)


def _moment(made: Move) -> aws.rds.InstanceRestoreToPointInTimeArgs | None:
    """Return the moment that an instance is made from, or None if it is made from a snapshot."""
    if not made.moment:
        return None
    return aws.rds.InstanceRestoreToPointInTimeArgs(source_db_instance_identifier=made.old, restore_time=made.moment)
