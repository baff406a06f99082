"""Chart values of PgBouncer. Pure."""

from __future__ import annotations

from typing import Any

from components.chart_values.release_inputs import ReleaseInputs
from components.chart_values.size_preset import SizePreset
from components.database.access import CONNECTION_KEY, ca_mounts, ca_volumes
from components.database.client_certificate import client_mounts, client_volumes


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
    volumes = [*ca_volumes(inputs.database_ca), *client_volumes(inputs.client_certificate, for_all=True)]
    mounts = [*ca_mounts(inputs.database_ca), *client_mounts(inputs.client_certificate)]
    if inputs.size is SizePreset.NONE:
        return {"extraVolumes": volumes, "extraVolumeMounts": mounts} if volumes else {}
    # PgBouncer's root file system is read-only then, and it creates its Unix socket here.
    scratch = {"name": "scratch", "emptyDir": {"sizeLimit": "16Mi"}}
    return {
        "extraVolumes": [*volumes, scratch],
        "extraVolumeMounts": [*mounts, {"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108
    }
