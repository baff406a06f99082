"""The outputs of a stack, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi

import outputs
from components.aws_access import AwsAccess
from components.chart_values.running import Running
from components.database.access import DatabaseAccess
from components.database.connection import Database
from components.keys.airflow_keys import AirflowKeys
from components.network.pods import API_SERVER_PORT
from components.platform_args import AirflowPlatformArgs
from components.release.airflow_release import API_SERVER_SERVICE, RELEASE_NAME


def platform_outputs(
    args: AirflowPlatformArgs,
    namespace: pulumi.Input[str],
    database: Database,
    keys: AirflowKeys,
    access: DatabaseAccess,
    in_aws: AwsAccess,
    before: Sequence[pulumi.Resource],
) -> dict[str, pulumi.Input[Any]]:
    """Return the outputs of the platform itself (see outputs.py); none is a secret.

    before: What must succeed before anything that runs changes. The engine stores the outputs of a stack all at once,
    so one that waits for these is enough: an update that a check or the migration ends leaves the outputs as they were.
    """
    found: dict[str, pulumi.Input[Any]] = {
        outputs.NAMESPACE: namespace,
        outputs.RELEASE_NAME: RELEASE_NAME,
        outputs.KUBE_CONTEXT: args.kube_context,
        outputs.EXECUTOR: args.executor.value,
        outputs.IMAGE: pulumi.Output.all(*(item.urn for item in before)).apply(lambda _: args.images.airflow),
        outputs.API_SERVER_SERVICE: API_SERVER_SERVICE,
        outputs.API_SERVER_PORT: API_SERVER_PORT,
        outputs.ADMIN_USERNAME: args.admin_username,
        outputs.ADMIN_PASSWORD_SECRET: keys.admin_password_secret,
        outputs.FERNET_KEY_SECRET: keys.fernet_key_secret,
        outputs.API_SECRET_KEY_SECRET: keys.api_secret_key_secret,
        outputs.JWT_SECRET: keys.jwt_secret,
        outputs.REDIS_PASSWORD_SECRET: keys.redis_password_secret,
        outputs.METADATA_SECRET: access.metadata_secret,
        outputs.DATABASE_HOST: database.host,
        outputs.DATABASE_PORT: database.port,
        outputs.POOLER_HOST: f"{RELEASE_NAME}-pgbouncer" if args.pgbouncer else "",
        outputs.DAGS_REPOSITORY: args.dags.repository.url,
        outputs.DAGS_DELIVERY: args.dags.delivery.value,
        outputs.DAGS_SYNC_PERIOD_SECONDS: args.dags.sync_period_seconds,
        outputs.ISOLATION: args.isolation.mode.value,
        outputs.LOAD_EXAMPLES: args.load_examples,
        outputs.TASK_LOGS: in_aws.remote_logs.folder if in_aws.remote_logs else "",
        outputs.UI_URL: args.ingress.url if args.ingress else "",
    }
    if args.running is not Running.ALL:
        found[outputs.RUNNING] = args.running.value
    if args.dags.bundles:
        found[outputs.DAG_BUNDLES] = {bundle.name: bundle.repository.url for bundle in args.dags.bundles}
    if args.worker_groups:
        found[outputs.WORKER_GROUPS] = {group.name: list(group.queues) for group in args.worker_groups}
    return found
