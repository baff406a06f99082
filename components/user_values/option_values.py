"""Finds values of airflow.cfg's options that Airflow cannot read: every pod would fail when it starts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components import fields
from components.chart_values.managed_variables import given_config, instead_at
from components.user_values.airflow_options import OPTIONS, section_of
from components.user_values.yaml_texts import given_variables

_VARIABLE: Final = re.compile(r"AIRFLOW__([A-Z0-9_]+?)__([A-Z0-9_]+)")
_OR: Final = " | "
_OR_NOTHING: Final = " or nothing"
_BOOLEANS: Final = ("t", "true", "1", "f", "false", "0")
"""In any case, and before a comment (3.2.2, _shared/configuration/parser.py, `getboolean`)."""
_EXPECTED: Final[Mapping[str, str]] = {
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
}


def option_value_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such value, in `config` or in a variable."""
    for section, option, value in given_config(helm_values):
        path = f"config.{section}.{option}"
        problem = _problem(section.lower(), option.lower(), value)
        if problem is not None:
            yield path, f"{path}: {problem}"
    for path, name, value in given_variables(helm_values):
        found = _VARIABLE.fullmatch(name)
        if found is None or instead_at(path, name) is not None:
            continue  # of something else, or refused whatever it is
        problem = _problem(section_of(found[1]), found[2].lower(), value)
        if problem is not None:
            yield f"{path} {name}", f"{path} {name}: {problem}"


def _problem(section: str, option: str, value: Any) -> str | None:
    declared = OPTIONS.get(section, {}).get(option, "text")
    text = str(value)
    # Helm or Kubernetes puts something else there.
    if declared == "text" or value is None or "{{" in text or "$(" in text:
        return None
    kind = declared.removesuffix(_OR_NOTHING)
    if _readable(kind, text) or (kind != declared and not text):
        return None
    choices = [_EXPECTED.get(choice, choice) for choice in kind.split(_OR)]
    expected = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return f"expected {expected}, found {fields.shown(value)}"


def _readable(kind: str, text: str) -> bool:
    if _OR in kind:
        return any(_readable(choice, text) for choice in kind.split(_OR))
    if kind == "boolean":
        return text.lower().partition("#")[0].strip() in _BOOLEANS
    if kind in ("integer", "number"):
        try:
            number = float(text)
            return kind == "number" or number == int(number)
        except (ValueError, OverflowError):
            return False
    return text == kind
