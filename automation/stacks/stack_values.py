"""Reads and changes the values of a stack's config, in its committed file or in its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pulumi.automation import CommandError

from automation.engine.failures import engine_error
from automation.engine.opened_stack import OpenedStack
from automation.project_files import read_config
from automation.stacks.config import as_config
from automation.stacks.file_secrets import file_secrets
from automation.stacks.secret_texts import secret_texts
from automation.stacks.session import Session
from components.kube.secret import Secret
from settings import PROJECT, SECRET_KEYS
from settings.files import holds_secure

_PREFIX = f"{PROJECT}:"


def config_values(session: Session, opened: OpenedStack) -> Mapping[str, Any]:
    """Return the stack's config by short key, secret values as `Secret`. Raises UpdateFailed."""
    settings = session.place.settings
    if settings is not None:
        return {**settings.values, **settings.secrets}
    return file_values(opened, session.place.project_dir)


def change_config(session: Session, opened: OpenedStack, changed: Mapping[str, Any]) -> None:
    """Change values by short key, in the given order; None takes one out. From now on no output shows new secrets.

    Raises:
        SettingsInvalid: The config is not valid with them.
        UpdateFailed: The engine could not write.
    """
    secrets = (value.reveal() for value in changed.values() if isinstance(value, Secret))
    session.masker = session.masker.knowing(secrets)
    settings = session.place.settings
    if settings is not None:
        session.place = replace(session.place, settings=settings.changed(**changed))
        session.forget_opened()
    else:
        write_to_file(opened, session.place.project_dir, changed)
        session.check_config()


def file_values(on: OpenedStack, project_dir: Path, path: Path | None = None) -> dict[str, Any]:
    """Return the values in a stack's committed file by short key, secret ones decrypted. Raises UpdateFailed.

    path: the file to decrypt, if it is not the one that the stack was opened with.
    """
    config = read_config(project_dir, on.stack.name)
    given = {str(key).removeprefix(_PREFIX): value for key, value in config.items() if str(key).startswith(_PREFIX)}
    encrypted = {key for key, value in given.items() if holds_secure(value)}
    clear = file_secrets(on, path) if encrypted else {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in encrypted:
            values[key] = Secret(clear.get(key, ""))
        else:
            values[key] = Secret(as_config(value)) if key in SECRET_KEYS else value
    return values


def write_to_file(on: OpenedStack, project_dir: Path, changed: Mapping[str, Any]) -> None:
    """Change values in a stack's committed file with `pulumi config`, which encrypts secret ones; None takes one out.

    Raises UpdateFailed.
    """
    env = on.stack.workspace.env_vars
    try:
        for key, value in changed.items():
            if value is None:
                on.engine.run(["config", "rm", f"{_PREFIX}{key}", "--stack", on.stack.name], str(project_dir), env)
                continue
            full = f"{_PREFIX}{key}"
            secret = isinstance(value, Secret)
            for path, text in (secret_texts(key, value) if secret else {full: as_config(value)}).items():
                kind = ["--secret" if secret else "--plaintext", *([] if path == full else ["--path"])]
                # On standard input, because every process can see arguments.
                on.engine.run(
                    ["config", "set", *kind, path, "--stack", on.stack.name], str(project_dir), env, given=text
                )
    except CommandError as error:
        raise engine_error(error, "writing the config", stack=on.stack.name, clean=on.masker.text) from None
