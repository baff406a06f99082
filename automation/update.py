"""Runs an operation of the engine on a stack: typed results, typed errors, progress as it goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pulumi.automation import CommandError, OpType, Stack

from automation.engine import Engine
from automation.engine_error import engine_error
from automation.errors import Interrupted
from automation.plugins import install_plugins, plugins_of
from automation.progress import Progress

OnLine = Callable[[str], None]
_REMIND_SECONDS: Final = 5.0
_QUIET: Final[dict[str, Any]] = {
    "color": "never",
    "suppress_outputs": True,
    "suppress_progress": True,
    "show_secrets": False,
}


@dataclass(frozen=True)
class Changes:
    """counts: resources by what was done to them (`same`, `create`, `update`, …)."""

    counts: Mapping[str, int]

    @property
    def any(self) -> bool:
        """Something was, or would be, done."""
        return any(count for kind, count in self.counts.items() if kind not in ("same", "read"))

    def __str__(self) -> str:
        if not self.any:
            return "no changes"
        done = [f"{count} {kind}" for kind, count in sorted(self.counts.items()) if count and kind != "read"]
        return ", ".join(done)


def up(stack: Stack, engine: Engine, on_line: OnLine) -> Changes:
    """Makes the stack as its program says. Raises UpdateFailed, StackLocked, Interrupted."""
    with _operation(stack, engine, "up", on_line) as progress:
        return _changes(stack.up(on_event=progress, **_QUIET).summary.resource_changes)


def preview(stack: Stack, engine: Engine, on_line: OnLine) -> Changes:
    """What `up` would do. Raises UpdateFailed, StackLocked, Interrupted."""
    with _operation(stack, engine, "preview", on_line) as progress:
        quiet = {name: value for name, value in _QUIET.items() if name != "show_secrets"}
        return _changes(stack.preview(on_event=progress, **quiet).change_summary)


def refresh(stack: Stack, engine: Engine, on_line: OnLine) -> Changes:
    """Makes the state as the cluster is. Raises UpdateFailed, StackLocked, Interrupted."""
    with _operation(stack, engine, "refresh", on_line) as progress:
        return _changes(stack.refresh(on_event=progress, **_QUIET).summary.resource_changes)


def destroy(stack: Stack, engine: Engine, on_line: OnLine) -> Changes:
    """Deletes what the stack owns; the stack itself stays. Raises UpdateFailed, StackLocked, Interrupted."""
    with _operation(stack, engine, "destroy", on_line) as progress:
        return _changes(stack.destroy(on_event=progress, **_QUIET).summary.resource_changes)


def stack_outputs(stack: Stack) -> dict[str, Any]:
    """Outputs as plain values; none of this program's is a secret. Raises UpdateFailed."""
    try:
        return {name: output.value for name, output in stack.outputs().items()}
    except CommandError as error:
        raise engine_error(error, f"reading the outputs of stack {stack.name}") from None


def has_resources(stack: Stack) -> bool:
    """The state holds something beside the stack itself. Raises UpdateFailed."""
    return len(_resources(stack)) > 1


def resources_outside(stack: Stack, prefixes: tuple[str, ...]) -> list[str]:
    """Types of the resources, components aside, that begin with none of these. Raises UpdateFailed."""
    types = {str(item["type"]) for item in _resources(stack) if item.get("custom")}
    return sorted(name for name in types if not name.startswith(prefixes))


def _resources(stack: Stack) -> list[dict[str, Any]]:
    try:
        deployment: Mapping[str, Any] = stack.export_stack().deployment or {}
    except CommandError as error:
        raise engine_error(error, f"reading the state of stack {stack.name}") from None
    return list(deployment.get("resources") or ())


@contextmanager
def _operation(stack: Stack, engine: Engine, verb: str, on_line: OnLine) -> Iterator[Progress]:
    progress, ended = Progress(on_line), threading.Event()

    def remind() -> None:
        while not ended.wait(_REMIND_SECONDS):
            progress.remind()

    threading.Thread(target=remind, daemon=True).start()
    try:
        config = stack.workspace.stack_settings(stack.name).config or {}
        install_plugins(stack.workspace, plugins_of(config), on_line)
        yield progress
    except CommandError as error:
        if engine.interrupted:
            raise Interrupted(
                f"{verb} of stack {stack.name} was interrupted; what it had begun is in the state",
                "run it again (make up): it takes over what was left",
            ) from None
        # Not `from error`: its text is all that the engine wrote.
        raise engine_error(error, f"{verb} of stack {stack.name}", progress.errors) from None
    finally:
        ended.set()


def _changes(counts: Mapping[Any, int] | None) -> Changes:
    return Changes(
        {(kind.value if isinstance(kind, OpType) else str(kind)): int(n) for kind, n in (counts or {}).items()}
    )
