"""Reads the values in a stack's committed file, and adds to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError

from automation.engine.failures import engine_error
from automation.engine.operations import OpenedStack
from automation.folder import short_name
from automation.stacks.backend import read_yaml
from automation.stacks.config import as_config
from components.kube.secret import Secret
from settings import PROJECT, SECRET_KEYS

_PREFIX = f"{PROJECT}:"


def file_values(on: OpenedStack, project_dir: Path) -> dict[str, Any]:
    """Return the values in a stack's committed file by short key, secret ones decrypted. Raises UpdateFailed."""
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


def write_to_file(on: OpenedStack, project_dir: Path, added: Mapping[str, Any]) -> None:
    """Add values to a stack's committed file with `pulumi config set`, which encrypts secret ones.

    Raises UpdateFailed.
    """
    env = on.stack.workspace.env_vars
    try:
        for key, value in sorted(added.items()):
            kind, text = (
                ("--secret", value.reveal()) if isinstance(value, Secret) else ("--plaintext", as_config(value))
            )
            words = ["config", "set", kind, f"{_PREFIX}{key}", "--stack", on.stack.name]
            # On standard input, because every process can see arguments.
            on.engine.run(words, str(project_dir), env, given=text)
    except CommandError as error:
        raise engine_error(error, "writing the config", stack=on.stack.name) from None


def _decrypted(on: OpenedStack) -> dict[str, str]:
    workspace = on.stack.workspace
    words = ["config", "--show-secrets", "--json", "--stack", on.stack.name]
    try:
        found = json.loads(on.engine.run(words, workspace.work_dir, workspace.env_vars).stdout)
    except CommandError as error:
        raise engine_error(error, "reading the config", stack=on.stack.name) from None
    return {
        key.removeprefix(_PREFIX): str(entry.get("value") or "") for key, entry in found.items() if entry.get("secret")
    }
