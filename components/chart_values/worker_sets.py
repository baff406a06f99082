"""Sets of Celery workers, `workers.celery.sets`: each element is `workers.celery` once more, with a name.

The chart replaces a list of `workers.celery` by the set's own (templates/_helpers.yaml, `workersMergeValues`), so the
program's variables and volumes are put into each set that has a list of its own. All sets run as the service account of
the default workers, whose rights the program knows. Worker groups, which become sets too, have an account each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.availability import SEVERAL, WORKERS_AT_ONCE, disruption_budget
from components.chart_values.chart_defaults import merged, schema_problems
from components.chart_values.owned_values import APPENDED, OWNED, SAFE_TO_EVICT, advice
from components.chart_values.value_paths import at, nested, without_nulls
from components.chart_values.worker_group import GROUP_LABEL
from components.kube.any_form import items

SETS: Final = "workers.celery.sets"
BUDGET: Final = "podDisruptionBudget"
_CELERY: Final = "workers.celery."
_LISTS: Final = tuple(path.removeprefix(_CELERY) for path in APPENDED if path.startswith(_CELERY))
_OWN_NUMBER: Final = "its replicas, or airflow:workerGroups, where maxReplicas scales a group"
_ACCOUNT: Final = "serviceAccount"

_OWNED: Final[Mapping[str, str]] = {
    **{path.removeprefix(_CELERY): instead for path, instead in OWNED.items() if path.startswith(_CELERY)},
    "keda": _OWN_NUMBER,
    "hpa": _OWN_NUMBER,
    "persistence": "workers.celery.persistence, which holds for all workers",
    _ACCOUNT: "workers.celery.serviceAccount.annotations: all sets run as one service account. In airflow:workerGroups "
    "each group has its own",
}
_FREE: Final = ("replicas", "queue")
_NO_KEYS: Final = ("sets", "enableDefault")


def set_problems(
    helm_values: Mapping[str, Any], schema: Mapping[str, Any], *, own_accounts: bool = False
) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value of a set that the program owns, and of each that the chart does not know.

    Args:
        own_accounts: Whether each set has a service account of its own, as worker groups have.
    """
    celery = schema["properties"]["workers"]["properties"]["celery"]["properties"]
    names: set[str] = set()
    for path, element in elements(helm_values):
        name = element.get("name")
        if not isinstance(name, str) or not name or name == "default" or name in names:
            yield f"{path}.name", f"{path}.name: expected a name of its own other than default, found {name!r}"
        names.add(str(name))
        for key, value in element.items():
            if key in _FREE or key == "name":
                continue
            if key not in celery or key in _NO_KEYS:
                yield f"{path}.{key}", f"{path}.{key} is not a value of the chart"
            elif key in _OWNED and not (own_accounts and key == _ACCOUNT):
                yield f"{path}.{key}", f"{path}.{key} is set by the program; {advice(_OWNED[key])}"
            elif key == "labels" and isinstance(value, Mapping) and GROUP_LABEL in value:
                own = f"{path}.{key}.{GROUP_LABEL}"
                yield own, f"{own} is set by the chart, and selectors tell sets apart by it; use another label"
            elif key == "podAnnotations" and isinstance(value, Mapping) and SAFE_TO_EVICT in value:
                own = f"{path}.{key}.{SAFE_TO_EVICT}"
                yield own, f"{own} is set by the program; {advice(_OWNED['safeToEvict'])}"
            elif key in _LISTS and not isinstance(value, list | None):
                yield f"{path}.{key}", f"{path}.{key}: expected a list"


def set_schema_problems(helm_values: Mapping[str, Any]) -> Iterator[str]:
    """Yield where a set violates the schema of `workers.celery`: the chart's own schema leaves sets open."""
    for path, element in elements(helm_values):
        values = {key: value for key, value in element.items() if key not in (*_NO_KEYS, "name")}
        for problem in schema_problems(nested(_CELERY.rstrip("."), without_nulls(values))):
            yield problem.replace(_CELERY.rstrip("."), path, 1)


def elements(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield path and values of each set."""
    for number, element in enumerate(items(at(helm_values, SETS))):
        if isinstance(element, Mapping):
            yield f"{SETS}[{number}]", element


def with_own(sets: list[Any], values: Mapping[str, Any], helm_values: Mapping[str, Any], account: str) -> list[Any]:
    """Return the sets with what the program needs in each.

    Args:
        sets: The user's sets, without problems.
        values: The program's values.
        helm_values: The user's values.
        account: Name of the service account of the default workers.
    """
    own = {key: at(values, _CELERY + key) or [] for key in _LISTS}
    no_default = at(helm_values, "workers.celery.enableDefault") is False
    result = []
    for number, element in enumerate(sets):
        lists = {key: [*own[key], *(element[key] or ())] for key in _LISTS if key in element}
        # The chart makes an account for each set. Where it makes none for the default workers, the first set's is it.
        identity = {"serviceAccount": {"create": no_default and number == 0, "name": account}}
        budget = _budget(element, at(helm_values, _CELERY + BUDGET) or {}, at(values, _CELERY + "replicas"))
        result.append({**element, **lists, **identity, BUDGET: budget})
    return result


def several(element: Mapping[str, Any], default: Any = SEVERAL) -> bool:
    """Whether a set may have several workers. default: the number of a set that names none."""
    replicas = element.get("replicas", default)
    return not isinstance(replicas, int) or replicas >= SEVERAL


def _budget(element: Mapping[str, Any], of_all: Mapping[str, Any], default: Any) -> dict[str, Any]:
    """Return the disruption budget of a set: the user's for it, or for all workers, or the program's."""
    users = merged(of_all, element.get(BUDGET) or {})
    enabled = users.get("enabled")
    if enabled is False or (enabled is None and not several(element, default)):
        return {**users, "enabled": False}
    # The chart takes the whole `config` of the set.
    own = disruption_budget(SEVERAL, WORKERS_AT_ONCE)[BUDGET]
    config = without_nulls(users.get("config") or {})
    limited = {"minAvailable", "maxUnavailable"} & config.keys()
    return {"enabled": True, "config": config if limited else {**own["config"], **config}}
