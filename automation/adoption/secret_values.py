"""Finds the secrets in values and manifests of a release that another tool made and in which nothing marks them.

Hiding takes two steps, because a value stands in several places: `secrets_in` finds the texts to hide wherever they
are, and `hidden` hides a value in its own place, even one that is a number or too short to be looked for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import yaml

from components.kube.any_form import mapping
from components.kube.safe_yaml import load_yaml
from components.secrets.masker import Masker
from components.secrets.names import is_given, may_hold_secret, variable_may_hold_secret

_GIVEN: Final = r"""(?="(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<plain>[^\s"'][^\n]{0,4095}))"""
"""A value, matched by lookahead because another name may stand in it. The limit is for texts of one long line."""
_LINE: Final = re.compile(rf"""\s*["']?[^\s:"']+["']?[ \t]*:[ \t]+{_GIVEN}""")
"""A line in the YAML of a Secret's data."""
_ASSIGNED: Final = re.compile(rf"""(?<![\w.-])(?P<name>[A-Za-z][\w.-]*)["']?[ \t]*[:=][ \t]*{_GIVEN}""")
"""A name with its value in a text: YAML, airflow.cfg or Python."""
_VARIABLE: Final = re.compile(
    rf"""\bname["']?:[ \t]*["']?(?P<name>[\w.-]+)["']?,?\s+["']?value["']?:[ \t]*{_GIVEN}""", re.IGNORECASE
)
"""A container's variable in a text, as in the chart's `extraEnv`."""
_URI: Final = re.compile(r"[\w+.-]+://\S+")
_LOGIN: Final = re.compile(r"""://[^\s:/@"']{0,255}:([^\s"']{1,1023})@""")
"""The password in a URI, percent-encoded or not."""
_EXTRA: Final = "extraSecrets"
_DATA: Final = ("data", "stringData")


def secrets_in(value: Any) -> Iterator[str]:
    """Yield the texts that are or may be secret, by their name or because a Secret holds them.

    It yields too many rather than too few.
    """
    if isinstance(value, Mapping):
        marked = _marked(value)
        for key, item in value.items():
            if key not in marked:
                yield from secrets_in(item)
            elif key in _DATA:
                yield from _of_data(item, encoded=key == "data")
            elif key == _EXTRA:
                for content in item.values() if isinstance(item, Mapping) else ():
                    for part in _DATA:
                        yield from _of_data(mapping(content).get(part), encoded=part == "data")
            else:
                yield from _secret_part(str(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)
    elif isinstance(value, str):
        yield from _of_text(value)


def hidden(value: Any, masker: Masker) -> Any:
    """Return the value with masks for what may be secret by its place, and for what the masker knows."""
    if isinstance(value, Mapping):
        marked = _marked(value)
        shown = {
            masker.text(str(key)): masker.secret(item) if key in marked else hidden(item, masker)
            for key, item in value.items()
        }
        metadata = mapping(value.get("metadata"))
        if "kind" in value and "name" in metadata:
            # Otherwise airflow-postgresql would be another object if the password is the chart's own, postgres.
            shown["metadata"] = {**shown["metadata"], "name": metadata["name"]}
        return shown
    if isinstance(value, list | tuple):
        return [hidden(item, masker) for item in value]
    return masker.value(value)


def where_set(value: Any, own: Any, masker: Masker) -> Any:
    """Return a value of a release, with a mask at each path that the program does not set.

    No list of names knows what a team calls its secrets. So a foreign value is shown only at a path that the program's
    own plan has, beside what the program sets there.

    Args:
        value: What the release has.
        own: What the program's plan has in the same place, None for nothing.
        masker: Makes the masks.
    """
    if isinstance(value, Mapping) and isinstance(own, Mapping):
        return {
            key: where_set(item, own[key], masker) if key in own else masker.secret(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple) and isinstance(own, list | tuple):
        named = {item["name"]: item for item in own if isinstance(item, Mapping) and isinstance(item.get("name"), str)}
        return [
            where_set(item, named.get(item["name"]) if _has_name(item) else _at(own, number), masker)
            for number, item in enumerate(value)
        ]
    if isinstance(value, Mapping | list | tuple) or own is None:
        # The name of a list's entry tells which one it is; it is no value.
        name = {"name": value["name"]} if _has_name(value) else {}
        masked = masker.secret(value)
        return {**masked, **name} if isinstance(masked, Mapping) else masked
    return value


def object_where_set(value: Mapping[str, Any], own: Mapping[str, Any] | None, masker: Masker) -> dict[str, Any]:
    """Return a Kubernetes object as `where_set` does, with what names it."""
    masked: dict[str, Any] = where_set(value, own or {}, masker)
    metadata = {**mapping(masked.get("metadata"))}
    for key in ("name", "namespace"):
        if key in mapping(value.get("metadata")):
            metadata[key] = value["metadata"][key]
    return {**masked, "apiVersion": value.get("apiVersion"), "kind": value.get("kind"), "metadata": metadata}


def _has_name(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("name"), str)


def _at(items: Any, number: int) -> Any:
    return items[number] if number < len(items) else None


def _marked(value: Mapping[Any, Any]) -> frozenset[Any]:
    """Return the keys of a map whose values are or may be secret."""
    named = {key for key, item in value.items() if may_hold_secret(str(key)) and is_given(item)}
    name = value.get("name")
    if isinstance(name, str) and variable_may_hold_secret(name) and is_given(value.get("value")):
        named.add("value")
    if value.get("kind") == "Secret":
        named.update(key for key in _DATA if key in value)
    if isinstance(value.get(_EXTRA), Mapping):
        named.add(_EXTRA)
    return frozenset(named)


def _of_data(data: Any, *, encoded: bool) -> Iterator[str]:
    """Yield the secrets in a Secret's data, or in the YAML that the chart makes it of, which may be a template.

    encoded: The values are Base64; each is yielded as it is, and decoded where it can be.
    """
    if isinstance(data, Mapping):
        given = [str(item) for item in data.values() if item is not None]
    else:
        text = str(data or "")
        given = [*_values_of_lines(text), *_values_of_yaml(text)]
    for item in given:
        decoded = _decoded(item) if encoded else None
        yield from _secret_part(item)
        yield from () if decoded is None else _secret_part(decoded)


def _secret_part(text: str) -> Iterator[str]:
    """Yield the password of a URI, whose host is a Service's name that stands everywhere; else the whole text."""
    logins = _LOGIN.findall(text) if _URI.fullmatch(text.strip()) else []
    yield from (form for login in logins for form in (login, unquote(login)))
    yield from _of_text(text) if logins else (text,)


def _values_of_lines(text: str) -> Iterator[str]:
    """Yield the value of each line; all of a line without a key."""
    for line in text.splitlines():
        match = _LINE.match(line)
        yield _given(match) if match else line.strip()


def _values_of_yaml(text: str) -> Iterator[str]:
    try:
        content = load_yaml(text)
    except (yaml.YAMLError, ValueError):
        return  # a template: its lines are all that there is
    yield from (str(item) for item in mapping(content).values() if item is not None)


def _of_text(text: str) -> Iterator[str]:
    yield from _LOGIN.findall(text)
    for pattern in (_ASSIGNED, _VARIABLE):
        yield from (_given(match) for match in pattern.finditer(text) if variable_may_hold_secret(match["name"]))


def _given(match: re.Match[str]) -> str:
    return (match["double"] or match["single"] or match["plain"]).strip()


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return None
