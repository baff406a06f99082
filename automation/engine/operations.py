"""Runs an operation of the engine on a stack: typed results, typed errors, events as it goes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pulumi.automation import CommandError, EngineEvent, OpType, Stack

from automation.engine import plugins
from automation.engine.command import Engine
from automation.engine.events import Teller, ignore
from automation.engine.failures import engine_error
from automation.engine.policy_pack import JudgedProgress, policy_pack, refused
from automation.errors import Interrupted
from automation.folder import short_name
from automation.results import Changes, Step
from automation.stacks.backend import read_yaml
from components.secrets.masker import Masker

_REMIND_SECONDS: Final = 5.0
_QUIET_PREVIEW: Final[dict[str, Any]] = {"color": "never", "suppress_outputs": True, "suppress_progress": True}
_QUIET: Final[dict[str, Any]] = {**_QUIET_PREVIEW, "show_secrets": False}

_Listener = Callable[[EngineEvent], object]
_LISTENER: Final[ContextVar[_Listener]] = ContextVar("listener", default=lambda event: None)


@dataclass(frozen=True)
class Operation:
    """stack: opened. engine: the one that it was opened with. masker: knows the stack's secrets."""

    stack: Stack
    engine: Engine
    teller: Teller = field(default_factory=lambda: Teller(ignore, "", ""))
    masker: Masker = field(default_factory=Masker)


@dataclass(frozen=True)
class Outcome:
    """What was, or would be, done."""

    changes: Changes
    steps: tuple[Step, ...] = ()


@contextmanager
def listening(listener: _Listener) -> Iterator[None]:
    """Previews and updates that are begun inside pass the engine's own events on, from another thread.

    For a report of them: they hold config and state, of which the engine masks what is marked as secret and no more.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def up(on: Operation, *, plan: str | None = None) -> Outcome:
    """Makes the stack as its program says. plan: path of a saved plan that it must not leave.

    The policy pack judges it, as it does a preview, where the pack's environment has been made.
    Raises UpdateFailed or one of its kinds, Protected, ClusterUnreachable, SettingsInvalid, StackLocked, Interrupted.
    """
    with _running(on, "up") as progress:
        done = on.stack.up(on_event=_heard(progress), plan=plan, policy_packs=_policy_packs(on), **_QUIET)
    return Outcome(_changes(done.summary.resource_changes), progress.steps)


def preview(on: Operation, *, save_plan: str | None = None, refresh: bool = False) -> Outcome:
    """What `up` would do. save_plan: path for the engine's plan. refresh: see `Environment.preview`. Raises as `up`."""
    with _running(on, "preview") as progress:
        packs = _policy_packs(on)
        done = on.stack.preview(
            on_event=_heard(progress), plan=save_plan, refresh=refresh, policy_packs=packs, **_QUIET_PREVIEW
        )
    return Outcome(_changes(done.change_summary), progress.steps)


def registered(on: Operation) -> tuple[Mapping[str, Any], ...]:
    """What the program registers, as the engine would record it before anything is made; secrets are masked.

    By resource, in the order of registration: urn, type, custom, parent, provider, inputs. Raises as `up` does.
    """
    found: dict[str, Mapping[str, Any]] = {}

    def keep(event: EngineEvent) -> None:
        progress(event)
        state = event.resource_pre_event.metadata.new if event.resource_pre_event else None
        if state is not None:
            found[state.urn] = {
                "urn": state.urn,
                "type": state.type,
                "custom": bool(state.custom),
                "parent": state.parent,
                "provider": state.provider,
                "inputs": dict(state.inputs or {}),
            }

    with _running(on, "preview") as progress:
        on.stack.preview(on_event=keep, **_QUIET_PREVIEW)
    return tuple(found.values())


def refresh(on: Operation, *, targets: list[str] | None = None) -> Outcome:
    """Makes the state as the cluster is. targets: URNs, None for all. Raises as `up` does."""
    with _running(on, "refresh") as progress:
        done = on.stack.refresh(on_event=progress, target=targets, **_QUIET)
    return Outcome(_changes(done.summary.resource_changes), progress.steps)


def destroy(on: Operation) -> Outcome:
    """Deletes what the stack owns; the stack itself stays. Raises as `up` does."""
    with _running(on, "destroy") as progress:
        done = on.stack.destroy(on_event=progress, **_QUIET)
    return Outcome(_changes(done.summary.resource_changes), progress.steps)


def cancel(on: Operation) -> None:
    """Removes every lock of the stack. Raises UpdateFailed."""
    with _reading(on, "removing the lock"):
        on.stack.cancel()


def stack_outputs(on: Operation) -> dict[str, Any]:
    """Outputs as plain values; a secret one, of which this program has none, is masked. Raises UpdateFailed."""
    with _reading(on, "reading the outputs"):
        # One command; the Automation API would ask for secrets too.
        found: dict[str, Any] = json.loads(_run(on, "stack", "output", "--json"))
    return found


def deployment(on: Operation) -> dict[str, Any]:
    """The state as it is stored, secrets encrypted. Raises UpdateFailed."""
    with _reading(on, "reading the state"):
        # Not by the SDK, which asks for the secrets in clear.
        exported: dict[str, Any] = json.loads(_run(on, "stack", "export")) or {}
    return dict(exported.get("deployment") or {})


