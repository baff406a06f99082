"""Runs a DAG by a schedule through Airflow's API, so that somebody notices if the deployment runs no tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pulumi

from components.chart_values.availability import component_labels
from components.keys.generated_password import generated_password
from components.kube.immutable_secret import immutable_secret
from components.kube.kube_object import KubeObject
from components.kube.metadata import object_metadata
from components.network.pods import VERIFICATION
from components.verification.pods import PASSWORD_KEY, VerificationPods, run_template, user_template
from components.verification.verified import RUN_SECONDS

TYPE: Final = "airflow:index:ScheduledVerification"

_PASSWORD_LENGTH: Final = 32
_USER_SECONDS: Final = 600
_MARGIN_SECONDS: Final = 180
"""Time to schedule the pod, and for the log and the last requests after the run."""
_LATE_SECONDS: Final = 300
"""A verification that could not begin for so long is left out."""


@dataclass(frozen=True, kw_only=True)
class ScheduledVerificationArgs:
    """Arguments of `ScheduledVerification`."""

    namespace: pulumi.Input[str]
    """Namespace of the stack."""
    pods: VerificationPods
    """What the pods run with."""
    secret: str
    """Beginning of the name of the Secret with the password; by it the cluster knows a Secret that is not for tasks."""
    after: tuple[pulumi.Resource, ...] = ()
    """Resources that must exist first: a migrated database, and the policies."""


class ScheduledVerification(pulumi.ComponentResource):
    """A CronJob that runs a DAG, and a Job that makes the user by which it logs in.

    Raises: nothing of its own. The update fails when the Job fails, and shows the last lines of its log.
    Replaces: another DAG or another password makes another Job; the image does not. The CronJob changes in place.
    Survives a destroy: the user, in the database. Its password is in no Secret any more.
    """

    resources: tuple[pulumi.Resource, ...]
    """The Job and the CronJob."""

    def __init__(self, name: str, args: ScheduledVerificationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(TYPE, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # Never protected: it opens nothing that a new one does not.
        password = generated_password(f"{name}-password", _PASSWORD_LENGTH, child)
        login = immutable_secret(args.secret, args.namespace, {PASSWORD_KEY: password}, child)
        user = KubeObject(
            "batch/v1",
            "Job",
            f"{name}-user",
            {"metadata": object_metadata(args.namespace), "spec": _job(user_template(args.pods, login))},
            pulumi.ResourceOptions(
                parent=self,
                depends_on=args.after,
                ignore_changes=["spec.template.spec.containers[0].image"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{_USER_SECONDS + 30}s"),
            ),
        )
        labels = component_labels(args.pods.release_name, VERIFICATION)
        cron = KubeObject(
            "batch/v1",
            "CronJob",
            name,
            {"metadata": object_metadata(args.namespace, labels), "spec": _schedule(args.pods, login)},
            pulumi.ResourceOptions(parent=self, depends_on=user),
        )
        self.resources = (user, cron)
        self.register_outputs({"password_secret": login})


def _job(template: dict[str, Any]) -> Any:
    return {"backoffLimit": 2, "activeDeadlineSeconds": _USER_SECONDS, "template": template}


def _schedule(pods: VerificationPods, password_secret: pulumi.Input[str]) -> Any:
    return {
        "schedule": pods.verified.schedule,
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": _LATE_SECONDS,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {
            "spec": {
                # Not again at once: a failure is to be seen.
                "backoffLimit": 0,
                "activeDeadlineSeconds": RUN_SECONDS + _MARGIN_SECONDS,
                "template": run_template(pods, password_secret),
            },
        },
    }
