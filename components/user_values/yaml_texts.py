"""Values of the chart that are YAML or Python in a text. Pure.

The chart writes the YAML below lists of its own. Python that cannot be read would end every pod that mounts it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, Final

from yaml import MarkedYAMLError, YAMLError

from components.chart_values.managed_variables import listed_variables
from components.chart_values.value_paths import at
from components.chart_values.yaml_entries import yaml_entries

_TEXTS: Final = ("extraEnv", "extraEnvFrom", "dags.gitSync.envFrom")
_PYTHON: Final = ("airflowLocalSettings", "apiServer.apiServerConfig")


def text_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each text that is not such YAML. Helm would refuse it without naming the value."""
    for path in _TEXTS:
        try:
            entries = yaml_entries(helm_values, path)
        except (YAMLError, ValueError) as error:
            if "{{" in str(at(helm_values, path)):
                continue  # a template, which only Helm can read
            mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
            where = f"an error in line {mark.line}" if mark else "something else"
            yield (
                path,
                f"{path}: expected YAML, a list of entries that begin with - and are not indented, found {where}",
            )
            continue
        if not all(isinstance(entry, Mapping) for entry in entries):
            yield path, f"{path}: expected a list of maps, found an entry that is none"
    for path in _PYTHON:
        line = _bad_line(at(helm_values, path))
        if line is not None:
            yield path, f"{path}: expected Python, found an error in line {line}"
    for _, name, value in extra_variables(helm_values):
        if value is not None and not isinstance(value, str):
            yield f"extraEnv {name}", f"extraEnv {name}: expected a text as its value, found another type; quote it"


def _bad_line(text: Any) -> int | None:
    """Return the line at which Python ends to read a text; None where it reads all, or Helm writes a part."""
    if not isinstance(text, str) or "{{" in text:
        return None
    try:
        ast.parse(text)
    except SyntaxError as error:
        return error.lineno or 1
    except (ValueError, RecursionError, MemoryError):
        return 1
    return None


def extra_variables(helm_values: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return path, name and value of each variable in `extraEnv`, None for a value from elsewhere."""
    try:
        entries = yaml_entries(helm_values, "extraEnv")
    except (YAMLError, ValueError):
        return []
    return [
        ("extraEnv", str(entry["name"]), entry.get("value"))
        for entry in entries
        if isinstance(entry, Mapping) and "name" in entry
    ]


def given_variables(helm_values: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return path, name and value of each variable, in lists of the values and in `extraEnv`."""
    return [*listed_variables(helm_values), *extra_variables(helm_values)]
