"""Opening a stack: with a work directory for the engine, and with its secrets encrypted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi.automation import CommandError, LocalWorkspace, Stack, StackNotFoundError

from automation.engine import plugins
from automation.engine.backend import KeyService
from automation.engine.bare_stack import without_questions
from automation.engine.command import Engine
from automation.engine.failures import engine_error
from automation.errors import Interrupted
from automation.folder import stack_file
from automation.project_files import read_config, read_yaml
from automation.stacks.place import Place, no_such_stack
from automation.stacks.secret_texts import same_secret, secret_texts
from automation.stacks.work_directory import prepare_reading_dir, prepare_work_dir
from components.secrets.logins import shown_url, url_masker
from settings import PROJECT

if TYPE_CHECKING:
    from automation.stacks.config import EnvironmentSettings


def open_stack(
    place: Place,
    stack: str,
    engine: Engine,
    *,
    create: bool = True,
    opened: Stack | None = None,
    for_reading: bool = False,
) -> Stack:
    """Return the stack, with its work directory prepared.

    Args:
        place: Where the stack is found.
        stack: Its name.
        engine: The engine that works on it.
        create: Create the stack if the backend does not have it.
        opened: What an earlier call returned for the same place. Its files are written anew, and the engine is not
            asked again.
        for_reading: Open it for commands that change nothing: in a folder of their own and without the config, so
            that they can run beside an update.

    Raises:
        StackUnknown: There is no `Pulumi.<stack>.yaml`, or, without `create`, no such stack in the backend.
        FileInvalid: A file is not YAML.
        PassphraseMissing: Nothing says what encrypts the secrets.
        Interrupted: It was cancelled.
        UpdateFailed: The engine cannot open it.
    """
    if not create:
        place.must_have(stack)
    work_dir = prepare_reading_dir(place, stack) if for_reading else prepare_work_dir(place, stack)
    backend = place.prepare(stack)
    workspace = LocalWorkspace(
        work_dir=str(work_dir),
        # By itself the engine would download more plugins than the program uses; `operations` installs those it needs.
        env_vars={**plugins.environment(place.environ), **_added(place.environ), **backend.env},
        pulumi_command=engine,
        secrets_provider=_key_service(place, stack_file(work_dir, stack)),
    )
    try:
        if opened is None:
            found = Stack.create_or_select(stack, workspace) if create else Stack.select(stack, workspace)
            result = without_questions(found)
        else:
            result = opened
            result.workspace.env_vars = workspace.env_vars
        settings = None if for_reading else place.settings
        if settings is not None and (opened is None or _lacks_secret(work_dir, stack, settings)):
            _encrypt(result, settings, engine)
        return result
    except StackNotFoundError:
        raise no_such_stack(stack, backend.url) from None
    except CommandError as error:
        action = f"opening stack {stack} in {shown_url(backend.url)}"
        if engine.interrupted:
            raise Interrupted(f"{action} was interrupted", "run it again") from None
        raise engine_error(error, action, stack=stack, clean=url_masker(backend.url).text) from None


def _key_service(place: Place, file: Path) -> str | None:
    """Return the URL of the key that encrypts a new stack's secrets; None means a passphrase, or the backend's own.

    Where the stack's file names one, the engine would take a passphrase nevertheless, unless it is told.
    """
    if isinstance(place.provider, KeyService):
        return place.provider.url
    named = str(read_yaml(file).get("secretsprovider") or "")
    return named if "://" in named else None


def _lacks_secret(work_dir: Path, stack: str, settings: EnvironmentSettings) -> bool:
    """Return whether the file lacks a secret: the program would generate another in its place."""
    config = read_config(work_dir, stack)
    return not {f"{PROJECT}:{key}" for key in settings.secrets} <= config.keys()


def _encrypt(stack: Stack, settings: EnvironmentSettings, engine: Engine) -> None:
    """Let the engine encrypt those secrets that the stack's file lacks. None is given as an argument, for all to see.

    Raises CommandError.
    """
    if not settings.secrets:
        return
    directory, env = stack.workspace.work_dir, stack.workspace.env_vars
    shown = engine.run(["config", "--show-secrets", "--json", "--stack", stack.name], directory, env)
    held = {key: entry.get("value") for key, entry in json.loads(shown.stdout).items() if entry.get("secret")}
    for key, secret in sorted(settings.secrets.items()):
        full = f"{PROJECT}:{key}"
        if same_secret(key, held.get(full), secret):
            continue
        texts = secret_texts(key, secret)
        if full not in texts and full in held:  # entries that are no longer given
            engine.run(["config", "rm", full, "--stack", stack.name], directory, env)
        for path, text in texts.items():
            words = ["config", "set", "--secret", *([] if path == full else ["--path"]), path, "--stack", stack.name]
            engine.run(words, directory, env, given=text)


def _added(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the engine does not inherit from this process."""
    return {name: value for name, value in environ.items() if os.environ.get(name) != value}
