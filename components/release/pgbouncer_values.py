"""Chart values of PgBouncer. Pure."""

from __future__ import annotations

from typing import Any

from components.database.access import CONNECTION_KEY, ca_values
from components.release.release_inputs import ReleaseInputs
from components.release.size_preset import SizePreset


def pgbouncer_values(inputs: ReleaseInputs) -> dict[str, Any]:
    """Return what PgBouncer gets, or that there is none."""
    pooler = inputs.pgbouncer
    if pooler is None:
        return {"pgbouncer": {"enabled": False}}
    return {
        "pgbouncer": {
            "enabled": True,
            "replicas": pooler.replicas,
            "configSecretName": inputs.connections.pgbouncer_config,
            "metricsExporterSidecar": {
                "statsSecretName": inputs.connections.pgbouncer_stats,
                "statsSecretKey": CONNECTION_KEY,
            },
            "serviceAccount": {"automountServiceAccountToken": False},
            **_volumes(inputs),
        }
    }


def _volumes(inputs: ReleaseInputs) -> dict[str, list[Any]]:
    mounts = ca_values(inputs.database_ca)
    if inputs.size is SizePreset.NONE:
        return mounts
    # PgBouncer's root file system is read-only then, and it creates its Unix socket here.
    scratch = {"name": "scratch", "emptyDir": {"sizeLimit": "16Mi"}}
    return {
        "extraVolumes": [*mounts.get("extraVolumes", []), scratch],
        "extraVolumeMounts": [*mounts.get("extraVolumeMounts", []), {"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108
    }
