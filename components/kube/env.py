"""Environment variables of Airflow containers, in the form of the Kubernetes API and the chart."""

from __future__ import annotations

from typing import Any, Final

import pulumi

AUTH_MANAGER = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
"""The chart's default; the migration needs it too, because it has tables of its own."""


def variable(name: str, value: pulumi.Input[str]) -> dict[str, Any]:
    """Return a variable with a plain value."""
    return {"name": name, "value": value}


NO_DATABASE_CHECK: Final = variable("CONNECTION_CHECK_MAX_COUNT", "0")
"""For a script in Airflow's image: its entry point would first run `airflow db check`, which imports Airflow, and try a
database that refuses it for a minute or more. The script would come too late to say why."""


def from_secret(name: str, secret: pulumi.Input[str], key: str) -> dict[str, Any]:
    """Return a variable whose value is a key of a Secret."""
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def fernet_key(secret: pulumi.Input[str]) -> dict[str, Any]:
    """Return the variable by which Airflow learns its Fernet keys, from a Secret with key `fernet-key`."""
    return from_secret("AIRFLOW__CORE__FERNET_KEY", secret, "fernet-key")
