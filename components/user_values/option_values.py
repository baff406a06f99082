"""Finds values of airflow.cfg's options that Airflow cannot read: every pod would fail when it starts. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from components.chart_values.managed_variables import given_config, instead_at
from components.texts import fields
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
    "map": "a map in JSON, with double quotes, as one text",
    "time zone": "a time zone such as Europe/Berlin, utc or system",
    "name": "a name in Python with its package, such as package.module.name",
    "modules": "modules of Airflow 3, such as airflow.providers.fab.auth_manager.api.auth.backend.session",
}
_HIDDEN: Final = ("map",)
"""Kinds whose values may hold a password."""
_BESIDE: Final[Mapping[str, str]] = {
    "api.server_type": "uvicorn | gunicorn",
    "celery.pool": "prefork | eventlet | gevent | solo | threads | processes | custom",
    "fab.cookie_samesite": "Lax | Strict | None",
    "openlineage.transport": "map or nothing",
    **{
        f"celery_broker_transport_options.{option}": "number"
        for option in ("socket_connect_timeout", "socket_timeout", "visibility_timeout")
    },
}
"""Options that airflow_options.json does not know, or knows as a text where their reader takes a few alone
(api_server_command.py of Airflow, celery/concurrency, werkzeug/http.py)."""
_IN_ANY_CASE: Final = ("api.server_type", "fab.cookie_samesite")
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""Airflow 1 had a colon before the last part."""
_OF_FAB: Final = "airflow.providers.fab.auth_manager.api.auth.backend."
_GONE_MODULES: Final = ("airflow.contrib.", "airflow.api.auth.", f"{_OF_FAB}default", f"{_OF_FAB}deny_all")
"""Beginnings of names in Python that Airflow 3.2.2 and its providers lack."""


def option_value_problems(helm_values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of each such value, in `config` or in a variable."""
    for section, option, value in given_config(helm_values):
        path = f"config.{section}.{option}"
        problem = _problem(section.lower(), option.lower(), value) or _percent_problem(value)
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
    name = f"{section}.{option}"
    declared = _BESIDE.get(name) or OPTIONS.get(section, {}).get(option, "text")
    text = str(value)
    # Helm or Kubernetes puts something else there.
    if value is None or "{{" in text or "$(" in text:
        return None
    if declared == "text":
        gone = next((name for name in _GONE_MODULES if text.startswith(name)), None)
        return (
            None if gone is None else f"expected a name in Airflow 3, found one of {gone.rstrip('.')}, which it lacks"
        )
    kind = declared.removesuffix(_OR_NOTHING)
    same = text in kind.split(_OR) or (name in _IN_ANY_CASE and text.lower() in kind.lower().split(_OR))
    if same or _readable(kind, text) or (kind != declared and not text):
        return None
    gone = next((name for name in _GONE_MODULES if text.startswith(name)), None)
    if kind == "name" and gone is not None:
        return f"expected a name in Airflow 3, found one of {gone.rstrip('.')}, which it lacks"
    choices = [_EXPECTED.get(choice, choice) for choice in kind.split(_OR)]
    expected = choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    return f"expected {expected}, found {'something else' if kind in _HIDDEN else fields.shown(value)}"


def _percent_problem(value: Any) -> str | None:
    """Airflow reads `%(name)s` in airflow.cfg as another option, and %% as %. Variables are not read so."""
    if isinstance(value, str) and "{{" not in value and "%" in value.replace("%%", ""):
        return "expected each % as %%, which airflow.cfg reads as one, found one alone; double it"
    return None


def _readable(kind: str, text: str) -> bool:
    if _OR in kind:
        return any(_readable(choice, text) for choice in kind.split(_OR))
    judge = _JUDGES.get(kind)
    return text == kind if judge is None else judge(text)


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False


def _is_whole(text: str) -> bool:
    try:
        return float(text) == int(float(text))
    except (ValueError, OverflowError):
        return False


def _is_map(text: str) -> bool:
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(text), dict)
    return False


def _is_zone(text: str) -> bool:
    known = _zones()
    return not known or text in known or text in ("utc", "system")


@cache
def _zones() -> frozenset[str]:
    """Return the time zones that this machine knows; a few know none."""
    return frozenset(available_timezones())


_JUDGES: Final[Mapping[str, Callable[[str], bool]]] = {
    "boolean": lambda text: text.lower().partition("#")[0].strip() in _BOOLEANS,
    "integer": _is_whole,
    "number": _is_number,
    "map": _is_map,
    "time zone": _is_zone,
    "name": lambda text: _NAME.fullmatch(text) is not None and not text.startswith(_GONE_MODULES),
    "modules": lambda text: not any(each.strip().startswith(_GONE_MODULES) for each in text.split(",")),
}
