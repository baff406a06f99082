"""The RDS instance that a stack makes, and what must fit together for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from components.database import rds_settings
from components.database.rds_settings import ManagedDatabase
from settings.keys import ConfigKey
from settings.reading import Config
from settings.restoration import InstanceRestoration
from settings.sections import database as db
from settings.sections.cluster import PROTECT, AwsChoice, needs_aws

_INSIGHTS_RETENTION_DAYS: Final = 7  # the free tier's


def read_managed(config: Config) -> ManagedDatabase:
    """Return the settings of the instance."""
    restoration = config[db.RESTORE]
    move = restoration.move if isinstance(restoration, InstanceRestoration) else None
    return ManagedDatabase(
        identifier=config[db.IDENTIFIER] or "",
        instance_class=config[db.INSTANCE_CLASS],
        engine_version=config[db.ENGINE_VERSION],
        name=config[db.NAME],
        username=config[db.USER],
        storage_gib=config[db.STORAGE_GIB],
        max_storage_gib=config[db.MAX_STORAGE_GIB],
        multi_az=config[db.MULTI_AZ],
        backup_retention_days=config[db.BACKUP_RETENTION_DAYS],
        backup_window=config[db.BACKUP_WINDOW],
        maintenance_window=config[db.MAINTENANCE_WINDOW],
        ca_identifier=config[db.CA_IDENTIFIER],
        apply_immediately=config[db.APPLY_IMMEDIATELY],
        snapshot_identifier=config[db.SNAPSHOT_IDENTIFIER],
        alarm_topic_arn=config[db.ALARM_TOPIC_ARN],
        performance_insights_retention_days=_INSIGHTS_RETENTION_DAYS,
        move=move,
    )


def check_managed(config: Config, managed: ManagedDatabase, aws: AwsChoice | None) -> None:
    """Note what does not fit together. Each setting by itself was checked when its key was read."""
    needs_aws(config, aws, db.DATABASE, "the instance is")
    if config[db.IDENTIFIER] is None:
        config.problem(db.IDENTIFIER, "expected a value, found none")
    if managed.move is not None and managed.identifier not in (managed.move.old, managed.move.new):
        config.problem(
            db.IDENTIFIER,
            f"expected {managed.move.old} or {managed.move.new} during the restore, found {managed.identifier}",
        )
    # An external database takes more names than RDS does.
    _check(config, db.NAME, rds_settings.database_name)
    _check(config, db.USER, rds_settings.username)
    _check_alarm_topic(config, aws)
    _check_storage_and_windows(config, managed)
    if not config[db.PGBOUNCER_ENABLED]:
        config.problem(
            db.PGBOUNCER_ENABLED,
            f"expected true with {db.DATABASE.full} managed, found false: only PgBouncer may reach the instance, and "
            "it verifies the instance's certificate",
            f"pulumi config set {db.PGBOUNCER_ENABLED.full} true",
        )
    if config[PROTECT] and not managed.multi_az:
        config.problem(
            db.MULTI_AZ,
            f"expected true if {PROTECT.full} is true, found false: Airflow would stop if the database's zone fails",
            f"pulumi config set {db.MULTI_AZ.full} true",
        )


def _check(config: Config, key: ConfigKey[str], check: Callable[[str], str]) -> None:
    if not config.bad(key):
        try:
            check(config[key])
        except ValueError as error:
            config.problem(key, str(error))


def _check_alarm_topic(config: Config, aws: AwsChoice | None) -> None:
    topic = config[db.ALARM_TOPIC_ARN]
    if topic and aws and aws.region:
        problem = rds_settings.topic_region_problem(topic, aws.region, "the database")
        if problem is not None:
            config.problem(db.ALARM_TOPIC_ARN, problem)


def _check_storage_and_windows(config: Config, managed: ManagedDatabase) -> None:
    keys: dict[str, ConfigKey[Any]] = {
        "storage_gib": db.STORAGE_GIB,
        "max_storage_gib": db.MAX_STORAGE_GIB,
        "maintenance_window": db.MAINTENANCE_WINDOW,
    }
    if config.bad(db.BACKUP_WINDOW, db.MAINTENANCE_WINDOW):
        problems = rds_settings.storage_problems(managed)
    else:
        problems = {**rds_settings.storage_problems(managed), **rds_settings.window_problems(managed)}
    for field, problem in problems.items():
        config.problem(keys[field], problem)