def replace_deployment(on: Operation, content: Mapping[str, Any]) -> None:
    """Stores another state. Its pending operations are dropped by the engine. Raises UpdateFailed, StackLocked."""
    with _reading(on, "writing the state"):
        # Not by the SDK, which leaves a file where that fails.
        _run(on, "stack", "import", given=json.dumps({"version": 3, "deployment": content}))


def history(on: Operation, limit: int) -> list[dict[str, Any]]:
    """The last operations as the engine tells them, the newest first; secret config is left out by it."""
    with _reading(on, "reading the history"):
        words = ("stack", "history", "--json", "--page-size", str(limit), "--page", "1")
        found: list[dict[str, Any]] = json.loads(_run(on, *words))
    return found


def tag(on: Operation, name: str) -> str:
    """A tag of the stack, "" where it has none. Raises UpdateFailed."""
    with _reading(on, "reading the stack's tags"):
        return str((json.loads(_run(on, "stack", "tag", "ls", "--json")) or {}).get(name, ""))


def set_tag(on: Operation, name: str, value: str) -> None:
    """Raises UpdateFailed."""
    with _reading(on, "tagging the stack"):
        on.stack.set_tag(name, value)


def remove(on: Operation, *, force: bool) -> tuple[str, ...]:
    """Removes the stack itself. Returns the names of those that the backend still has. Raises UpdateFailed."""
    with _reading(on, "removing the state"):
        workspace = on.stack.workspace
        if force:
            workspace.remove_stack(on.stack.name, force=True)
        else:
            workspace.remove_stack(on.stack.name)
        return tuple(str(summary.name) for summary in workspace.list_stacks())


def has_resources(on: Operation) -> bool:
    """The state holds something beside the stack itself. Raises UpdateFailed."""
    return len(deployment(on).get("resources") or ()) > 1


def resources_outside(on: Operation, prefixes: tuple[str, ...]) -> list[str]:
    """Types of the resources, components aside, that begin with none of these. Raises UpdateFailed."""
    resources = deployment(on).get("resources") or ()
    types = {str(item["type"]) for item in resources if item.get("custom")}
    return sorted(name for name in types if not name.startswith(prefixes))


def _run(on: Operation, *words: str, given: str | None = None) -> str:
    workspace = on.stack.workspace
    done = on.engine.run([*words, "--stack", on.stack.name], workspace.work_dir, workspace.env_vars, given=given)
    return done.stdout or "null"


@contextmanager
def _running(on: Operation, verb: str) -> Iterator[JudgedProgress]:
    progress, ended = JudgedProgress(on.teller), threading.Event()

    def remind() -> None:
        while not ended.wait(_REMIND_SECONDS):
            progress.remind()

    threading.Thread(target=remind, daemon=True).start()
    try:
        workspace = on.stack.workspace
        # Not `workspace.stack_settings`, which stumbles over a number or a boolean.
        config = read_yaml(Path(workspace.work_dir) / f"Pulumi.{short_name(on.stack.name)}.yaml").get("config") or {}
        absent = plugins.missing(plugins.plugins_of(config), {**os.environ, **workspace.env_vars})
        if absent:
            plugins.install_plugins(workspace, absent, on.teller.note)
        yield progress
    except CommandError as error:
        # Not `from error`: its text is all that the engine wrote.
        raise _typed(on, error, f"{verb} of stack {on.stack.name}", progress) from None
    finally:
        ended.set()


def _heard(progress: JudgedProgress) -> Callable[[EngineEvent], None]:
    """Both get the events. The listener is the calling thread's: events come on one of the Automation API."""
    listener = _LISTENER.get()

    def hear(event: EngineEvent) -> None:
        progress(event)
        listener(event)

    return hear


@contextmanager
def _reading(on: Operation, action: str) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        raise _typed(on, error, f"{action} of stack {on.stack.name}", JudgedProgress(on.teller)) from None


def _typed(on: Operation, error: CommandError, action: str, progress: JudgedProgress) -> Exception:
    if on.engine.interrupted:
        return Interrupted(
            f"{action} was interrupted; what it had begun is in the state",
            "run it again (make up): it takes over what was left",
        )
    if progress.refusals and not progress.failed:
        return refused(action, [on.masker.text(text) for text in progress.refusals])
    return engine_error(
        error,
        action,
        progress.errors,
        stack=on.stack.name,
        failed=progress.failed,
        warnings=progress.warnings,
        clean=on.masker.text,
    )


def _policy_packs(on: Operation) -> list[str]:
    """That of the program's folder: the work directory's copy of the project's file says where that is."""
    work_dir = Path(on.stack.workspace.work_dir)
    pack = policy_pack(work_dir / (read_yaml(work_dir / "Pulumi.yaml").get("main") or "."))
    return [] if pack is None else [str(pack)]


def _changes(counts: Mapping[Any, int] | None) -> Changes:
    return Changes(
        {(kind.value if isinstance(kind, OpType) else str(kind)): int(n) for kind, n in (counts or {}).items()}
    )
