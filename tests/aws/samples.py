"""Small whole arguments of what a stack has in AWS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.database.rds import ManagedPostgres, ManagedPostgresArgs
from components.database.rds_alarms import Capacity, DatabaseAlarms, DatabaseAlarmsArgs
from components.database.rds_existing import ExistingInstance
from components.database.rds_settings import CertificateAuthority, ManagedDatabase
from components.kube.secret import Secret

ACCOUNT: Final = "123456789012"
"""Of the recorder, and of moto."""
REGION: Final = "eu-central-1"
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:on-call"
PASSWORD: Final = "sentinel-database-password"
TAGS: Final = {"team": "data"}
CAPACITY: Final = Capacity(storage_gib=100, memory_gib=8, max_connections=778, burstable=False)


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a stack finds in AWS: a network, two subnets in it, and the security group of the cluster."""

    vpc_id: str = "vpc-1"
    subnet_ids: tuple[str, ...] = ("subnet-1", "subnet-2")
    client_security_group_id: str = "sg-1"


def managed(**changes: Any) -> ManagedDatabase:
    """Settings of a small production database."""
    settings: dict[str, Any] = {
        "identifier": "airflow",
        "instance_class": "db.m7g.large",
        "engine_version": "17",
        "name": "airflow",
        "username": "airflow",
        "storage_gib": 100,
        "max_storage_gib": 1000,
        "multi_az": True,
        "backup_retention_days": 14,
        "backup_window": "02:00-03:00",
        "maintenance_window": "sun:03:30-sun:04:30",
        "ca_identifier": CertificateAuthority.RSA_2048,
        "apply_immediately": False,
        "snapshot_identifier": None,
        "alarm_topic_arn": None,
        "performance_insights_retention_days": 7,
    }
    return ManagedDatabase(**settings | changes)


def existing_instance() -> ExistingInstance:
    """What RDS says of an instance made with `managed()`."""
    return ExistingInstance(
        identifier="airflow",
        status="available",
        engine="postgres",
        engine_version="17.6",
        name="airflow",
        username="airflow",
        storage_gib=100,
        max_storage_gib=1000,
        storage_encrypted=True,
        restored_from=None,
    )


@functools.cache
def postgres(
    settings: ManagedDatabase | None = None,
    *,
    network: Network | None = None,
    protect: bool = True,
    after: Callable[[], tuple[pulumi.Resource, ...]] = tuple,
) -> Callable[[], ManagedPostgres]:
    """A program with one managed database and nothing else."""
    found = network or Network()

    def program() -> ManagedPostgres:
        args = ManagedPostgresArgs(
            managed=settings or managed(),
            password=Secret(PASSWORD),
            account_id=ACCOUNT,
            region=REGION,
            vpc_id=found.vpc_id,
            subnet_ids=found.subnet_ids,
            client_security_group_id=found.client_security_group_id,
            ca_certificates="sentinel-pem",
            protect=protect,
            after=after(),
            tags=TAGS,
        )
        return ManagedPostgres("database", args)

    return program


def alarms(capacity: Capacity | None = None) -> Callable[[], DatabaseAlarms]:
    """A program with the alarms of `managed()` alone."""

    def program() -> DatabaseAlarms:
        args = DatabaseAlarmsArgs(
            identifier="airflow", instance="airflow", topic_arn=TOPIC, capacity=capacity or CAPACITY, tags=TAGS
        )
        return DatabaseAlarms("alarms", args)

    return program
