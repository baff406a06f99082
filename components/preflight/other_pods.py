"""Two more pods: one pulls every image and looks into Airflow's, the other logs in to an existing database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import versions
from components.chart_values.executor import Executor
from components.database.connection import Database
from components.database.job_template import DatabaseJob
from components.database.migration import MIGRATION_LABELS
from components.kube.env import NO_DATABASE_CHECK
from components.kube.images import POSTGRES_REPOSITORY, Images
from components.kube.pod_security import AIRFLOW_UID, followed, pod_security_context
from components.preflight.database_reasons import SCRIPT
from components.preflight.image_packages import CONTAINER as LOOKS
from components.preflight.image_packages import ImageNeed, command
from components.preflight.pods import chart_image, pod_spec, small_container

DATABASE: Final = "airflow"
"""The only container of the pod that logs in."""
IMAGE_LABELS: Final = {"tier": "airflow", "component": "preflight-images"}
"""No network policy admits these pods to anything: nodes pull images, not pods."""
_CONTAINERS: Final = {
    "statsd": ("statsd",),
    "redis": ("redis",),
    "pgbouncer": ("pgbouncer", "pgbouncerExporter"),
}
"""The chart's keys of its other images, by the component that uses them. git-sync's is in the pod that fetches."""
_GIT_SYNC: Final = "gitSync"


def images_pod(
    values: Mapping[str, Any],
    images: Images,
    executor: Executor,
    *,
    container_database: bool,
    pgbouncer: bool,
    said: Mapping[str, Any],
    needs: Sequence[ImageNeed],
) -> dict[str, Any]:
    """Return metadata and spec of a pod with a container for each image. Airflow's says which packages it has.

    Args:
        values: The values of the release, with the chart's own below them.
        images: The images of the stack.
        executor: Whether Redis runs.
        container_database: Whether PostgreSQL runs in the namespace.
        pgbouncer: Whether PgBouncer runs.
        said: What a team says of the security context of all pods.
        needs: The packages that Airflow's image must have.
    """
    redis = executor.celery and bool(values["redis"].get("enabled"))
    runs = {"statsd": bool(values["statsd"].get("enabled")), "redis": redis, "pgbouncer": pgbouncer}
    references = {"airflow": images.airflow}
    if container_database:
        references["postgres"] = f"{images.mirrored(POSTGRES_REPOSITORY)}:{versions.POSTGRES_IMAGE_TAG}"
    for component, keys in _CONTAINERS.items():
        references |= {key: chart_image(values, key) for key in keys if runs[component]}
    return pulling_pod(references, values, images, said, command(needs))


def pulling_pod(
    references: Mapping[str, str],
    values: Mapping[str, Any],
    images: Images,
    said: Mapping[str, Any],
    looks: Sequence[str] = ("true",),
) -> dict[str, Any]:
    """Return metadata and spec of a pod with a container for each image, on the nodes of all pods.

    Args:
        references: The images by `airflow`, `postgres`, or a key of the chart's `images`.
        values: The values of the release, with the chart's own below them.
        images: The images of the stack.
        said: What a team says of the security context of all pods.
        looks: The command in Airflow's image.
    """
    return {
        "metadata": {"labels": dict(IMAGE_LABELS)},
        "spec": {
            # Airflow's group can read its packages in every image that is made like the official one.
            **pod_spec(values, "", images, followed(pod_security_context(AIRFLOW_UID, gid=0), said)),
            "containers": [
                {
                    # A container's name has small letters; `image_role` finds the key again.
                    **small_container(role.lower(), image, looks if role == LOOKS else ("true",)),
                    "imagePullPolicy": images.pull_policy,
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                }
                for role, image in references.items()
            ],
        },
    }


def chart_images(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the references of the chart's images but Airflow's, by their keys."""
    return {key: chart_image(values, key) for keys in _CONTAINERS.values() for key in keys} | {
        _GIT_SYNC: chart_image(values, _GIT_SYNC)
    }


def image_role(container: str) -> str:
    """Return the chart's key of an image by the name of its container."""
    keys = [_GIT_SYNC, *(key for keys in _CONTAINERS.values() for key in keys)]
    return next((key for key in keys if key.lower() == container), container)


def database_about(database: Database) -> dict[str, Any]:
    """Return what the texts about the database name. It holds no secret."""
    return {
        "host": database.host,
        "port": str(database.port),
        "name": database.name,
        "user": database.user,
        "ssl_mode": f"databaseSslMode {database.ssl_mode.value}",
    }


def database_pod(job: DatabaseJob) -> dict[str, Any]:
    """Return metadata and spec of a pod that logs in as the migration will. job: what such pods have in common."""
    return job.template(MIGRATION_LABELS, ["python", "-c", SCRIPT], [NO_DATABASE_CHECK])
