"""The secrets in a stack's file, which only the engine can decrypt."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from pulumi.automation import CommandError

from automation.engine.failures import engine_error
from automation.engine.opened_stack import OpenedStack
from automation.errors import AutomationError
from automation.folder import stack_file
from automation.project_files import encryption, read_yaml
from automation.stacks.place import Place
from components.secrets.recognised import recognised
from settings import PROJECT
from settings.files import holds_secure

_PREFIX = f"{PROJECT}:"


def has_secrets(folder: Path, stack: str) -> bool:
    """Return whether the stack's file in a folder holds an encrypted value. Raises FileInvalid."""
    path = stack_file(folder, stack)
    config = read_yaml(path).get("config") if path.is_file() else None
    values = config.values() if isinstance(config, Mapping) else ()
    return any(map(holds_secure, values))


def clear_secrets(place: Place, stack: str) -> frozenset[str]:
    """Return what looks like a secret in the clear values of a stack's config; nothing where it cannot be read."""
    if place.settings is not None:
        return recognised(place.settings.values)
    with contextlib.suppress(AutomationError):
        path = stack_file(place.project_dir, stack)
        return recognised(read_yaml(path).get("config") if path.is_file() else None)
    return frozenset()


def committed_secrets(on: OpenedStack, project_dir: Path) -> dict[str, str]:
    """Return those of the committed file of a stack that is opened for reading.

    Nothing where they cannot be decrypted, for want of the passphrase or the right to the key: who only looks at a
    stack needs neither.
    """
    path = stack_file(project_dir, on.stack.name)
    with contextlib.suppress(AutomationError):
        # The engine would write into a file that does not say how it is encrypted.
        if has_secrets(project_dir, on.stack.name) and encryption(read_yaml(path)):
            return file_secrets(on, path)
    return {}


def file_secrets(on: OpenedStack, path: Path | None = None) -> dict[str, str]:
    """Return the secret values in a stack's file by short key. Raises UpdateFailed, PassphraseMissing.

    path: the file, or None for the one in the stack's work directory.
    """
    workspace = on.stack.workspace
    words = ["config", "--show-secrets", "--json", "--stack", on.stack.name]
    words += ["--config-file", str(path)] if path is not None else []
    try:
        found = json.loads(on.engine.run(words, workspace.work_dir, workspace.env_vars).stdout)
    except CommandError as error:
        raise engine_error(error, "reading the config", stack=on.stack.name, clean=on.masker.text) from None
    return {
        key.removeprefix(_PREFIX): str(entry.get("value") or "") for key, entry in found.items() if entry.get("secret")
    }
