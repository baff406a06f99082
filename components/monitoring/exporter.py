"""The pod that measures what Airflow does not. Pure.

It is isolated like the other server components: it reaches the database through the pooler, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pulumi

from components.chart_values.availability import component_labels
from components.chart_values.metrics import Monitoring, scrape_annotations
from components.database.access import CONNECTION_KEY
from components.database.client_certificate import client_mounts, client_variables, client_volumes
from components.database.connection import CA_FILE
from components.database.job_template import job_template
from components.database.uri import URI_VARIABLE
from components.kube.env import NO_DATABASE_CHECK, from_secret, variable
from components.kube.images import Images
from components.kube.job_pod import JobPod
from components.network.pods import EXPORTER, EXPORTER_PORT

SCRIPT: Final = (Path(__file__).parent / "in_image" / "exporter.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""

PORT_NAME: Final = "metrics"
"""Name of the port; PgBouncer's exporter calls its own the same."""
_INGRESS: Final = "/etc/ingress-certificate"
_RESOURCES: Final = {"requests": {"cpu": "20m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}


@dataclass(frozen=True, kw_only=True)
class ExporterPod:
    """The image, Secrets and settings of the pod."""

    release_name: str
    """Value of the chart's label `release`."""
    images: Images
    """The Airflow image."""
    metadata_secret: pulumi.Input[str]
    """Name of the Secret with the URIs that Airflow's pods use, through PgBouncer if there is one."""
    direct_ca: pulumi.Input[str] | None
    """Name of the ConfigMap with the CA certificates of the database, if the pod connects to it itself and verifies."""
    database_ca: pulumi.Input[str] | None
    """Name of the ConfigMap with the CA certificates of the database, whoever connects; None if nothing is verified."""
    client_certificate: str | None = None
    """Name of the Secret with the certificate for the database, if the pod connects to it itself, or None."""
    tls_secret: pulumi.Input[str] | None
    """Name of the Secret with the certificate of the UI, or None. The pod gets the certificate, never its key."""
    monitoring: Monitoring
    """How the pod is found."""
    pod: JobPod
    """The values that a team gives to all pods."""


def exporter_spec(wanted: ExporterPod) -> Any:
    """Return the spec of the Deployment. Any, because with a type the type checker needs 18 GB for the SDK's own."""
    labels = component_labels(wanted.release_name, EXPORTER)
    files = {
        **({"database-ca": CA_FILE} if wanted.database_ca is not None else {}),
        **({"ingress": f"{_INGRESS}/tls.crt"} if wanted.tls_secret is not None else {}),
    }
    environment = [from_secret(URI_VARIABLE, wanted.metadata_secret, CONNECTION_KEY), NO_DATABASE_CHECK]
    if wanted.direct_ca is not None:
        environment.append(variable("PGSSLROOTCERT", CA_FILE))
    environment += client_variables(wanted.client_certificate)
    template = job_template(
        wanted.images,
        labels,
        ["python", "-c", SCRIPT, str(EXPORTER_PORT), *(f"{name}={path}" for name, path in files.items())],
        environment,
        ca_config_map=wanted.database_ca,
        pod=_with_certificate(wanted),
    )
    [container] = template["spec"]["containers"]
    probe = {"httpGet": {"path": "/", "port": PORT_NAME}, "periodSeconds": 30, "timeoutSeconds": 15}
    running = {
        "name": "exporter",
        "ports": [{"name": PORT_NAME, "containerPort": EXPORTER_PORT}],
        "resources": _RESOURCES,
        # A request to the database may keep the only thread busy for twice the script's time-out.
        "livenessProbe": {**probe, "failureThreshold": 5},
        "readinessProbe": {**probe, "periodSeconds": 5},
    }
    spec = {**template["spec"], "restartPolicy": "Always", "containers": [{**container, **running}]}
    return {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "strategy": {"type": "Recreate"},  # the connection budget has one
        "template": {"metadata": template["metadata"], "spec": spec},
    }


def _with_certificate(wanted: ExporterPod) -> JobPod:
    """Return what a team says of where pods run, with what this pod alone needs."""
    annotations: Mapping[str, str] = wanted.pod.annotations
    if wanted.monitoring is Monitoring.ANNOTATIONS:
        annotations = {**annotations, **scrape_annotations(EXPORTER_PORT)}
    volumes, mounts = client_volumes(wanted.client_certificate), client_mounts(wanted.client_certificate)
    if wanted.tls_secret is not None:
        items = [{"key": "tls.crt", "path": "tls.crt"}]
        volumes.append(
            {"name": "ingress", "secret": {"secretName": wanted.tls_secret, "items": items, "optional": True}}
        )
        mounts.append({"name": "ingress", "mountPath": _INGRESS, "readOnly": True})
    return replace(wanted.pod, annotations=annotations, volumes=volumes, volume_mounts=mounts)
