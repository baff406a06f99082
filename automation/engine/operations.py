"""What the engine does on an opened stack: updates, previews, and what is read and written of its state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pulumi.automation import CommandError, EngineEvent, OpType

from automation.engine.opened_stack import OpenedStack, command, reading, running
from automation.engine.policy_pack import JudgedProgress, policy_pack
from automation.project_files import read_project
from automation.results import Changes, Step

_QUIET_PREVIEW: Final[dict[str, Any]] = {"color": "never", "suppress_outputs": True, "suppress_progress": True}
_QUIET: Final[dict[str, Any]] = {**_QUIET_PREVIEW, "show_secrets": False}

_Listener = Callable[[EngineEvent], object]
_LISTENER: Final[ContextVar[_Listener]] = ContextVar("listener", default=lambda event: None)


@dataclass(frozen=True)
class EngineResult:
    """What an update did, or what a preview says that it would do."""

    changes: Changes
    """Numbers of resources."""
    steps: tuple[Step, ...] = ()
    """In the engine's order."""


@contextmanager
def listening(listener: _Listener) -> Iterator[None]:
    """Pass the engine's own events of previews and updates that are begun within it to `listener`, in another thread.

    They hold config and state, in which the engine masks what is marked as secret and no more.
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def up(opened: OpenedStack, *, plan: str | None = None) -> EngineResult:
    """Make the stack as its program says. The policy pack judges it if the pack's environment exists.

    Args:
        opened: The stack.
        plan: Path of an update plan that the update must not leave.

    Raises:
        AutomationError: UpdateFailed or one of its kinds, EngineMissing (a plugin), Protected, ClusterUnreachable,
            SettingsInvalid, StackLocked or Interrupted.
    """
    unseen: list[str] = []
    try:
        with running(opened, "up") as progress:
            unseen = progress.unseen
            opened.stack.up(on_event=_pass_to_both(progress), plan=plan, policy_packs=_policy_packs(opened), **_QUIET)
    finally:
        _check_again(opened, unseen)
    return EngineResult(_changes(progress.changes), progress.steps)


def _check_again(opened: OpenedStack, checks: list[str]) -> None:
    """Let the next update replace the resources of checks, which makes the checks again. Raises nothing."""
    if not checks or opened.engine.interrupted:
        return
    names = ", ".join(urn.rpartition("::")[2] for urn in checks)
    try:
        command(opened, "state", "taint", *dict.fromkeys(checks), "--yes")
    except CommandError:
        opened.teller.note(
            f"the next update will not check {names} again: python -m automation preflight {opened.stack.name} does"
        )
    else:
        opened.teller.note(f"the next update checks {names} again")


def preview(opened: OpenedStack, *, save_plan: str | None = None, refresh: bool = False) -> EngineResult:
    """Say what `up` would do. Raises what `up` raises.

    Args:
        opened: The stack.
        save_plan: Path for the engine's update plan.
        refresh: See `Environment.preview`.
    """
    with running(opened, "preview") as progress:
        packs = _policy_packs(opened)
        done = opened.stack.preview(
            on_event=_pass_to_both(progress), plan=save_plan, refresh=refresh, policy_packs=packs, **_QUIET_PREVIEW
        )
    return EngineResult(_changes(done.change_summary), progress.steps)


def registered(opened: OpenedStack) -> tuple[Mapping[str, Any], ...]:
    """Return what the program registers, as the engine would record it; secrets are masked. Raises what `up` raises.

    Each resource, in the order of registration, has: urn, type, custom, parent, provider, inputs.
    """
    resources: dict[str, Mapping[str, Any]] = {}

    def keep(event: EngineEvent) -> None:
        progress(event)
        state = event.resource_pre_event.metadata.new if event.resource_pre_event else None
        if state is not None:
            resources[state.urn] = {
                "urn": state.urn,
                "type": state.type,
                "custom": bool(state.custom),
                "parent": state.parent,
                "provider": state.provider,
                "inputs": dict(state.inputs or {}),
            }

    with running(opened, "preview") as progress:
        opened.stack.preview(on_event=keep, **_QUIET_PREVIEW)
    return tuple(resources.values())


def refresh(
    opened: OpenedStack, *, targets: list[str] | None = None, clear_pending_creates: bool = False
) -> EngineResult:
    """Make the state as the cluster is. Raises what `up` raises.

    Args:
        opened: The stack.
        targets: URNs of the resources to look at; None means all.
        clear_pending_creates: First drop all interrupted creates from the state.
    """
    with running(opened, "refresh") as progress:
        opened.stack.refresh(on_event=progress, target=targets, clear_pending_creates=clear_pending_creates, **_QUIET)
    return EngineResult(_changes(progress.changes), progress.steps)


def destroy(opened: OpenedStack) -> EngineResult:
    """Delete what the stack owns; the stack itself stays. Raises what `up` raises."""
    with running(opened, "destroy") as progress:
        opened.stack.destroy(on_event=progress, **_QUIET)
    return EngineResult(_changes(progress.changes), progress.steps)


def cancel(opened: OpenedStack) -> None:
    """Remove every lock of the stack. Raises UpdateFailed."""
    with reading(opened, "removing the lock"):
        opened.stack.cancel()


def stack_outputs(opened: OpenedStack) -> dict[str, Any]:
    """Return the outputs as plain values; a secret one would be masked. Raises UpdateFailed."""
    with reading(opened, "reading the outputs"):
        # One command. The Automation API would ask for the secrets too.
        outputs: dict[str, Any] = json.loads(command(opened, "stack", "output", "--json"))
    return outputs


def deployment(opened: OpenedStack) -> dict[str, Any]:
    """Return the state as it is stored, secrets encrypted. Raises UpdateFailed."""
    with reading(opened, "reading the state"):
        # Not with the SDK, which asks for the secrets in clear.
        exported: dict[str, Any] = json.loads(command(opened, "stack", "export")) or {}
    return dict(exported.get("deployment") or {})


def replace_deployment(opened: OpenedStack, content: Mapping[str, Any]) -> None:
    """Store another state; the engine drops its pending operations. Raises UpdateFailed, StackLocked."""
    with reading(opened, "writing the state"):
        # Not with the SDK, which leaves a file behind when that fails.
        command(opened, "stack", "import", given=json.dumps({"version": 3, "deployment": content}))


def history(opened: OpenedStack, limit: int) -> list[dict[str, Any]]:
    """Return the last updates as the engine records them, the newest first; it leaves secret config out."""
    with reading(opened, "reading the history"):
        words = ("stack", "history", "--json", "--page-size", str(limit), "--page", "1")
        records: list[dict[str, Any]] = json.loads(command(opened, *words))
    return records


def tags(opened: OpenedStack) -> dict[str, str]:
    """Return the tags of the stack. Raises UpdateFailed."""
    with reading(opened, "reading the stack's tags"):
        found: dict[str, str] = json.loads(command(opened, "stack", "tag", "ls", "--json")) or {}
    return found


def tag(opened: OpenedStack, name: str) -> str:
    """Return a tag of the stack, "" if it has none. Raises UpdateFailed."""
    return tags(opened).get(name, "")


def set_tag(opened: OpenedStack, name: str, value: str) -> None:
    """Set a tag of the stack. Raises UpdateFailed."""
    with reading(opened, "tagging the stack"):
        opened.stack.set_tag(name, value)


def remove(opened: OpenedStack, *, force: bool) -> tuple[str, ...]:
    """Remove the stack itself. Return the names of those that the backend still has. Raises UpdateFailed."""
    with reading(opened, "removing the state"):
        workspace = opened.stack.workspace
        if force:
            workspace.remove_stack(opened.stack.name, force=True)
        else:
            workspace.remove_stack(opened.stack.name)
        return tuple(str(summary.name) for summary in workspace.list_stacks())


def has_resources(opened: OpenedStack) -> bool:
    """Return whether the state holds more than the stack itself. Raises UpdateFailed."""
    return len(deployment(opened).get("resources") or ()) > 1


def resources_outside(opened: OpenedStack, prefixes: tuple[str, ...]) -> list[str]:
    """Return the types of resources, components aside, that begin with none of these. Raises UpdateFailed."""
    resources = deployment(opened).get("resources") or ()
    types = {str(item["type"]) for item in resources if item.get("custom")}
    return sorted(name for name in types if not name.startswith(prefixes))


def _pass_to_both(progress: JudgedProgress) -> Callable[[EngineEvent], None]:
    """Return what passes events to both. The listener is that of the calling thread: events come on another one."""
    listener = _LISTENER.get()

    def hear(event: EngineEvent) -> None:
        progress(event)
        listener(event)

    return hear


def _policy_packs(opened: OpenedStack) -> list[str]:
    """Return the pack in the program's folder. The project's file in the work directory says where that is."""
    work_dir = Path(opened.stack.workspace.work_dir)
    pack = policy_pack(work_dir / (read_project(work_dir).get("main") or "."))
    return [] if pack is None else [str(pack)]


def _changes(counts: Mapping[Any, int] | None) -> Changes:
    return Changes(
        {(kind.value if isinstance(kind, OpType) else str(kind)): int(n) for kind, n in (counts or {}).items()}
    )
