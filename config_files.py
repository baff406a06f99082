"""Config out of a project's files, as the engine would give it to the program; for a check without an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from config_reader import PROJECT, SettingsError


def read_files(project: Path, stack: str) -> tuple[dict[str, str], set[str]]:
    """Config as the engine would give it to the program, and the keys that are encrypted (their value is "").

    Raises SettingsError where a file is missing, not YAML or not a map.
    """
    schema = _read_config(project / "Pulumi.yaml", stack)
    given = _read_config(project / f"Pulumi.{stack}.yaml", stack)
    config = {f"{PROJECT}:{key}": _as_config(entry["default"]) for key, entry in schema.items() if "default" in entry}
    secret_keys = set()
    for key, value in given.items():
        full = key if ":" in key else f"{PROJECT}:{key}"
        if isinstance(value, Mapping) and "secure" in value:
            secret_keys.add(full)
            config[full] = ""
        else:
            config[full] = _as_config(value)
    return config, secret_keys


def _read_config(path: Path, stack: str) -> dict[str, Any]:
    """The map `config` of a project's or a stack's file."""
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SettingsError(
            stack, [f"expected a file {path.name}, found none. Mend it: pulumi stack init {stack}"]
        ) from None
    except yaml.YAMLError as error:
        # Only the place: the text of the error quotes the file, and the file may hold a secret.
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise SettingsError(stack, [f"expected YAML in {path.name}{place}. Mend it in an editor"]) from None
    config = content.get("config") if isinstance(content, Mapping) else content
    if not isinstance(config or {}, dict):
        raise SettingsError(stack, [f"expected a map `config` in {path.name}. Mend it in an editor"])
    return config or {}


def _as_config(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)
