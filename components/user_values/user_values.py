"""The user's `helmValues`: any value of the chart that the program does not own, merged last.

They are validated when the program runs. The engine's preview ignores Helm values, and the chart ignores unknown keys
at its root and in a few sections, so a misspelt key would go unnoticed. What is refused, and why, is divided by reason:
owned, deprecated, dead and unsupported values, sets of workers, managed variables, and the isolation of pods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.chart_values.availability import without_what_hides
from components.chart_values.chart_defaults import chart_values, merged
from components.chart_values.managed_variables import managed_variable_problems
from components.chart_values.owned_values import APPENDED, OFF, OWNED, advice, holds_own, owner
from components.chart_values.repeated_variables import with_each_variable_once
from components.chart_values.security_contexts import completed, completed_sets, context_problems, with_ids_of_all
from components.chart_values.value_paths import at, leaf_paths, nested, under
from components.chart_values.worker_groups import with_inherited, without_default_budget
from components.chart_values.worker_sets import SETS, elements, set_problems, with_own
from components.kube.any_form import mapping
from components.secrets.logins import has_login
from components.texts.likely_names import did_you_mean
from components.user_values.apart_values import apart_problems
from components.user_values.dead_values import DEAD, dead_instead
from components.user_values.deprecated_values import replacements
from components.user_values.foreign_values import foreign_instead
from components.user_values.heartbeat_values import heartbeat_problems
from components.user_values.idle_values import idle_problems, idle_set_problems, off_problems, switched_off_problems
from components.user_values.mount_values import mount_problems, volume_problems
from components.user_values.null_values import null_problems
from components.user_values.option_values import option_value_problems
from components.user_values.pod_isolation import isolation_problems
from components.user_values.removed_options import removed_option_problems
from components.user_values.surroundings import Surroundings
from components.user_values.unsupported_values import unsupported_problems
from components.user_values.variable_problems import variable_problems
from components.user_values.yaml_texts import text_problems

BUDGETED: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", "pgbouncer", "workers.celery")
"""Components with a disruption budget, which users may change."""

_COMPONENTS: Final = ("apiServer", "scheduler", "dagProcessor", "triggerer", "workers.celery", "workers.kubernetes")
_MOST_KEYS: Final = 6
_A_COPY: Final = 20
"""Number of refused defaults that tells of a copy of the chart's whole values.yaml."""
_COMMON_CONTEXT: Final = ".securityContexts.containers"
"""A key at the chart's root, which a component calls `container`."""
_WORKER_ACCOUNT: Final = "airflow-worker"
"""Service account of the default workers, whatever the release is called here (see `airflow_release.RELEASE_NAME`)."""


def problems(
    helm_values: Mapping[str, Any],
    chart_values: Mapping[str, Any],
    chart_schema: Mapping[str, Any],
    surroundings: Surroundings | None = None,
) -> list[str]:
    """Return what is wrong with `helm_values`, a sentence each; one sentence for each path.

    Args:
        helm_values: The user's values.
        chart_values: The chart's values.yaml.
        chart_schema: The chart's values.schema.json. It also has keys without a default. A key that is in neither is an
            error wherever values.yaml lists keys.
        surroundings: What typed settings say; nothing that is against any value by default.
    """
    surroundings = surroundings or Surroundings()
    found: dict[str, str] = {}
    for path, problem in (
        *_placed(helm_values, chart_schema, surroundings.switched_off),
        *null_problems(helm_values, chart_values, chart_schema),
        *set_problems(helm_values, chart_schema, own_accounts=surroundings.groups),
        *isolation_problems(helm_values, with_role=surroundings.with_role, held_secrets=surroundings.held_secrets),
        *unsupported_problems(helm_values, surroundings),
        *apart_problems(helm_values),
        *mount_problems(helm_values),
        *switched_off_problems(helm_values, surroundings.switched_off),
        *idle_problems(helm_values, surroundings),
        *idle_set_problems(helm_values, chart_values, surroundings),
        *variable_problems(helm_values, surroundings),
        *off_problems(helm_values, chart_values, surroundings.without_budget),
        *removed_option_problems(
            helm_values, lambda values: next((text for _, text in unsupported_problems(values, surroundings)), None)
        ),
        *option_value_problems(helm_values),
        *heartbeat_problems(helm_values),
        *text_problems(helm_values),
    ):
        if not _refused(path, found):
            found[path] = problem
    for path, key in _unknown(helm_values, chart_values, chart_schema):
        whole = path.endswith(_COMMON_CONTEXT) or owner(path) is not None
        refused_below = whole and any(other.startswith(f"{path}.") for other in found)
        if not _refused(path, found) and not refused_below:
            foreign = foreign_instead(path, helm_values.get(path), chart_values)
            other = _not_of_the_chart(path, key, chart_values, chart_schema)
            found[path] = other if foreign is None else f"{path} is not a value of the chart; {foreign}"
    # Several variables of one list may be wrong, each with a problem of its own.
    variables = [
        (place, problem)
        for place, problem in managed_variable_problems(helm_values)
        if not _refused(place, found) and not _refused(place.rpartition(" ")[0], found)
    ]
    told = [*found, *(path for path, _ in variables)]
    for path, problem in (*context_problems(helm_values), *volume_problems(helm_values, surroundings.mounted)):
        if not _refused(path, found) and not any(other.startswith(path) for other in told):
            found[path] = problem
    copied = [path for path in found if " " not in path and at(helm_values, path) == at(chart_values, path)]
    if len(copied) > _A_COPY:
        found = {path: problem for path, problem in found.items() if path not in copied}
        copies = [f"{copied[0]} and {len(copied) - 1} more are the chart's own defaults; keep only what you changed"]
    else:
        copies = []
    return [*copies, *_grouped(found), *(problem for _, problem in variables), *_contradictory_budgets(helm_values)]


