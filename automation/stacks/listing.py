"""The stacks of the program in a backend, and their tags. Nothing is decrypted, so no passphrase is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pulumi.automation import CommandError

from automation.engine import plugins
from automation.engine.backend import BACKEND, local_path, may_have_stacks
from automation.engine.command import Engine
from automation.engine.failures import engine_error
from automation.folder import make_folder
from automation.stacks.place import Place
from components.secrets.logins import shown_url, url_masker

_LEFT_OUT: Final = frozenset({".git", ".dev"})
_NO_UPDATE: Final = "no previous deployment"
"""What the engine says where there is no config to read (pulumi: pkg/backend/backend.go, ErrNoPreviousDeployment)."""


def stack_tags(place: Place, find_engine: Callable[[], Engine]) -> dict[str, Mapping[str, str]]:
    """Return the tags of every stack, by its name. Raises UpdateFailed."""
    if place.backend is None and not may_have_stacks(place.project_dir, place.environ):
        return {}  # no engine is downloaded only to find nothing
    engine, env = find_engine(), _environment(place)
    try:
        with _project(place.project_dir) as folder:
            listed = json.loads(engine.run(["stack", "ls", "--json"], str(folder), env).stdout)
            names = [str(item["name"]) for item in listed]
            return {
                name: json.loads(engine.run(["stack", "tag", "ls", "--json", "--stack", name], str(folder), env).stdout)
                or {}
                for name in names
            }
    except CommandError as error:
        action = f"listing the stacks in {shown_url(place.url)}"
        raise engine_error(error, action, stack="", clean=url_masker(place.url).text) from None


@contextmanager
def as_deployed(place: Place, stack: str, find_engine: Callable[[], Engine]) -> Iterator[Place | None]:
    """Yield a place whose checkout has the stack's file as the last update had it, whatever this checkout has.

    Yield None if there was no update yet. Raises UpdateFailed.
    """
    local = place.url.startswith("file:")
    # The passphrase that was generated for the folder is in this checkout.
    env = {**place.environ, **(place.prepare(stack).env if local else {}), BACKEND: place.url}
    with _project(place.project_dir) as folder:
        try:
            words = ["config", "refresh", "--force", "--stack", stack]
            find_engine().run(words, str(folder), {**plugins.ENVIRONMENT, **env})
        except CommandError as error:
            if _NO_UPDATE in str(error):
                yield None
                return
            action = f"reading the config of the last update of stack {stack}"
            raise engine_error(error, action, stack=stack, clean=url_masker(place.url).text) from None
        yield replace(place, project_dir=folder, settings=None, backend=place.url, environ=env)


def remove_empty(place: Place, stack: str, find_engine: Callable[[], Engine]) -> None:
    """Remove a stack of which no update has come to an end. Raises UpdateFailed if its state holds something."""
    try:
        with _project(place.project_dir) as folder:
            find_engine().run(["stack", "rm", "--yes", "--stack", stack], str(folder), _environment(place))
    except CommandError as error:
        action = f"removing stack {stack}"
        raise engine_error(error, action, stack=stack, clean=url_masker(place.url).text) from None


def _environment(place: Place) -> dict[str, str]:
    if place.url.startswith("file:"):
        make_folder(local_path(place.url))
    return {**plugins.ENVIRONMENT, **place.environ, BACKEND: place.url}


@contextmanager
def _project(project_dir: Path) -> Iterator[Path]:
    """Yield a folder that looks like the project, without any stack's file."""
    with TemporaryDirectory(prefix="airflow-") as temporary:
        folder = Path(temporary)
        for path in project_dir.iterdir():
            if path.name not in _LEFT_OUT and not path.match("Pulumi.?*.yaml"):
                (folder / path.name).symlink_to(path)
        yield folder
