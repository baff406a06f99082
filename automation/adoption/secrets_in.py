"""Secrets in what somebody else wrote: values and manifests of a release, where nothing says what is secret.

Two steps, because a value stands in several places: `secrets_in` finds the texts to hide wherever they are, and
`hidden` hides a value also where it is too short, or no text, to be looked for.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

import yaml

from automation.masking import Masker

_NAMED: Final = re.compile(
    r"(?:^|[_.-])secret$|"
    r"(?:^|[_.-]|(?<=[a-z]))(?:pass|password|passwd|passphrase|token|client_?secret|jwt_?secret|secret_?key|"
    r"private_?key|access_?key|api_?key|fernet_?key|ssh_?key|(?:account|shared|auth|signing|encryption)_?key|"
    r"credentials|connection|(?:web)?hook(?:_?url)?|dsn|sql_alchemy_conn(?:_async)?|broker_?url|result_backend|basic_auth|"
    r"backend_kwargs|engine_args|keytab_?base64_?content)$",
    re.IGNORECASE,
)
"""Ends of names whose value is likely to be one: of Helm values, options of airflow.cfg and variables.

Among them the options that Airflow itself takes for sensitive (`sensitive: true` in airflow/config_templates/config.yml
and in its providers' get_provider_info).
"""
_CONNECTION: Final = re.compile(r"AIRFLOW_CONN_\w+|\w+_CONN(?:_\w+)?|\w*SECRET\w*|\w*PASSWORD\w*", re.IGNORECASE)
_GIVEN: Final = r"""(?="(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<plain>[^\s"'][^\n]{0,4095}))"""
"""Only looked at, because another name may stand in it; so long at most, for texts that are one line."""
_LINE: Final = re.compile(rf"""\s*["']?[^\s:"']+["']?[ \t]*:[ \t]+{_GIVEN}""")
"""Of the YAML of a Secret's data."""
_ASSIGNED: Final = re.compile(rf"""(?<![\w.-])(?P<name>[A-Za-z][\w.-]*)["']?[ \t]*[:=][ \t]*{_GIVEN}""")
"""In a text: of YAML, of airflow.cfg or of Python."""
_VARIABLE: Final = re.compile(
    rf"""\bname["']?:[ \t]*["']?(?P<name>[\w.-]+)["']?,?\s+["']?value["']?:[ \t]*{_GIVEN}""", re.IGNORECASE
)
"""In a text: a variable of a container, as in the chart's `extraEnv`."""
_URI: Final = re.compile(r"[\w+.-]+://\S+")
_LOGIN: Final = re.compile(r"""://[^\s:/@"']{0,255}:([^\s"']{1,1023})@""")
"""The password in a URI, percent-encoded or not."""
_EXTRA: Final = "extraSecrets"
_DATA: Final = ("data", "stringData")


def secrets_in(value: Any) -> Iterator[str]:
    """Texts that are secret, or may be: by their name, or because a Secret holds them. Rather too many than too few."""
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
                        yield from _of_data(_mapping(content).get(part), encoded=part == "data")
            else:
                yield from _secret_part(str(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)
    elif isinstance(value, str):
        yield from _of_text(value)


def hidden(value: Any, masker: Masker) -> Any:
    """The value with masks for what may be secret by its place, and for what the masker knows."""
    if isinstance(value, Mapping):
        marked = _marked(value)
        shown = {
            masker.text(str(key)): masker.secret(item) if key in marked else hidden(item, masker)
            for key, item in value.items()
        }
        metadata = _mapping(value.get("metadata"))
        if "kind" in value and "name" in metadata:
            # Else airflow-postgresql would be another object where the password is the chart's own, postgres.
            shown["metadata"] = {**shown["metadata"], "name": metadata["name"]}
        return shown
    if isinstance(value, list | tuple):
        return [hidden(item, masker) for item in value]
    return masker.value(value)


def _marked(value: Mapping[Any, Any]) -> frozenset[Any]:
    """Keys of a map whose values are secret, or may be."""
    named = {key for key, item in value.items() if _NAMED.search(str(key)) and _is_given(item)}
    name = value.get("name")
    if isinstance(name, str) and _may_be_secret(name) and _is_given(value.get("value")):
        named.add("value")
    if value.get("kind") == "Secret":
        named.update(key for key in _DATA if key in value)
    if isinstance(value.get(_EXTRA), Mapping):
        named.add(_EXTRA)
    return frozenset(named)


def _is_given(item: Any) -> bool:
    return isinstance(item, str | int | float) and not isinstance(item, bool) and item != ""


def _may_be_secret(name: str) -> bool:
    return bool(_NAMED.search(name) or _CONNECTION.fullmatch(name))


def _of_data(data: Any, *, encoded: bool) -> Iterator[str]:
    """Of a Secret's data, or of the YAML that the chart makes it of, which may be a template.

    encoded: in base64; what cannot be decoded is yielded as it is too.
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
    """Of a URI with a login the password: its host is the name of a Service, which stands everywhere."""
    logins = _LOGIN.findall(text) if _URI.fullmatch(text.strip()) else []
    yield from (form for login in logins for form in (login, unquote(login)))
    yield from _of_text(text) if logins else (text,)


def _values_of_lines(text: str) -> Iterator[str]:
    """What stands behind the key of each line; the whole of a line that has none."""
    for line in text.splitlines():
        found = _LINE.match(line)
        yield _given(found) if found else line.strip()


def _values_of_yaml(text: str) -> Iterator[str]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return  # a template: its lines are all that there is
    yield from (str(item) for item in _mapping(content).values() if item is not None)


def _of_text(text: str) -> Iterator[str]:
    yield from _LOGIN.findall(text)
    for pattern in (_ASSIGNED, _VARIABLE):
        yield from (_given(found) for found in pattern.finditer(text) if _may_be_secret(found["name"]))


def _given(found: re.Match[str]) -> str:
    return (found["double"] or found["single"] or found["plain"]).strip()


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
