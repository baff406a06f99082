"""A stack that is opened, and what surrounds each command of the engine on it: typed errors, reminders, the watch."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pulumi.automation import CommandError, Stack

from automation.engine import plugins
from automation.engine.cluster_watch import cluster_watch, said_at_the_end
from automation.engine.command import Engine
from automation.engine.events import Teller, ignore
from automation.engine.failures import engine_error, hopeless
from automation.engine.installation import InstallationError
from automation.engine.policy_pack import JudgedProgress, refused
from automation.engine.usual_times import UsualTimes
from automation.errors import EngineMissing, Interrupted
from automation.project_files import read_config
from components.kube.look import Look
from components.secrets.masker import Masker

_REMIND_SECONDS: Final = 5.0


@dataclass(frozen=True)
class OpenedStack:
    """A stack whose work directory is prepared, and what every run of the engine on it uses."""

    stack: Stack
    """The stack of the Automation API."""
    engine: Engine
    """The engine that it was opened with."""
    teller: Teller = field(default_factory=lambda: Teller(ignore, "", ""))
    """Passes events on."""
    masker: Masker = field(default_factory=Masker)
    """Knows the stack's secrets."""
    look: Callable[[], Look] | None = None
    """Looks at the stack's namespace. Raises KubeRequestFailed, KubeUnreachable."""
    usual: UsualTimes = field(default_factory=UsualTimes)
    """Knows how long steps usually take."""


@contextmanager
def running(opened: OpenedStack, verb: str) -> Iterator[JudgedProgress]:
    """Install missing plugins, and yield what receives an update's or a preview's events. Raises what `up` raises."""
    progress = JudgedProgress(opened.teller, usual=opened.usual, cancelled=lambda: opened.engine.interrupted)
    ended = threading.Event()
    watch = None

    def remind() -> None:
        while not ended.wait(_REMIND_SECONDS):
            progress.remind()

    threading.Thread(target=remind, daemon=True).start()
    try:
        workspace = opened.stack.workspace
        # Not `workspace.stack_settings`, which fails on a number or a boolean.
        config = read_config(Path(workspace.work_dir), opened.stack.name)
        absent = plugins.missing(plugins.plugins_of(config), {**os.environ, **workspace.env_vars})
        if absent:
            _install(opened, absent)
        if verb == "up" and opened.look is not None:
            watch = cluster_watch(opened.look, progress, opened.engine)
            watch.start()
        yield progress
    except CommandError as error:
        # Not `from error`: its text holds all that the engine wrote.
        raise typed_error(opened, error, f"{verb} of stack {opened.stack.name}", progress) from None
    finally:
        ended.set()
        if watch is not None:
            watch.stop()


def _install(opened: OpenedStack, names: tuple[str, ...]) -> None:
    """Install plugins of the engine. Raises EngineMissing, CommandError."""
    workspace = opened.stack.workspace
    try:
        plugins.install_plugins(
            lambda words: opened.engine.run(words, workspace.work_dir, workspace.env_vars), names, opened.teller.note
        )
    except InstallationError as error:
        raise EngineMissing(
            f"a plugin of the engine could not be installed ({opened.masker.text(str(error))})",
            "let this machine reach github.com; use no file with another SHA-256",
        ) from None


@contextmanager
def reading(opened: OpenedStack, action: str) -> Iterator[None]:
    """Surround a command that shows no progress. Raises UpdateFailed or one of its kinds, StackLocked, Interrupted."""
    try:
        yield
    except CommandError as error:
        raise typed_error(
            opened, error, f"{action} of stack {opened.stack.name}", JudgedProgress(opened.teller)
        ) from None


def typed_error(opened: OpenedStack, error: CommandError, action: str, progress: JudgedProgress) -> Exception:
    """Return what a failed command of the engine means."""
    if progress.given_up:
        return hopeless(action, progress.given_up, opened.stack.name)
    if opened.engine.interrupted:
        return Interrupted(
            f"{action} was interrupted; what it had begun is in the state",
            "run it again: it takes over what was left",
        )
    if progress.refusals and not progress.failed:
        return refused(action, [opened.masker.text(text) for text in progress.refusals])
    return engine_error(
        error,
        action,
        progress.errors,
        stack=opened.stack.name,
        failed=progress.failed,
        half_done=progress.half_done,
        warnings=progress.warnings,
        clean=opened.masker.text,
        said=lambda: said_at_the_end(opened.look, progress),
    )


def command(opened: OpenedStack, *words: str, given: str | None = None) -> str:
    """Run a command of the engine on the stack, and return its output. Raises CommandError."""
    workspace = opened.stack.workspace
    done = opened.engine.run(
        [*words, "--stack", opened.stack.name], workspace.work_dir, workspace.env_vars, given=given
    )
    return done.stdout or "null"
