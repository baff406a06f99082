"""A stack's config as values, read and completed, whether it is a committed file or was given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError

from automation.engine.failures import engine_error
from automation.engine.operations import Operation
from automation.folder import short_name
from automation.stacks.backend import read_yaml
from automation.stacks.config import as_config
from components.kube.secret import Secret
from settings import PROJECT, SECRET_KEYS

_PREFIX = f"{PROJECT}:"


def file_values(on: Operation, project_dir: Path) -> dict[str, Any]:
    """What a stack's committed file says, by short key; secret values decrypted by the engine. Raises UpdateFailed."""
    path = project_dir / f"Pulumi.{short_name(on.stack.name)}.yaml"
    config = read_yaml(path).get("config") or {}
    given = {str(key).removeprefix(_PREFIX): value for key, value in config.items() if str(key).startswith(_PREFIX)}
    encrypted = {key for key, value in given.items() if isinstance(value, Mapping) and "secure" in value}
    clear = _decrypted(on) if encrypted else {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in encrypted:
            values[key] = Secret(clear.get(key, ""))
        else:
            values[key] = Secret(as_config(value)) if key in SECRET_KEYS else value
    return values


def write_to_file(on: Operation, project_dir: Path, added: Mapping[str, Any]) -> None:
    """Adds to a stack's committed file, secret values encrypted, as a person would with `pulumi config set`.

    Raises UpdateFailed.
    """
    env = on.stack.workspace.env_vars
    try:
        for key, value in sorted(added.items()):
            kind, text = (
                ("--secret", value.reveal()) if isinstance(value, Secret) else ("--plaintext", as_config(value))
            )
            words = ["config", "set", kind, f"{_PREFIX}{key}", "--stack", on.stack.name]
            # Through the standard input: arguments are for every process to see.
            on.engine.run(words, str(project_dir), env, given=text)
    except CommandError as error:
        raise engine_error(error, "writing the config", stack=on.stack.name) from None


def _decrypted(on: Operation) -> dict[str, str]:
    workspace = on.stack.workspace
    words = ["config", "--show-secrets", "--json", "--stack", on.stack.name]
    try:
        found = json.loads(on.engine.run(words, workspace.work_dir, workspace.env_vars).stdout)
    except CommandError as error:
        raise engine_error(error, "reading the config", stack=on.stack.name) from None
    return {
        key.removeprefix(_PREFIX): str(entry.get("value") or "") for key, entry in found.items() if entry.get("secret")
    }
