"""The database of a platform, made from its arguments: in RDS, and where it is in the network."""

from __future__ import annotations

import pulumi

from components.aws.placement import placed
from components.database.connection import Database, ExternalDatabase
from components.database.container import POD_LABELS, PORT
from components.database.rds_settings import ManagedDatabase
from components.keys.airflow_keys import AirflowKeys
from components.network.addresses import overlap
from components.network.database_place import DatabaseCidrs, DatabasePods, database_cidrs
from components.platform_args import AirflowPlatformArgs


def managed_database(
    platform: pulumi.ComponentResource,
    name: str,
    args: AirflowPlatformArgs,
    managed: ManagedDatabase,
    keys: AirflowKeys,
) -> tuple[Database, tuple[pulumi.Resource, ...]]:
    """Make a database in RDS with its alarms. Return it, and the resources that must exist before anything connects."""
    # Imported here, because only stacks in AWS need the AWS SDK, which loads slowly.
    from components.database.rds import ManagedPostgres, ManagedPostgresArgs
    from components.database.rds_alarms import Capacity, DatabaseAlarms, DatabaseAlarmsArgs
    from components.database.rds_instance_class import instance_memory_gib, max_connections

    child = pulumi.ResourceOptions(parent=platform)
    aws = placed(args.aws, "database")
    assert keys.database_password is not None
    postgres = ManagedPostgres(
        f"{name}-postgres",
        ManagedPostgresArgs(
            managed=managed,
            password=keys.database_password,
            account_id=aws.cluster.account_id,
            region=aws.cluster.region,
            vpc_id=aws.cluster.vpc_id,
            subnet_ids=tuple(subnet.id for subnet in aws.database_subnets),
            client_security_group_id=aws.cluster.security_group_id,
            ca_certificates=aws.database_ca_certificates,
            protect=args.protect,
            # A stack that cannot store its keys, because another's are there, must not create a database either.
            after=keys.stored,
            tags=aws.tags,
            permissions_boundary=aws.permissions_boundary,
        ),
        child,
    )
    alarms: tuple[pulumi.Resource, ...] = ()
    if managed.alarm_topic_arn is not None:
        alarms = DatabaseAlarms(
            f"{name}-alarms",
            DatabaseAlarmsArgs(
                identifier=managed.identifier,
                instance=postgres.instance.identifier,
                topic_arn=managed.alarm_topic_arn,
                capacity=Capacity(
                    storage_gib=managed.storage_gib,
                    memory_gib=instance_memory_gib(managed.instance_class),
                    max_connections=max_connections(managed.instance_class),
                    burstable=managed.instance_class.startswith("db.t"),
                ),
                tags=aws.tags,
            ),
            child,
        ).alarms
    # A destroy stops at the protected release. It must not have deleted the alarms by then.
    return postgres.database, (*postgres.ready, *alarms)


def database_place(args: AirflowPlatformArgs) -> DatabaseCidrs | DatabasePods:
    """Return where the network policies let components reach the database."""
    database = args.database
    if isinstance(database, ExternalDatabase):
        cluster = args.aws.cluster if args.aws else None
        subnets = [subnet.cidr for subnet in cluster.subnets] if cluster else []
        return database_cidrs(
            str(database.database.host),
            database.cidrs,
            database.database.port,
            shared=overlap(database.cidrs, subnets),
        )
    if isinstance(database, ManagedDatabase):
        aws = placed(args.aws, "database")
        cidrs = tuple(subnet.cidr for subnet in aws.database_subnets)
        return DatabaseCidrs(cidrs=cidrs, port=database.port, shared=aws.subnets_shared)
    return DatabasePods(labels=POD_LABELS, port=PORT)
