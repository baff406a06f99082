"""The pods of the scheduled verification: one makes its user, the other runs a DAG. Pure.

The second reaches the API server and statsd, and nothing else. It has neither the database's password nor a token for
the Kubernetes API.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pulumi

from components.chart_values.availability import component_labels
from components.database.job_template import job_environment, job_template
from components.database.migration import ADMIN_USER_LABELS
from components.kube.env import AUTH_MANAGER, fernet_key, from_secret, variable
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.network.pods import STATSD_PORT, VERIFICATION
from components.verification.verified import RUN_SECONDS, USERNAME, Verified

PASSWORD_KEY: Final = "password"

_IN_IMAGE: Final = Path(__file__).parent / "in_image"
DAG_RUN: Final = (_IN_IMAGE / "dag_run.py").read_text(encoding="utf-8")
USER: Final = (_IN_IMAGE / "user.py").read_text(encoding="utf-8")
"""Python scripts. Their first lines say what they do and what they need."""

_RESOURCES: Final = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}


@dataclass(frozen=True, kw_only=True)
class VerificationPods:
    """The image, Secrets and settings of the pods."""

    release_name: str
    """Value of the chart's label `release`, and the beginning of its Services' names."""
    verified: Verified
    """What is run."""
    url: str
    """Address of the API server inside the cluster, with the path of the UI."""
    images: Images
    """The Airflow image."""
    migration_secret: pulumi.Input[str]
    """Name of the Secret with the URIs that bypass PgBouncer."""
    fernet_key_secret: pulumi.Input[str]
    """Name of the Secret with the Fernet key."""
    ca_config_map: pulumi.Input[str] | None = None
    """Name of the ConfigMap with the CA certificates of the database; None if nothing is verified."""
    monitored: bool = False
    """Whether statsd is told of a success."""
    pod: JobPod = field(default_factory=JobPod)
    """The values that a team gives to pods of Jobs."""


def _login(password_secret: pulumi.Input[str]) -> list[dict[str, Any]]:
    return [
        variable("VERIFICATION_USERNAME", USERNAME),
        from_secret("VERIFICATION_PASSWORD", password_secret, PASSWORD_KEY),
    ]


def user_template(pods: VerificationPods, password_secret: pulumi.Input[str]) -> dict[str, Any]:
    """Return metadata and spec of the pod that makes the user."""
    more = [
        fernet_key(pods.fernet_key_secret),
        variable("AIRFLOW__CORE__AUTH_MANAGER", AUTH_MANAGER),
        variable("AIRFLOW__CORE__LOAD_EXAMPLES", "False"),
        *_login(password_secret),
    ]
    return job_template(
        pods.images,
        # The network policies let pods with these labels reach the database and nothing else.
        ADMIN_USER_LABELS,
        ["python", "-c", USER, pods.verified.dag_id],
        job_environment(pods.migration_secret, pods.ca_config_map, pods.pod, more),
        ca_config_map=pods.ca_config_map,
        pod=pods.pod,
    )


def run_template(pods: VerificationPods, password_secret: pulumi.Input[str]) -> dict[str, Any]:
    """Return metadata and spec of the pod that runs the DAG."""
    statsd = [f"{pods.release_name}-statsd:{STATSD_PORT}"] if pods.monitored else []
    template = job_template(
        pods.images,
        component_labels(pods.release_name, VERIFICATION),
        [],
        _login(password_secret),
        ca_config_map=None,
        # A team's variables and volumes may be anything; the script needs none.
        pod=replace(pods.pod, env=(), volumes=(), volume_mounts=()),
    )
    spec = template["spec"]
    [container] = spec["containers"]
    del container["args"]
    # Not by the image's entry point, which would first look for a database.
    command = ["python", "-c", DAG_RUN, pods.url, pods.verified.dag_id, str(RUN_SECONDS), *statsd]
    running = {**container, "name": VERIFICATION, "command": command, "resources": _RESOURCES}
    return {**template, "spec": {**spec, "containers": [running]}}
