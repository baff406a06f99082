"""Changes one value in a stack's committed file, and leaves the rest as a person wrote it."""

from __future__ import annotations

import math
import re

import yaml

from automation.errors import FileInvalid


def with_value(text: str, key: str, value: str) -> str:
    """The file's text with another value of a config key. Raises FileInvalid where it cannot be changed so.

    The value gets quotes whatever it is: the engine's YAML makes numbers of texts that PyYAML leaves alone (`1e5`).
    """
    try:
        content = yaml.safe_load(text) or {}
        expected = {**content, "config": {**(content.get("config") or {}), key: value}}
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        raise FileInvalid("expected YAML in the stack's file, a map of maps, found something else", "edit it") from None
    quoted = yaml.safe_dump(value, default_style='"', width=math.inf)
    line = f"{key}: {quoted.rstrip()}"
    for candidate in (_replaced(text, key, line), _added(text, line)):
        try:
            if candidate is not None and yaml.safe_load(candidate) == expected:
                return candidate
        except yaml.YAMLError:
            continue
    raise FileInvalid(f"{key} cannot be changed in the stack's file without writing it anew", f"set {key} in an editor")


def _replaced(text: str, key: str, line: str) -> str | None:
    """None where the key is not there, on a line of its own."""
    pattern = re.compile(rf"^([ \t]+){re.escape(key)}:[^\n#]*?([ \t]+#[^\n]*)?$", re.MULTILINE)
    found = pattern.search(text)
    return None if found is None else f"{text[: found.start()]}{found[1]}{line}{found[2] or ''}{text[found.end() :]}"


def _added(text: str, line: str) -> str | None:
    """Before the first key of `config`, as far to the right as that."""
    found = re.search(r"^config:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*#[^\n]*\n)*([ \t]+)(?=\S)", text, re.MULTILINE)
    if found is None:
        return f"{text.rstrip()}\nconfig:\n  {line}\n" if not re.search(r"^config:", text, re.MULTILINE) else None
    return f"{text[: found.start(1)]}{found[1]}{line}\n{text[found.start(1) :]}"
