"""The certificate by which pods prove to a database who they are, from a Secret that something else makes. Pure.

A Secret of the type kubernetes.io/tls has these keys, as cert-manager makes it. libpq and asyncpg read both variables,
at each connection; PgBouncer reads the files when it starts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from components.kube.env import variable
from components.kube.job_pod import JobPod

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
FOLDER: Final = "/etc/airflow-database-client"
CERTIFICATE_FILE: Final = f"{FOLDER}/{CERTIFICATE}"
KEY_FILE: Final = f"{FOLDER}/{KEY}"
CLIENT_VARIABLES: Final = ("PGSSLCERT", "PGSSLKEY")
"""Variables with the two files, as libpq and asyncpg read them."""
_VOLUME: Final = "database-client"
_FOR_GROUP: Final = 0o440
"""libpq refuses a key that others may read (postgresql.org/docs/current/libpq-ssl.html). Root owns these files, and
Airflow's pods have their group."""
_FOR_ALL: Final = 0o444
"""PgBouncer's pod has another group, and nothing else runs in it."""


def client_variables(secret: str | None) -> list[dict[str, Any]]:
    """Return the variables of a container that connects to the database itself; none without a Secret."""
    if secret is None:
        return []
    return [variable(name, file) for name, file in zip(CLIENT_VARIABLES, (CERTIFICATE_FILE, KEY_FILE), strict=True)]


def client_volumes(secret: str | None, *, for_all: bool = False) -> list[dict[str, Any]]:
    """Return a pod's volume with both files. for_all: every user of the container may read the key."""
    if secret is None:
        return []
    mode = _FOR_ALL if for_all else _FOR_GROUP
    return [{"name": _VOLUME, "secret": {"secretName": secret, "defaultMode": mode}}]


def client_mounts(secret: str | None) -> list[dict[str, Any]]:
    """Return where a container has that volume."""
    return [] if secret is None else [{"name": _VOLUME, "mountPath": FOLDER, "readOnly": True}]


def with_client_certificate(pod: JobPod, secret: str | None) -> JobPod:
    """Return the pod of a Job that connects to the database itself."""
    if secret is None:
        return pod
    return replace(
        pod,
        env=(*client_variables(secret), *pod.env),
        volumes=(*pod.volumes, *client_volumes(secret)),
        volume_mounts=(*pod.volume_mounts, *client_mounts(secret)),
    )
