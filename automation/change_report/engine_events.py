"""Reads the engine's preview in each of its three forms, as steps and messages, masked.

The forms are the document of `pulumi preview --json`, the lines of an event log, and the events of the Automation API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi.automation import EngineEvent
from pulumi.automation.events import OpType, StepEventStateMetadata

from automation.change_report.model import ChangeKind
from automation.plan.model import PlannedResource
from components.secrets.masker import SHOWN, Masker, without_digests
from policy.convert import SECRET, SIGNATURE, UNKNOWN_TEXTS

UNKNOWN: Final = "[known after the update]"

_UNKNOWN_TEXT: Final = re.compile("|".join(UNKNOWN_TEXTS))
_KINDS: Final[Mapping[str, ChangeKind]] = {
    # The engine's words for its steps (pkg/resource/deploy/step.go); a replacement takes several.
    "create": ChangeKind.CREATE,
    "import": ChangeKind.CREATE,
    "update": ChangeKind.UPDATE,
    "delete": ChangeKind.DELETE,
    "replace": ChangeKind.REPLACE,
    "create-replacement": ChangeKind.REPLACE,
    "delete-replaced": ChangeKind.REPLACE,
    "import-replacement": ChangeKind.REPLACE,
    "read-replacement": ChangeKind.REPLACE,
}
_OPERATIONS: Final = frozenset(operation.value for operation in OpType)
_STACK: Final = "pulumi:pulumi:Stack"
_MARKUP: Final = re.compile(r"<\{%.*?%\}>")
_SAYS_NOTHING: Final = ("error: preview failed", "preview failed", "error: update failed")

Event = Mapping[str, Any] | EngineEvent


@dataclass(frozen=True, kw_only=True)
class EngineStep:
    """A step of the engine, or several of one replacement."""

    kind: ChangeKind | None
    """None where the step changes nothing."""
    urn: str
    old: PlannedResource | None
    new: PlannedResource | None
    old_outputs: Mapping[str, Any] = field(default_factory=dict)
    forces: tuple[str, ...] = ()
    """Inputs that force the replacement."""
    differs: tuple[str, ...] = ()
    """Inputs that change."""
    detailed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The provider's own diff by path, where it gives one."""


def engine_steps(events: Iterable[Event], masker: Masker) -> list[EngineStep]:
    """Return one step for each resource. The steps of a replacement become one."""
    steps: dict[str, EngineStep] = {}
    for step in (step for event in events for step in _steps(event, masker)):
        other = steps.get(step.urn)
        if other is None:
            steps[step.urn] = step
            continue
        steps[step.urn] = EngineStep(
            kind=ChangeKind.REPLACE if ChangeKind.REPLACE in (step.kind, other.kind) else other.kind or step.kind,
            urn=step.urn,
            old=other.old or step.old,
            new=other.new or step.new,
            old_outputs=other.old_outputs or step.old_outputs,
            forces=other.forces or step.forces,
            differs=other.differs or step.differs,
            detailed=other.detailed or step.detailed,
        )
    return list(steps.values())


def engine_messages(events: Iterable[Event], masker: Masker) -> tuple[str, ...]:
    """Return the warnings and errors, each once and without the engine's markup."""
    return tuple(dict.fromkeys(text for event in events for text in _messages(event, masker)))


def fault(events: Iterable[Any]) -> str:
    """Return why these are not the events of a whole preview, "" where they are. Quotes no value."""
    is_preview = False
    same = counted = 0
    for event in events:
        if not isinstance(event, Mapping):
            return "expected events, found something else"
        step = _raw_step(event)
        if step is None and "urn" in event and "severity" not in event:
            step = event  # of another kind of document
        if step is not None:
            if wrong := _step_fault(step):
                return wrong
            same += step["op"] == "same"
        changes = (event.get("summaryEvent") or {}).get("resourceChanges") or {}
        counted += int(changes.get("same") or 0)
        is_preview |= step is not None or not {"summaryEvent", "diagnosticEvent", "severity"}.isdisjoint(event)
    if not is_preview:
        return "expected steps, diagnostics or a summary (`changeSummary`), found none"
    # Without --show-sames the engine shows the stack itself alone (pkg/backend/display/json.go).
    return f"{counted - same} resources that do not change are left out" if same < counted else ""


