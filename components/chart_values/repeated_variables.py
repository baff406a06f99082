"""Gives each pod a variable once, where several lists of variables name it. Pure.

The chart writes the variables of all pods and then those of the component into one list. Kubernetes takes the last of
two with one name; but a later update, which compares such lists by name, may drop both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from components.chart_values.chart_defaults import merged
from components.chart_values.value_paths import at, nested

_ALL: Final = "env"
_SETS: Final = "workers.celery.sets"
_COMPONENTS: Final = (
    *("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery", "workers.kubernetes"),
    "databaseCleanup",
)
_OPTIONAL: Final = ("cleanup", "flower")


def with_each_variable_once(
    values: Mapping[str, Any], helm_values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both with no variable in two lists of one pod.

    A component's list wins, then that of all pods, then the program's. A variable of all pods that another list has too
    becomes one of each component.

    Args:
        values: The program's values.
        helm_values: The user's.
    """
    components = [*_COMPONENTS, *(name for name in _OPTIONAL if at(helm_values, f"{name}.enabled"))]
    common, sets = _listed(helm_values.get(_ALL)), _listed(at(helm_values, _SETS))
    others = [
        *(at(given, f"{name}.{_ALL}") for name in components for given in (values, helm_values)),
        *(element.get(_ALL) for element in (*sets, *_listed(at(values, _SETS)))),
    ]
    repeated = _names(common) & set().union(*(_names(_listed(variables)) for variables in others))
    moved = [variable for variable in common if variable.get("name") in repeated]
    own, users = dict(values), dict(helm_values)
    if moved:
        users = merged(users, {_ALL: [variable for variable in common if variable not in moved]})
    for path in (f"{name}.{_ALL}" for name in components):
        given = _below(moved, _listed(at(helm_values, path)))
        if given:
            users = merged(users, nested(path, given))
            own = merged(own, nested(path, _without(_listed(at(values, path)), given)))
    if moved and sets:
        again = [{**found, _ALL: _below(moved, _listed(found[_ALL]))} if _ALL in found else found for found in sets]
        users = merged(users, nested(_SETS, again))
    return own, users


def _below(common: list[Any], own: list[Any]) -> list[Any]:
    """Return variables of all pods with a component's own behind them, which win."""
    return [*_without(common, own), *own]


def _without(variables: list[Any], others: list[Any]) -> list[Any]:
    return [variable for variable in variables if variable.get("name") not in _names(others)]


def _names(variables: Iterable[Any]) -> set[Any]:
    return {variable.get("name") for variable in variables}


def _listed(value: Any) -> list[Any]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
