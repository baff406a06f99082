"""Looks up in AWS what the program must know before it registers anything. It only reads.

It returns the cluster, the networks of the database and the keys in the escrow, and refuses a config that does not fit
an existing instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from components.aws.eks_cluster import EksCluster, Subnet, find_cluster, find_subnets
from components.aws.placement import AwsPlacement
from components.database.rds_certificates import rds_certificates
from components.database.rds_lookup import InstanceError, check_existing_instance
from components.database.rds_settings import ManagedDatabase, subnet_problem
from components.keys.escrow_reader import read_escrowed_keys
from components.keys.given_keys import GivenKeys
from components.network.database_place import DatabaseCidrs
from components.network.extra_egress import broker_egress, extra_egress_rules
from components.platform_args import AirflowPlatformArgs
from settings.errors import SettingsError, problem_text, remove_command
from settings.keys import ConfigKey
from settings.model import Settings
from settings.sections.broker import BROKER_CIDRS, NOTHING_OPENED
from settings.sections.database import (
    CA_CERTIFICATE,
    ENGINE_VERSION,
    IDENTIFIER,
    MAX_STORAGE_GIB,
    NAME,
    SNAPSHOT_IDENTIFIER,
    SUBNET_IDS,
    USER,
)
from settings.sections.extra_egress import DATABASE_ALONE
from settings.sections.isolation import EXTRA_EGRESS
from settings.sections.keys import KeySource

_KEYS: Final[Mapping[str, ConfigKey[Any]]] = {
    "engine_version": ENGINE_VERSION,
    "identifier": IDENTIFIER,
    "max_storage_gib": MAX_STORAGE_GIB,
    "name": NAME,
    "snapshot_identifier": SNAPSHOT_IDENTIFIER,
    "username": USER,
}
"""Keys of the fields that an existing instance decides."""


def look_up(settings: Settings, stack: str) -> AirflowPlatformArgs:
    """Return the platform's arguments with everything that AWS tells. Raises SettingsError, AwsError."""
    assert settings.aws is not None
    choice, platform = settings.aws, settings.platform
    cluster = find_cluster(choice.cluster, choice.region, choice.account_id)
    subnets: tuple[Subnet, ...] = ()
    certificates = ""
    if isinstance(platform.database, ManagedDatabase):
        _check_existing_instance(platform.database, choice.region, stack)
        subnets = _database_subnets(settings, cluster, stack)
        _check_extra_egress(platform, subnets, stack)
        certificates = settings.database.ca_certificates or _rds_certificates(choice.region, stack)
    keys = platform.keys
    if settings.key_source is KeySource.ESCROW:
        keys = replace(
            _escrowed(platform.key_escrow or "", choice.region, managed=bool(subnets)),
            coming_jwt_secret=platform.keys.coming_jwt_secret,
            redis_server_password=platform.keys.redis_server_password,
        )
    return replace(
        platform,
        kubeconfig=cluster.kubeconfig,
        kube_context=cluster.context,
        keys=keys,
        # With keys from the escrow there is nothing to store: the stack has just read them there.
        key_escrow=platform.key_escrow if settings.key_source is KeySource.GENERATE else None,
        aws=AwsPlacement(
            cluster=cluster,
            database_subnets=subnets,
            subnets_shared=not {subnet.id for subnet in cluster.subnets}.isdisjoint(subnet.id for subnet in subnets),
            database_ca_certificates=certificates,
            tags=choice.tags,
            permissions_boundary=choice.permissions_boundary,
        ),
    )


def _check_existing_instance(wanted: ManagedDatabase, region: str, stack: str) -> None:
    try:
        check_existing_instance(wanted, region)
    except InstanceError as error:
        if not error.replacements:
            raise
        problems = []
        for found in error.replacements:
            key = _KEYS[found.field]
            fix = found.fix(f"pulumi config set {key.full} {found.value}", remove_command(key))
            problems.append(problem_text(stack, key.full, found.text, fix))
        raise SettingsError(stack, problems) from None


def _database_subnets(settings: Settings, cluster: EksCluster, stack: str) -> tuple[Subnet, ...]:
    ids = settings.database.subnet_ids
    subnets = find_subnets(ids, cluster) if ids else cluster.private_subnets
    problem = subnet_problem([subnet.availability_zone for subnet in subnets])
    public = [subnet.id for subnet in subnets if not subnet.private]
    if problem is None and public:
        problem = f"expected private subnets, found {', '.join(public)} with a route from the internet"
    if problem is not None:
        key = SUBNET_IDS.full
        whose = f"of {key}" if ids else f"that the EKS cluster {cluster.name} has as private ones"
        fix = f"pulumi config set --path '{key}[0]' SUBNET, and so on with [1]"
        raise SettingsError(stack, [problem_text(stack, key, f"{problem} ({whose})", fix)])
    return subnets


def _check_extra_egress(platform: AirflowPlatformArgs, subnets: tuple[Subnet, ...], stack: str) -> None:
    """Raise SettingsError for what names nothing but the port of the managed database: entries, and the broker."""
    assert isinstance(platform.database, ManagedDatabase)
    database = DatabaseCidrs(cidrs=tuple(subnet.cidr for subnet in subnets), port=platform.database.port)
    isolation = platform.isolation
    problems = [
        problem_text(
            stack,
            EXTRA_EGRESS.full,
            f"entry {number}: {DATABASE_ALONE}",
            f"edit {EXTRA_EGRESS.full} in Pulumi.STACK.yaml",
        )
        for number, entry in enumerate(isolation.extra_egress)
        if not extra_egress_rules(entry, isolation.egress_except, database)
    ]
    broker = platform.broker and broker_egress(platform.broker.cidrs, platform.broker.port)
    if broker and broker.cidrs and not extra_egress_rules(broker, isolation.egress_except, database):
        fix = f"pulumi config set --path '{BROKER_CIDRS.full}[{len(broker.cidrs)}]' NETWORK"
        problems.append(problem_text(stack, BROKER_CIDRS.full, NOTHING_OPENED, fix))
    if problems:
        raise SettingsError(stack, problems)


def _rds_certificates(region: str, stack: str) -> str:
    try:
        return rds_certificates(region)
    except ValueError as error:
        raise SettingsError(stack, [f"{CA_CERTIFICATE.full}: {error}"]) from None


def _escrowed(name: str, region: str, *, managed: bool) -> GivenKeys:
    keys = read_escrowed_keys(name, region)
    return GivenKeys(
        fernet_key=keys.fernet_key,
        api_secret_key=keys.api_secret_key,
        jwt_secret=keys.jwt_secret,
        redis_password=keys.redis_password,
        admin_password=keys.admin_password,
        database_password=keys.database_password if managed else None,
    )
