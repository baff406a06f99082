"""Says in plain words how a value breaks the chart's schema. Pure.

The words of the library quote the value, which may be a password: `env: {DB_PASSWORD: …}` in place of a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from components.secrets.logins import has_login
from components.texts.likely_names import did_you_mean

if TYPE_CHECKING:
    from jsonschema import ValidationError

_KINDS: Final[Mapping[str, str]] = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a map",
    "string": "a text",
}
_PLAIN: Final = re.compile(r"-?[0-9.]{1,20}[A-Za-z]{0,3}|true|false|yes|no|on|off", re.IGNORECASE)
"""Texts that may be shown: what was meant for a number or a switch."""
_READABLE: Final[Mapping[str, str]] = {
    "boolean": "true|false",
    "integer": "-?(0|[1-9][0-9]*)",
    "number": r"-?(0|[1-9][0-9]*)(\.[0-9]+)?",
}
"""Texts that would be right without their quotes."""
_MODE: Final = re.compile("0[0-7]{3}")
"""Rights of a file, as people write them."""
_MOST_NAMES: Final = 8


def schema_text(error: ValidationError) -> str:
    """Return what was expected and found, with the value's path before it."""
    path = ".".join(map(str, error.absolute_path)) or "the root"
    wrong: Any = error.validator_value
    value: Any = error.instance
    schema: Any = error.schema
    match error.validator:
        case "type":
            kinds = [wrong] if isinstance(wrong, str) else list(wrong)
            return f"{path}: expected {_listed(kinds)}, found {_found(value)}{_hint(kinds, value)}"
        case "additionalProperties" if isinstance(value, Mapping):
            known = list(schema.get("properties", ()))
            others = [str(key) for key in value if key not in known]
            return f"{path}: {_unknown(others, known)}"
        case "required":
            [missing] = re.findall(r"^'(.*)' is a required property$", error.message) or ["another one"]
            return f"{path}: expected an entry {missing}, found none"
        case "anyOf" | "oneOf" if names := _alternatives(wrong):
            return f"{path}: expected one of the entries {', '.join(names)}, found {_entries(value)}"
        case "anyOf" | "oneOf":
            return f"{path}: expected another value, found {_found(value)}"
        case "enum":
            return f"{path}: expected one of {', '.join(str(choice) for choice in wrong)}, found {_found(value)}"
        case "minimum" | "maximum":
            return (
                f"{path}: expected {'at least' if error.validator == 'minimum' else 'at most'} {wrong}, found {value}"
            )
        case _:
            return f"{path}: breaks the rule {error.validator} of the chart's schema"


def _listed(kinds: Sequence[str]) -> str:
    return " or ".join(_KINDS[kind] for kind in kinds if kind != "null") or "nothing"


def _found(value: Any) -> str:
    if isinstance(value, bool | None):
        return {True: "true", False: "false", None: "none"}[value]
    if isinstance(value, int | float):
        return f"{value}"
    if isinstance(value, str):
        return f'the text "{value}"' if _PLAIN.fullmatch(value) else "a text"
    return "a list" if isinstance(value, list) else "a map"


def _hint(kinds: Sequence[str], value: Any) -> str:
    """Return how the sentence goes on where another spelling is right."""
    if "string" in kinds and isinstance(value, bool | int | float):
        return "; write it in quotes"
    if "string" in kinds and isinstance(value, list | Mapping):
        return "; write | behind the key, which makes a text of the lines below"
    if isinstance(value, str) and any(re.fullmatch(_READABLE.get(kind, "(?!)"), value) for kind in kinds):
        return "; write it without quotes"
    if isinstance(value, str) and "integer" in kinds and _MODE.fullmatch(value):
        return f"; write it in decimal digits, {int(value, 8)}"
    if "array" in kinds and isinstance(value, Mapping):
        return "; write each entry as a map of its own behind -"
    return ""


def _unknown(others: Sequence[str], known: Sequence[str]) -> str:
    texts = []
    for name in others[:_MOST_NAMES]:
        # A text in the place of a key may be a secret too.
        shown = "a key that may hold a login, which is not shown," if has_login(name) else name[:100]
        texts.append(f"{shown} is not an entry{did_you_mean(name, known)}")
    return " and ".join(texts)


def _alternatives(schemas: Any) -> list[str]:
    """Return the entries of which a map must have one, or nothing for other alternatives."""
    required = [schema.get("required") for schema in schemas if isinstance(schema, Mapping)]
    return [names[0] for names in required if names] if all(required) and required else []


def _entries(value: Any) -> str:
    if not isinstance(value, Mapping):
        return _found(value)
    names = [str(key)[:100] for key in value if not has_login(str(key))]
    return ", ".join(names[:_MOST_NAMES]) or "none"
