"""The Kubernetes API for the few things that happen outside the provider: see `airflow_release`."""

from __future__ import annotations

from typing import Any


def core_api(kubeconfig: str | None, context: str) -> Any:
    """Client of the core API group at `context` of `kubeconfig` (None: the one that kubectl would use)."""
    # Imported here: only an update that changes the release pays for it.
    from kubernetes import client, config

    # Not persisted: reading a cluster must not write a refreshed token into somebody's kubeconfig.
    api_client = config.new_client_from_config(  # type: ignore[no-untyped-call]
        config_file=kubeconfig, context=context, persist_config=False
    )
    return client.CoreV1Api(api_client)
