"""The scheduled verification of a platform, made from its arguments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import pulumi

from components.aws.placement import placed
from components.aws_access import AwsAccess
from components.chart_values.metrics import Monitoring
from components.chart_values.running import Running
from components.database.access import DatabaseAccess
from components.database.migration import DatabaseMigration
from components.keys.airflow_keys import AirflowKeys
from components.kube.images import Images
from components.network.pods import API_SERVER_PORT
from components.platform_args import AirflowPlatformArgs
from components.release.airflow_release import API_SERVER_SERVICE, RELEASE_NAME
from components.release.job_pods import job_pod
from components.verification.pods import VerificationPods, run_template
from components.verification.scheduled import ScheduledVerification, ScheduledVerificationArgs
from components.verification.verified import Verified

_LATER: Final = "not-made-yet"


def scheduled_verification(
    platform: pulumi.Resource,
    name: str,
    args: AirflowPlatformArgs,
    namespace: pulumi.Input[str],
    images: Images,
    keys: AirflowKeys,
    access: DatabaseAccess,
    in_aws: AwsAccess,
    migration: DatabaseMigration | None,
    around: Sequence[pulumi.Resource],
) -> tuple[pulumi.Resource, ...]:
    """Register the scheduled run of a DAG, and the alarm on its logs, as children of the platform, named `name`.

    Return what the release comes after: all of it in a protected stack, whose destroy stops at the release and leaves
    it; nothing in another, where the release need not wait.

    Args:
        platform: The platform.
        name: Its name.
        args: Its arguments.
        namespace: Its namespace.
        images: Its images, with the stack's own pull Secret.
        keys: Its keys.
        access: Its ways into the database.
        in_aws: What its pods use in AWS.
        migration: The Job without which there are no users, or None where nothing runs.
        around: The policies, and what else is there before any pod.
    """
    verified = args.verified
    if verified is None or migration is None or args.running is not Running.ALL:
        return ()
    child = pulumi.ResourceOptions(parent=platform)
    pods = replace(
        _pods(args, images, verified),
        migration_secret=access.migration_secret,
        fernet_key_secret=keys.fernet_key_secret,
        ca_config_map=access.ca_config_map,
    )
    alarms: tuple[pulumi.Resource, ...] = ()
    if verified.alarm_topic_arn is not None and in_aws.log_bucket is not None:
        # Imported here, because only stacks in AWS need the AWS SDK, which loads slowly.
        from components.task_logs.log_alarm import TaskLogAlarm, TaskLogAlarmArgs

        alarm_args = TaskLogAlarmArgs(
            bucket=in_aws.log_bucket,
            dag_id=verified.dag_id,
            seconds=verified.seconds,
            topic_arn=verified.alarm_topic_arn,
            tags=placed(args.aws, "verified.alarm_topic_arn").tags,
        )
        alarms = TaskLogAlarm(f"{name}-verification-alarm", alarm_args, child).resources
    scheduled = ScheduledVerification(
        f"{name}-verification",
        ScheduledVerificationArgs(
            namespace=namespace,
            pods=pods,
            secret=f"{name}-keys-verification",
            after=(migration.migration, *around),
        ),
        child,
    )
    return (*scheduled.resources, *alarms) if args.protect else ()


def verification_pod(args: AirflowPlatformArgs, images: Images) -> dict[str, Any] | None:
    """Return the pod that runs the DAG, to ask a cluster whether it admits it; None if there is none.

    The cluster judges the pod, not whether its Secret is there; that must have the form of a name.
    """
    return None if args.verified is None else run_template(_pods(args, images, args.verified), _LATER)


def _pods(args: AirflowPlatformArgs, images: Images, verified: Verified) -> VerificationPods:
    """Return what the pods run with, but for what is made."""
    path = args.ingress.path.rstrip("/") if args.ingress else ""
    return VerificationPods(
        release_name=RELEASE_NAME,
        verified=verified,
        url=f"http://{API_SERVER_SERVICE}:{API_SERVER_PORT}{path}",
        images=images,
        migration_secret=_LATER,
        fernet_key_secret=_LATER,
        monitored=args.monitoring is not Monitoring.OFF,
        pod=job_pod(args.helm_values, args.client_certificate),
    )
