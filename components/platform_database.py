"""The database of a platform, made from its arguments: in RDS, its Jobs and backups, and where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi

import versions
from components.aws.placement import placed
from components.chart_values.running import Running
from components.database.access import DatabaseAccess
from components.database.backups import DatabaseBackupsArgs
from components.database.connection import Database, ExternalDatabase
from components.database.container import POD_LABELS, PORT
from components.database.database_roles import DatabaseRoles, DatabaseRolesArgs
from components.database.job_template import DatabaseJob, job_template
from components.database.migration import ADMIN_USER_LABELS, MIGRATION_LABELS, DatabaseMigrationArgs
from components.database.rds_settings import ManagedDatabase
from components.keys.airflow_keys import AirflowKeys
from components.kube.images import POSTGRES_REPOSITORY, Images
from components.network.addresses import overlap
from components.network.database_place import DatabaseCidrs, DatabasePods, database_cidrs
from components.platform_args import AirflowPlatformArgs
from components.release.job_pods import ADMIN_USER, job_pod


def managed_database(
    platform: pulumi.ComponentResource,
    name: str,
    args: AirflowPlatformArgs,
    managed: ManagedDatabase,
    keys: AirflowKeys,
) -> tuple[Database, tuple[pulumi.Resource, ...]]:
    """Make a database in RDS with its alarms. Return it, and the resources that must exist before anything connects.

    Its password is what Airflow's pods know. It is the master user's too, unless that has its own.
    """
    # Imported here, because only stacks in AWS need the AWS SDK, which loads slowly.
    from components.database.rds import ManagedPostgres, ManagedPostgresArgs
    from components.database.rds_alarms import Capacity, DatabaseAlarms, DatabaseAlarmsArgs
    from components.database.rds_instance_class import instance_memory_gib, max_connections

    child = pulumi.ResourceOptions(parent=platform)
    aws = placed(args.aws, "database")
    assert keys.database_password is not None
    master_password = args.logins.master_password
    postgres = ManagedPostgres(
        f"{name}-postgres",
        ManagedPostgresArgs(
            managed=managed,
            password=keys.database_password if master_password is None else master_password,
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
    return replace(postgres.database, password=keys.database_password), (*postgres.ready, *alarms)


def database_roles(
    platform: pulumi.ComponentResource,
    name: str,
    args: AirflowPlatformArgs,
    job: DatabaseJob,
    namespace: pulumi.Input[str],
    database: Database,
    ready: tuple[pulumi.Resource, ...],
) -> DatabaseRoles | None:
    """Make the roles of a managed database; None while Airflow logs in as its master user, and for other databases.

    Args:
        platform: The parent.
        name: Name of the platform.
        args: Its arguments.
        job: See `database_job`.
        namespace: Its namespace.
        database: The database, with the password that Airflow's pods know.
        ready: What must exist before anything connects.
    """
    logins = args.logins
    if not isinstance(args.database, ManagedDatabase) or (logins.used is None and logins.coming is None):
        return None
    password = database.password if logins.master_password is None else logins.master_password
    return DatabaseRoles(
        f"{name}-database-roles",
        DatabaseRolesArgs(
            namespace=namespace,
            job=job,
            master=replace(database, password=password),
            logins=logins,
            after=ready,
        ),
        pulumi.ResourceOptions(parent=platform),
    )


def database_job(args: AirflowPlatformArgs, images: Images, access: DatabaseAccess) -> DatabaseJob:
    """Return what all pods have that connect to the database themselves.

    Args:
        args: Arguments of the platform.
        images: Its images, with the stack's own pull Secret.
        access: How its database is reached.
    """
    return DatabaseJob(
        images=images,
        migration_secret=access.migration_secret,
        ca_config_map=access.ca_config_map,
        pod=job_pod(args.helm_values, args.client_certificate),
    )


def judged_pods(args: AirflowPlatformArgs, images: Images) -> list[dict[str, Any]]:
    """Return a pod of each Job that connects to the database, as quotas, limit ranges and policies judge them.

    They run one after the other. None has variables, because a check's document holds no secret.
    """
    jobs = {"the migration": "migrateDatabaseJob", "the admin user's Job": ADMIN_USER}
    if args.running is Running.STOPPED:
        jobs = {}
    if args.logins.used is not None or args.logins.coming is not None:
        jobs["the database's roles"] = "migrateDatabaseJob"
    if args.backup_schedule:
        jobs["the backups"] = "migrateDatabaseJob"
    found = []
    for component, name in jobs.items():
        pod = replace(job_pod(args.helm_values, args.client_certificate, name), env=())
        labels = ADMIN_USER_LABELS if name == ADMIN_USER else MIGRATION_LABELS
        template = job_template(images, labels, [], [], ca_config_map=None, pod=pod)
        found.append({"component": component, "pods": 1, "alone": True, "pod": template})
    return found


def migration_args(
    args: AirflowPlatformArgs,
    job: DatabaseJob,
    namespace: pulumi.Input[str],
    keys: AirflowKeys,
    begun: pulumi.Output[bool] | None,
    after: tuple[pulumi.Resource, ...],
) -> DatabaseMigrationArgs:
    """Return the arguments of the Jobs. begun: what they wait for instead of a container that serves, if there is one.

    The others are as in `backup_args`.
    """
    return DatabaseMigrationArgs(
        namespace=pulumi.Output.all(namespace, begun).apply(lambda known: str(known[0])),
        job=job,
        admin_user_pod=job_pod(args.helm_values, args.client_certificate, ADMIN_USER),
        fernet_key_secret=keys.fernet_key_secret,
        admin_username=args.admin_username,
        admin_email=args.admin_email,
        admin_password_secret=keys.admin_password_secret,
        pools=args.pools,
        timeout_seconds=args.migration_timeout_seconds,
        after=after,
    )


def backup_args(
    args: AirflowPlatformArgs, job: DatabaseJob, namespace: pulumi.Input[str], keys: AirflowKeys
) -> DatabaseBackupsArgs:
    """Return the arguments of `DatabaseBackups`.

    Args:
        args: Arguments of the platform.
        job: See `database_job`.
        namespace: Its namespace.
        keys: Its keys.
    """
    return DatabaseBackupsArgs(
        namespace=namespace,
        storage_gib=args.backup_storage_gib,
        schedule=args.backup_schedule,
        retention_days=args.backup_retention_days,
        suspended=args.running is Running.STOPPED,
        protect=args.protect,
        job=job,
        postgres_image=postgres_image(args.images),
        fernet_key_secret=keys.fernet_key_secret,
    )


def postgres_image(images: Images) -> str:
    """Return the image of a container database, and of backups."""
    return f"{images.mirrored(POSTGRES_REPOSITORY)}:{versions.POSTGRES_IMAGE_TAG}"


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
