"""What opens connections to the database: the numbers of pods, and what the user's `helmValues` change. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from components.chart_values.chart_defaults import chart_values
from components.chart_values.connection_budget import ConnectionLoad
from components.chart_values.given_options import given_options
from components.chart_values.scale import Scale
from components.chart_values.value_paths import at

_OPTIONS: Final = {
    # field of ConnectionLoad: section and option of airflow.cfg
    "api_workers": ("api", "workers"),
    "sqlalchemy_pool_size": ("database", "sql_alchemy_pool_size"),
    "sqlalchemy_max_overflow": ("database", "sql_alchemy_max_overflow"),
}


def connection_load(scale: Scale, helm_values: Mapping[str, Any], *, scalers: int, exporters: int) -> ConnectionLoad:
    """Return the load of a deployment at its largest.

    An option counts wherever it is set, as an option of airflow.cfg or as a variable of any component; of several
    values, the largest. An autoscaled API server counts with its largest number of pods.

    Raises:
        ValueError: A value is not a whole number, or means no limit.
    """
    numbers = {field: _largest(helm_values, *option) for field, option in _OPTIONS.items()}
    given = {field: number for field, number in numbers.items() if number is not None}
    return ConnectionLoad(scale=_at_its_largest(scale, helm_values), scalers=scalers, exporters=exporters, **given)


def _at_its_largest(scale: Scale, helm_values: Mapping[str, Any]) -> Scale:
    if not at(helm_values, "apiServer.hpa.enabled"):
        return scale
    most = at(helm_values, "apiServer.hpa.maxReplicaCount") or at(chart_values(), "apiServer.hpa.maxReplicaCount")
    return replace(scale, api_server=max(scale.api_server, int(most)))


def _largest(helm_values: Mapping[str, Any], section: str, option: str) -> int | None:
    numbers = []
    for place, value in given_options(helm_values, f"config.{section}.{option}"):
        if value is None:
            continue
        try:
            numbers.append(int(str(value)))
        except ValueError:
            raise ValueError(f"{place}: expected a whole number, because connections are counted by it") from None
    return max(numbers, default=None)
