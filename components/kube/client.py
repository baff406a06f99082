"""The Kubernetes API for the few things that happen outside the provider: see `airflow_release`."""

from __future__ import annotations

from typing import Any

import yaml


def core_api(kubeconfig: str | None, context: str) -> Any:
    """Client of the core API group at `context` of `kubeconfig`.

    kubeconfig: a path, the content itself (as the provider takes both), or None for the one that kubectl would use.
    Raises ValueError where it has no such context, or is none; the text shows nothing of it.
    """
    # Imported here: only an update that changes the release pays for it.
    from kubernetes import client, config

    # Not persisted: reading a cluster must not write a refreshed token into somebody's kubeconfig.
    content = kubeconfig if kubeconfig is not None and is_content(kubeconfig) else None
    try:
        if content is not None:
            api_client = config.new_client_from_config_dict(  # type: ignore[no-untyped-call]
                yaml.safe_load(content), context=context, persist_config=False
            )
        else:
            api_client = config.new_client_from_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context, persist_config=False
            )
    except (
        config.ConfigException,
        AttributeError,
        LookupError,
        OSError,
        TypeError,
        ValueError,
        yaml.YAMLError,
    ) as error:
        # What the client says quotes what it reads, tokens too.
        where = "the given kubeconfig" if content is not None else f"kubeconfig {kubeconfig or 'of kubectl'}"
        raise ValueError(
            f"context {context}: expected a usable one in {where}, found none ({type(error).__name__}). Fix: "
            "kubectl config get-contexts, and set airflow:kubeContext or KUBECONFIG"
        ) from None
    return client.CoreV1Api(api_client)


def is_content(kubeconfig: str) -> bool:
    """Whether it is a kubeconfig, and not the path of one: no path has line ends or braces in it here."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith("{")
