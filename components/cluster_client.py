"""The Kubernetes API for the few things that happen outside the provider: see `airflow_release`."""

from __future__ import annotations

from typing import Any

import yaml


def core_api(kubeconfig: str | None, context: str) -> Any:
    """Client of the core API group at `context` of `kubeconfig`.

    kubeconfig: a path, the content itself (as the provider takes both), or None for the one that kubectl would use.
    """
    # Imported here: only an update that changes the release pays for it.
    from kubernetes import client, config

    # Not persisted: reading a cluster must not write a refreshed token into somebody's kubeconfig.
    if kubeconfig is not None and is_content(kubeconfig):
        api_client = config.new_client_from_config_dict(  # type: ignore[no-untyped-call]
            yaml.safe_load(kubeconfig), context=context, persist_config=False
        )
    else:
        api_client = config.new_client_from_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, context=context, persist_config=False
        )
    return client.CoreV1Api(api_client)


def is_content(kubeconfig: str) -> bool:
    """Whether it is a kubeconfig, and not the path of one: no path has line ends or braces in it here."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")