def with_helm_values(values: Mapping[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Return `values` with the user's on top. Lists in `APPENDED` grow, others are replaced. Assumes no `problems`."""
    values, helm_values = with_each_variable_once(values, completed(helm_values))
    values = without_what_hides(values, helm_values)
    result = _with_one_budget(merged(values, _with_whole_numbers(helm_values)), helm_values)
    result = with_ids_of_all(_without_vain_nulls(result, helm_values, chart_values()), helm_values)
    for path in APPENDED:
        own, users = at(values, path), at(helm_values, path)
        if isinstance(own, list):
            result = merged(result, nested(path, [*own, *(users or ())]))
    sets = at(helm_values, SETS)
    if at(values, SETS):  # groups of workers, beside which a user's sets are refused
        groups = completed_sets(with_inherited(result), helm_values)
        result = without_default_budget(merged(result, nested(SETS, groups)))
    elif sets:
        sets = with_own(sets, values, helm_values, _WORKER_ACCOUNT)
        result = without_default_budget(merged(result, nested(SETS, sets)))
    return result


def _without_vain_nulls(values: Mapping[str, Any], helm_values: Mapping[str, Any], defaults: Any) -> dict[str, Any]:
    """Return the values without each null of the user's for which the chart has no default.

    Helm deletes a default by it. Where there is none, it would keep the null, which the chart's schema refuses.
    """
    result = dict(values)
    for key, given in helm_values.items():
        default = defaults.get(key) if isinstance(defaults, Mapping) else None
        if given is None and default is None and result.get(key) is None:
            result.pop(key, None)
        elif isinstance(given, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = _without_vain_nulls(result[key], given, default)
    return result


def _placed(
    helm_values: Mapping[str, Any], schema: Mapping[str, Any], off: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield the problems that a path has whatever its value is."""
    for path in leaf_paths(helm_values):
        own, dead, new = owner(path), dead_instead(path, schema), replacements(path, schema)
        if own is not None and at(helm_values, path) is False and _is_off(path, off):
            continue
        if own is not None:
            yield path, f"{path} is set by the program; {advice(own)}"
        elif dead is not None:
            yield path, f"{path} has no effect here; {advice(dead)}"
        elif new and at(helm_values, path) is False and all(_is_off(place, off) for place in new):
            yield path, f"{path} is deprecated in the chart; leave it out, because it is off here"
        elif new:
            yield path, f"{path} is deprecated in the chart; use {_working(new, schema, off)}"
        elif holds_own(path) and at(helm_values, path) is None:
            yield path, f"{path}: expected a map, found nothing; leave it out"
        elif holds_own(path) and not isinstance(at(helm_values, path), Mapping):
            yield path, f"{path} holds values that the program sets; give a map of the others"


def _is_off(path: str, off: Mapping[str, str]) -> bool:
    """Return whether it is so that a value of the program is false. off: paths of what is not deployed."""
    return path in OFF or path in off or (path.endswith(".enabled") and path.removesuffix(".enabled") in off)


def _not_of_the_chart(path: str, key: str, chart_values: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if has_login(path):
        return "a key that may hold a login, which is not shown, is not a value of the chart"
    if "." in key:
        return f"{path} is one key with dots in it, and not a value of the chart; write a map for each part"
    if path.endswith(_COMMON_CONTEXT):
        return f"{path} is not a value of the chart; use {path.removesuffix('s')}"
    places = [f"{part}.{path}" for part in _COMPONENTS if path in (at(chart_values, part) or ())]
    free = [place for place in places if owner(place) is None and dead_instead(place, schema) is None]
    if free:
        return f"{path} is not a value of the chart; use {', '.join(free)}"
    own = {found for place in places if (found := owner(place)) is not None}
    if own:
        return f"{path} is not a value of the chart; {advice(own.pop())}"
    return f"{path} is not a value of the chart{did_you_mean(key, _beside(path, key, chart_values, schema))}"


def _beside(path: str, key: str, chart_values: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the keys that the chart has where another one stands."""
    parent = path.removesuffix(key).rstrip(".")
    known = chart_values
    for part in parent.split(".") if parent else ():
        schema = schema.get("properties", {}).get(part, {})
        known = known.get(part) or {}
    return [*known, *schema.get("properties", ())]


def _grouped(found: Mapping[str, str]) -> Iterator[str]:
    """Yield the problems. Those of a map's values that are the same but for the path are one, about the map."""
    groups: dict[tuple[str, str], list[str]] = {}
    for path, problem in found.items():
        root = under(path, OWNED) or under(path, DEAD) or path
        first, _, rest = path.partition(".")
        text = problem.removeprefix(path)
        if first == "webserver" and f"use apiServer.{rest}:" in text:
            root, text = first, text.replace(f"apiServer.{rest}", "the same of apiServer")
        groups.setdefault((root, text), []).append(path)
    for (root, problem), paths in groups.items():
        if len(paths) == 1:
            yield found[paths[0]]
            continue
        keys = list(dict.fromkeys(re.split(r"[.\[]", path.removeprefix(f"{root}."), maxsplit=1)[0] for path in paths))
        yield f"{root} ({', '.join(keys[:_MOST_KEYS])}{', …' if len(keys) > _MOST_KEYS else ''}){problem}"


def _working(paths: list[str], schema: Mapping[str, Any], off: Mapping[str, str]) -> str:
    """Return what to use for any of the paths, some of which may be refused themselves."""
    # A name of one's own is refused there too (see `pod_isolation`).
    named = [re.sub(r"\.serviceAccount\.(name|create)$", ".serviceAccount.annotations", path) for path in paths]
    deployed = [path for path in named if not under(path, off)] or named
    return " and ".join(dict.fromkeys(owner(path) or dead_instead(path, schema) or path for path in deployed))


def _refused(path: str, found: Mapping[str, str]) -> bool:
    """Return whether a path, or one that it is below, has a problem already."""
    return any(path[:end] in found for end, sign in enumerate(f"{path}.") if sign in ".[")


def _with_whole_numbers(helm_values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values with whole numbers of airflow.cfg as text: Helm reads each as a float, and writes 4.096e+07."""
    config = helm_values.get("config")
    if not isinstance(config, Mapping):
        return helm_values
    sections = {
        section: {option: _whole(value) for option, value in options.items()}
        if isinstance(options, Mapping)
        else options
        for section, options in config.items()
    }
    return {**helm_values, "config": sections}


def _whole(value: Any) -> Any:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    return str(int(value)) if whole else value


def _with_one_budget(values: dict[str, Any], helm_values: Mapping[str, Any]) -> dict[str, Any]:
    """Remove what would give a pod two budgets, or a budget two limits: Kubernetes accepts neither."""
    for component in BUDGETED:
        config = at(helm_values, f"{component}.podDisruptionBudget.config")
        if isinstance(config, Mapping) and config.get("minAvailable") is not None:
            # Null, because the chart's default would apply to a missing key.
            values = merged(values, nested(f"{component}.podDisruptionBudget.config.maxUnavailable", None))
    return values


def _contradictory_budgets(helm_values: Mapping[str, Any]) -> list[str]:
    found = []
    places = [(component, at(helm_values, component)) for component in BUDGETED]
    for component, values in (*places, *elements(helm_values)):
        config = mapping(at(mapping(values), "podDisruptionBudget.config"))
        given = {key for key, value in config.items() if value is not None}
        if {"minAvailable", "maxUnavailable"} <= given:
            found.append(f"{component}.podDisruptionBudget.config: give one of minAvailable and maxUnavailable")
    return found


def _unknown(
    values: Mapping[str, Any], known: Mapping[str, Any], schema: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield path and key of each value that the chart does not have, wherever it lists what it has."""
    properties = schema.get("properties", {})
    for key, value in values.items():
        path = f"{prefix}{key}"
        if key not in known and key not in properties:
            # airflow.cfg has more sections and options than the chart's defaults, and a budget more fields.
            if not prefix.startswith("config.") and not prefix.endswith("podDisruptionBudget.config."):
                yield path, str(key)
        elif isinstance(value, Mapping) and isinstance(known.get(key), Mapping) and known[key]:
            below = properties.get(key, {})
            # An object of Kubernetes, such as a strategy, of which values.yaml has one example.
            if "type" not in below or "properties" in below:
                yield from _unknown(value, known[key], below, f"{path}.")
