"""The secrets in a stack's file, which only the engine can decrypt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pulumi.automation import CommandError

from automation.engine.failures import engine_error
from automation.engine.operations import OpenedStack
from automation.folder import short_name
from automation.stacks.backend import read_yaml
from settings import PROJECT
from settings.files import holds_secure

_PREFIX = f"{PROJECT}:"


def has_secrets(work_dir: Path, stack: str) -> bool:
    """Return whether the stack's file in its work directory holds an encrypted value. Raises FileInvalid."""
    path = work_dir / f"Pulumi.{short_name(stack)}.yaml"
    config = read_yaml(path).get("config") if path.is_file() else None
    values = config.values() if isinstance(config, Mapping) else ()
    return any(map(holds_secure, values))


def file_secrets(on: OpenedStack) -> dict[str, str]:
    """Return the secret values in a stack's file by short key. Raises UpdateFailed, PassphraseMissing."""
    workspace = on.stack.workspace
    words = ["config", "--show-secrets", "--json", "--stack", on.stack.name]
    try:
        found = json.loads(on.engine.run(words, workspace.work_dir, workspace.env_vars).stdout)
    except CommandError as error:
        raise engine_error(error, "reading the config", stack=on.stack.name, clean=on.masker.text) from None
    return {
        key.removeprefix(_PREFIX): str(entry.get("value") or "") for key, entry in found.items() if entry.get("secret")
    }
