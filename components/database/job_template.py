"""The pods that connect to the database themselves, such as those of the migration, of backups and of the preflight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi

from components.database.access import ca_mounts, ca_variables, ca_volumes, database_variables
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.kube.metadata import LABELS
from components.kube.pod_security import AIRFLOW_UID, CONTAINER, followed, pod_security_context

TRIED_AGAIN: Final = {"pulumi.com/replaceUnready": "true"}
"""Annotation of a Job: if it has failed, the next update makes another one.

Without it, the next update looks at the same Job again, which Kubernetes does not start a second time: it would fail
for ever, whatever has been repaired. A Job that still runs, because its update was cancelled, is replaced too. Airflow
lets one migration wait for the other.
"""


def job_environment(
    migration_secret: pulumi.Input[str],
    ca_config_map: pulumi.Input[str] | None,
    pod: JobPod,
    more: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the variables of the container.

    Args:
        migration_secret: Name of the Secret with the URIs that bypass PgBouncer.
        ca_config_map: Name of the ConfigMap with the CA certificates of the database, or None.
        pod: What a team says of the pods of Jobs.
        more: Further variables of the program, which win over a team's.
    """
    environment = [
        *database_variables(migration_secret),
        *map(dict, more),
        *ca_variables(ca_config_map),
    ]
    own = {entry["name"] for entry in environment}
    return [*environment, *(dict(entry) for entry in pod.env if entry["name"] not in own)]


def job_template(
    images: Images,
    labels: Mapping[str, str],
    command: Sequence[str],
    environment: Sequence[Mapping[str, Any]],
    *,
    ca_config_map: pulumi.Input[str] | None,
    pod: JobPod,
) -> dict[str, Any]:
    """Return metadata and spec of the pod.

    Args:
        images: The Airflow image.
        labels: The labels by which a network policy selects it.
        command: Arguments of the image's entry point.
        environment: See `job_environment`.
        ca_config_map: Name of the ConfigMap with the CA certificates of the database, or None.
        pod: What a team says of the pods of Jobs.
    """
    volumes = [*map(dict, pod.volumes), *ca_volumes(ca_config_map)]
    mounts = [*map(dict, pod.volume_mounts), *ca_mounts(ca_config_map)]
    annotations = {"annotations": dict(pod.annotations)} if pod.annotations else {}
    return {
        "metadata": {"labels": {**pod.labels, **LABELS, **labels}, **annotations},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": pull_secret} for pull_secret in images.pull_secrets],
            "securityContext": followed(pod_security_context(AIRFLOW_UID, gid=0), pod.security),
            "containers": [
                {
                    "name": "airflow",
                    "image": images.airflow,
                    "imagePullPolicy": images.pull_policy,
                    # Arguments, not a command: the image's entry point sets up the user and the paths.
                    "args": list(command),
                    "env": list(environment),
                    "securityContext": CONTAINER,
                    # The update can then show the reason of a failure from the pod's status.
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "resources": dict(pod.resources),
                    **({"volumeMounts": mounts} if mounts else {}),
                }
            ],
            **({"volumes": volumes} if volumes else {}),
            **pod.placement,
        },
    }


@dataclass(frozen=True, kw_only=True)
class DatabaseJob:
    """The part that all pods of the stack's Jobs have in common."""

    images: Images
    """The Airflow image, and how images are pulled."""
    migration_secret: pulumi.Input[str]
    """Name of the Secret with the URIs that bypass PgBouncer."""
    ca_config_map: pulumi.Input[str] | None = None
    """Name of the ConfigMap with the CA certificates of the database; None if nothing is verified."""
    pod: JobPod = field(default_factory=JobPod)
    """The values that a team gives to pods of Jobs."""

    def template(
        self, labels: Mapping[str, str], command: Sequence[str], more: Sequence[Mapping[str, Any]] = ()
    ) -> dict[str, Any]:
        """Return metadata and spec of one pod. Arguments as in `job_template` and `job_environment`."""
        environment = job_environment(self.migration_secret, self.ca_config_map, self.pod, more)
        return job_template(self.images, labels, command, environment, ca_config_map=self.ca_config_map, pod=self.pod)