def _step_fault(step: Mapping[str, Any]) -> str:
    operation = step.get("op")
    if operation not in _OPERATIONS:
        shown = repr(operation) if re.fullmatch(r"[a-z-]{1,40}", str(operation)) else "something else"
        return f"expected each step with an operation of the engine (`op`), found {shown}"
    states = [step.get(key) for key in ("oldState", "old", "newState", "new") if step.get(key) is not None]
    if not states or not all(isinstance(state, Mapping) and {"urn", "type"} <= state.keys() for state in states):
        return f"expected each step with the state of its resource, found one without ({operation})"
    return "" if isinstance(step.get("urn"), str) else f"expected each step with a URN, found one without ({operation})"


def _steps(event: Event, masker: Masker) -> Iterator[EngineStep]:
    step = _raw_step(event)
    if step is None or f"::{_STACK}::" in str(step["urn"]):
        return
    old, new = step.get("oldState") or step.get("old"), step.get("newState") or step.get("new")
    yield EngineStep(
        kind=_KINDS.get(str(step["op"])),
        urn=str(step["urn"]),
        old=_resource(old, masker),
        new=_resource(new, masker),
        old_outputs=masker.value(_clean((old or {}).get("outputs") or {})),
        forces=tuple(step.get("replaceReasons") or step.get("keys") or ()),
        differs=tuple(step.get("diffReasons") or step.get("diffs") or ()),
        detailed=step.get("detailedDiff") or {},
    )


def _raw_step(event: Event) -> Mapping[str, Any] | None:
    """Return the step in an event as JSON has it; None for any other event."""
    if isinstance(event, Mapping):
        if "op" in event:
            return event
        metadata: Mapping[str, Any] | None = (event.get("resourcePreEvent") or {}).get("metadata")
        return metadata
    if event.resource_pre_event is None:
        return None
    step = event.resource_pre_event.metadata
    return {
        "op": step.op.value,
        "urn": step.urn,
        "old": _raw_state(step.old),
        "new": _raw_state(step.new),
        "keys": step.keys,
        "diffs": step.diffs,
        "detailedDiff": {
            path: {"diffKind": diff.diff_kind.value, "inputDiff": diff.input_diff}
            for path, diff in (step.detailed_diff or {}).items()
        },
    }


def _raw_state(state: StepEventStateMetadata | None) -> Mapping[str, Any] | None:
    return None if state is None else {**vars(state), "retainOnDelete": state.retain_on_delete}


def _resource(state: Mapping[str, Any] | None, masker: Masker) -> PlannedResource | None:
    if not state:
        return None
    urn = str(state["urn"])
    return PlannedResource(
        urn=masker.text(urn),
        type=str(state["type"]),
        name=masker.text(urn.rpartition("::")[2]),
        component=not state.get("custom"),
        inputs=_inputs(str(state["type"]), state.get("inputs") or {}, masker),
        protect=bool(state.get("protect")),
        retain_on_delete=bool(state.get("retainOnDelete")),
    )


def _inputs(type_: str, inputs: Mapping[str, Any], masker: Masker) -> dict[str, Any]:
    """Return inputs without the engine's marks for secrets and unknown values."""
    found: dict[str, Any] = without_digests(masker.inputs(type_, _clean(inputs)))
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET:
            return SHOWN
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return _UNKNOWN_TEXT.sub(UNKNOWN, value) if isinstance(value, str) else value


def _messages(event: Event, masker: Masker) -> Iterator[str]:
    if isinstance(event, Mapping):
        diagnostic = event.get("diagnosticEvent") or (event if "severity" in event else {})
    else:
        diagnostic = vars(event.diagnostic_event) if event.diagnostic_event is not None else {}
    severity = diagnostic.get("severity")
    if severity not in ("error", "warning") or diagnostic.get("ephemeral"):
        return
    text = _MARKUP.sub("", str(diagnostic.get("message"))).strip().removeprefix(f"{severity}: ")
    if text and text not in _SAYS_NOTHING:
        yield masker.text(f"{severity}: {text}")
