"""The database of a production stack: RDS for PostgreSQL, with all that belongs to it alone.

Owns the instance, its KMS key, subnet group, parameter group, security group, log groups and the role of its enhanced
monitoring. Not the network, not the password, not the alarms (rds_alarms.py), no roles within the database.

What an operator must know: the instance is never replaced by an update in which `protect` is set. The key outlives the
stack in any case, because without it no snapshot can be read. `engine_version` 17 stands for any 17.N: the provider
takes the version that is there for the one that is wanted. The same goes for `storage_gib` where RDS has grown it.
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
from components.database.rds_policies import (
    LOG_EXPORTS,
    database_key_policy,
    log_group_name,
    monitoring_policy_arn,
    monitoring_trust,
)
from components.database.rds_settings import (
    ENGINE,
    ENGINE_MAJOR,
    RESTORED_FROM_TAG,
    ManagedDatabase,
    problems,
    restored_from,
)
from components.kube.secret import SecretInput, secret_output

TYPE: Final = "airflow:index:ManagedPostgres"

# The group's parameters: (name, value, how a change is applied). The logs go to CloudWatch.
PARAMETERS: Final = (
    # As RDS's own default from 15 on, but said. AWS reports a value that is the default as pending-reboot, so any other
    # method would be a change at each update.
    ("rds.force_ssl", "1", "pending-reboot"),
    ("log_statement", "ddl", "immediate"),
    ("log_min_duration_statement", "1000", "immediate"),  # milliseconds
    # Who comes and goes. PgBouncer keeps its connections, so there are few.
    ("log_connections", "1", "immediate"),
    ("log_disconnections", "1", "immediate"),
    ("log_lock_waits", "1", "immediate"),
)

_KEY_DELETION_DAYS = 30  # the longest that KMS waits
_LOG_RETENTION_DAYS = 365
_MONITORING_SECONDS = 60
# A standby is made from a snapshot of the first instance, and a large one takes its time to restore.
_TIMEOUTS: Final = pulumi.CustomTimeouts(create="90m", update="90m", delete="90m")


@dataclass(frozen=True, kw_only=True)
class ManagedPostgresArgs:
    """Arguments of `ManagedPostgres`.

    managed: the instance's settings.
    password: of the master user: 8 to 128 printable ASCII characters but / " @ and space.
    account_id, region: where the provider works; policies name both.
    vpc_id: network of the subnets.
    subnet_ids: private, in at least two availability zones.
    client_security_group_id: whose members may connect; nobody else may.
    ca_certificates: PEM of RDS's authorities in the region, which clients verify the server against.
    protect: refuse to delete the instance and its key, in Pulumi and in RDS.
    after: what must be there before the instance.
    tags: of all that can have some; copied to snapshots.
    """

    managed: ManagedDatabase
    password: SecretInput
    account_id: str
    region: str
    vpc_id: pulumi.Input[str]
    subnet_ids: tuple[pulumi.Input[str], ...]
    client_security_group_id: pulumi.Input[str]
    ca_certificates: str
    protect: bool
    after: tuple[pulumi.Resource, ...]
    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        """Raises ValueError for settings that RDS would refuse after half of the rest is made."""
        found = problems(self.managed)
        if found:
            raise ValueError("; ".join(f"managed.{field}: {problem}" for field, problem in found.items()))


class ManagedPostgres(pulumi.ComponentResource):
    """An RDS for PostgreSQL instance that only one security group reaches, and only over TLS.

    Raises: nothing of its own; its arguments do.
    Replaces: another identifier, user name, database name or key means another, empty instance; `protect` refuses it,
    and `replacement_problems` says so before the preview. A snapshot is read only when an instance is made: taking
    `snapshot_identifier` out later changes nothing. All else changes in place, some of it with a restart.
    Survives a destroy: the KMS key, always, and with it what it encrypts: a final snapshot and the automated backups.
    With `protect` the destroy itself is refused, by Pulumi and by RDS: it takes an update without `protect` first.
    """

    database: Database
    """How to connect; its password is secret."""
    instance: aws.rds.Instance
    """Available: the provider waits for it."""
    ready: tuple[pulumi.Resource, ...]
    """What must be there before anything connects."""
    key_arn: pulumi.Output[str]
    """The key that encrypts storage, backups, logs and Performance Insights."""

    def __init__(self, name: str, args: ManagedPostgresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        managed, tags = args.managed, dict(args.tags)
        child = pulumi.ResourceOptions(parent=self)
        # In descriptions that EC2 takes too: it has no apostrophes.
        of_airflow = f"Database {managed.identifier} of Airflow"

        key = aws.kms.Key(
            f"{name}-key",
            description=f"{of_airflow}: storage, backups, logs, Performance Insights",
            enable_key_rotation=True,
            deletion_window_in_days=_KEY_DELETION_DAYS,
            policy=json.dumps(database_key_policy(args.account_id, args.region, managed.identifier)),
            tags=tags,
            # Whoever deletes the key deletes every snapshot and backup.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, retain_on_delete=True),
        )
        aws.kms.Alias(f"{name}-key", name=f"alias/{managed.identifier}", target_key_id=key.key_id, opts=child)
        self.key_arn = key.arn

        group = aws.ec2.SecurityGroup(
            name,
            description=f"{of_airflow}: PostgreSQL from the cluster, nothing out",
            vpc_id=args.vpc_id,
            tags=tags,
            opts=child,
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
            opts=child,
        )
        # Its generated name lets another family's group be made before the instance leaves this one.
        parameters = aws.rds.ParameterGroup(
            name,
            description=of_airflow,
            family=f"{ENGINE}{ENGINE_MAJOR}",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(name=parameter, value=value, apply_method=method)
                for parameter, value, method in PARAMETERS
            ],
            tags=tags,
            opts=child,
        )

        # Made before RDS does: its own keep what is logged for ever, and statements hold data.
        logs = [
            aws.cloudwatch.LogGroup(
                f"{name}-{kind}",
                name=log_group_name(managed.identifier, kind),
                retention_in_days=_LOG_RETENTION_DAYS,
                kms_key_id=key.arn,
                tags=tags,
                opts=child,
            )
            for kind in LOG_EXPORTS
        ]
        monitoring = aws.iam.Role(
            f"{name}-monitoring",
            description=f"{of_airflow}: enhanced monitoring",
            assume_role_policy=json.dumps(monitoring_trust(args.account_id, args.region, managed.identifier)),
            tags=tags,
            opts=child,
        )
        monitoring_policy = aws.iam.RolePolicyAttachment(
            f"{name}-monitoring",
            role=monitoring.name,
            policy_arn=monitoring_policy_arn(args.region),
            opts=child,
        )

        # Generated once: RDS refuses a final snapshot under a name that is taken, by that of an earlier stack too.
        final_snapshot = random.RandomUuid(f"{name}-final-snapshot", opts=child)
        snapshot = managed.snapshot_identifier
        snapshot_tag = {} if snapshot is None else {RESTORED_FROM_TAG: restored_from(snapshot)}
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
            snapshot_identifier=snapshot,
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
            tags=tags | snapshot_tag,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                depends_on=[monitoring_policy, *logs, *args.after],
                # A snapshot is where an instance comes from, not what it is: with the key taken out it stays.
                ignore_changes=["snapshotIdentifier"],
                # RDS would rename it in place, `protect` or not: whoever names another means another instance.
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
