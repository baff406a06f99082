"""The engine's preview as a change report: against what is deployed, and as the providers say.

Takes the steps of `pulumi preview --json`, lines of an event log, and events of the Automation API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pulumi.automation import EngineEvent
from pulumi.automation.events import StepEventStateMetadata

from automation.change_report.compare import by_urn, completed, ordered
from automation.change_report.model import Kind, PropertyChange, Source, StackReport, Step
from automation.change_report.properties import additions, at, property_changes
from automation.helm_template import RenderingError, rendered
from automation.plan import policies
from automation.plan.model import RELEASE_TYPE, Failure, FailureKind, PlannedResource
from automation.plan.process import new_key
from components.secrets.masker import CHANGED, SHOWN, Masker, without_digests
from policy.convert import SECRET, SIGNATURE

UNKNOWN: Final = "[known after the update]"

_UNKNOWN_TEXTS: Final = re.compile(
    # sdk/go/common/resource/plugin/rpc.go of pulumi: a boolean, number, text, list, asset, archive, map.
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7|3eeb2bf0-c639-47a8-9e75-3b44932eb421|04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    "|6a19a0b0-7e62-4c92-b797-7f8e31da9cc2|030794c1-ac77-496b-92df-f27374a8bd58|e48ece36-62e2-4504-bad9-02848725956a"
    "|dd056dcd-154b-4c76-9bd3-c8f88648b5ff"
)

_KINDS: Final[Mapping[str, Kind]] = {
    # What the engine calls its steps (pkg/resource/deploy/step.go); a replacement takes several.
    "create": Kind.CREATE,
    "import": Kind.CREATE,
    "update": Kind.UPDATE,
    "delete": Kind.DELETE,
    "replace": Kind.REPLACE,
    "create-replacement": Kind.REPLACE,
    "delete-replaced": Kind.REPLACE,
    "import-replacement": Kind.REPLACE,
    "read-replacement": Kind.REPLACE,
}
_OPERATIONS: Final = frozenset(
    # And those that change nothing: OpType of sdk/python/lib/pulumi/automation/events.py.
    {*_KINDS, "same", "read", "refresh", "discard", "discard-replaced", "remove-pending-replace"}
)
_STACK: Final = "pulumi:pulumi:Stack"
_MARKUP: Final = re.compile(r"<\{%.*?%\}>")
_SAYS_NOTHING: Final = ("error: preview failed", "preview failed", "error: update failed")

Event = Mapping[str, Any] | EngineEvent


@dataclass(frozen=True, kw_only=True)
class _EngineStep:
    """A step, or several of one replacement. keys: properties that force it. diffs: properties that change."""

    kind: Kind | None
    urn: str
    old: PlannedResource | None
    new: PlannedResource | None
    old_outputs: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    diffs: tuple[str, ...] = ()
    detailed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def preview_report(
    stack: str,
    events: Iterable[Event],
    *,
    secrets: Iterable[str] = (),
    chart: Path | None = None,
    decided: Iterable[str] = (),
) -> StackReport:
    """The report of a preview.

    secrets: values that nobody may see, such as the stack's secret config; what the engine masks is masked anyway.
    chart: the archive that the release is made of; without it its objects are not compared.
    decided: names and URNs of resources that may be replaced or deleted (`policy.context.decided_in`).
    """
    masker = Masker(new_key(), secrets)
    events = list(events)
    found = _folded(step for event in events for step in _steps(event, masker))
    messages = tuple(dict.fromkeys(text for event in events for text in _messages(event, masker)))
    before = by_urn(step.old for step in found.values() if step.old is not None)
    after = by_urn(step.new for step in found.values() if step.new is not None)
    errors = [text for text in messages if text.startswith("error: ")]
    failure = None
    if errors and not any(step.kind for step in found.values()):
        failure = Failure(kind=FailureKind.PROGRAM, text="\n".join(errors))
    objects, no_objects = _objects(before, after, chart, masker)
    return completed(
        StackReport(
            stack=stack,
            source=Source.PREVIEW,
            head_failure=failure,
            steps=steps_of(found.values()),
            decided=tuple(sorted(map(masker.text, decided))),
            no_objects=no_objects,
            messages=messages,
        ),
        before,
        after,
        objects,
        there=policies.resource_results(before.values()),
        shall_be=policies.resource_results(after.values()),
    )


def fault(events: Iterable[Any]) -> str:
    """Why these are not the events of a whole preview, as JSON has them; "" where they are. It quotes no value."""
    known = False
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
        known |= step is not None or not {"summaryEvent", "diagnosticEvent", "severity"}.isdisjoint(event)
    if not known:
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


def steps_of(found: Iterable[_EngineStep]) -> tuple[Step, ...]:
    """The model's steps, ordered."""
    steps = []
    for step in found:
        resource = step.old or step.new
        if step.kind is None or resource is None:
            continue
        steps.append(
            Step(
                kind=step.kind,
                urn=resource.urn,
                type=resource.type,
                name=resource.name,
                component=resource.component,
                protected=resource.protect and step.old is not None,
                kept=resource.retain_on_delete,
                changes=_changes(step),
            )
        )
    return ordered(steps)


# Changes


def _changes(step: _EngineStep) -> tuple[PropertyChange, ...]:
    if step.new is None or step.kind is Kind.DELETE:
        return ()
    if step.kind is Kind.CREATE or step.old is None:
        return additions(step.new.inputs)
    if step.detailed:
        found = [_detailed(step, path, diff) for path, diff in step.detailed.items()]
        return tuple(sorted(found, key=lambda change: change.path))
    forced = set(step.keys)
    changes = [
        PropertyChange(
            path=change.path,
            before=change.before,
            after=change.after,
            secret=change.secret,
            replaces=_first(change.path) in forced,
        )
        for change in property_changes(step.new.type, step.old.inputs, step.new.inputs)
    ]
    # Two different secrets look the same: that they differ is told by the key alone.
    told = {_first(change.path) for change in changes}
    for key in sorted({*step.diffs, *step.keys} - told):
        changes.append(_hidden(key, replaces=key in forced))
    return tuple(sorted(changes, key=lambda change: change.path))


def _detailed(step: _EngineStep, path: str, diff: Mapping[str, Any]) -> PropertyChange:
    """A change that the provider names."""
    assert step.old is not None
    assert step.new is not None
    kind = str(diff.get("kind") or diff.get("diffKind") or "")
    old = at(step.old.inputs, path)
    before = old if old is not None or diff.get("inputDiff") else at(step.old_outputs, path)
    after = None if kind.startswith("delete") else at(step.new.inputs, path)
    replaces = kind.endswith("-replace")
    if before is not None and before == after:
        return _hidden(path, replaces=replaces)
    return PropertyChange(path=path, before=before, after=after, secret=SHOWN in (before, after), replaces=replaces)


def _hidden(path: str, *, replaces: bool) -> PropertyChange:
    """A change whose two sides look the same: something in it is secret."""
    return PropertyChange(path=path, before=SHOWN, after=CHANGED, secret=True, replaces=replaces)


def _first(path: str) -> str:
    return re.split(r"[.\[]", path, maxsplit=1)[0]


# Objects


def _objects(
    before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource], chart: Path | None, masker: Masker
) -> tuple[tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]] | None, str]:
    """What the chart makes of the values that are deployed and of those that shall be; or why that is not known."""
    old, new = (
        next((found for found in side.values() if found.type == RELEASE_TYPE), None) for side in (before, after)
    )
    if chart is None or not chart.is_file():
        return None, "the chart is not at hand"
    if old is not None and new is not None and old.inputs.get("chart") != new.inputs.get("chart"):
        return None, "the chart that is deployed is another one, and not at hand"
    try:
        return (_manifests(old, chart, masker), _manifests(new, chart, masker)), ""
    except RenderingError as error:
        return None, masker.text(str(error))


def _manifests(release: PlannedResource | None, chart: Path, masker: Masker) -> tuple[dict[str, Any], ...]:
    if release is None:
        return ()
    # A namespace that is not known yet is no name that Helm would take.
    namespace = str(release.inputs.get("namespace"))
    found = rendered(
        chart,
        str(release.inputs.get("name")),
        "default" if namespace == UNKNOWN else namespace,
        release.inputs.get("values") or {},
    )
    return tuple(masker.kubernetes_object(manifest) for manifest in found)


# What the engine writes


def _folded(steps: Iterable[_EngineStep]) -> dict[str, _EngineStep]:
    """One step a resource, by URN: those of a replacement as one, with whatever each of them tells."""
    found: dict[str, _EngineStep] = {}
    for step in steps:
        other = found.get(step.urn)
        if other is None:
            found[step.urn] = step
            continue
        found[step.urn] = _EngineStep(
            kind=Kind.REPLACE if Kind.REPLACE in (step.kind, other.kind) else other.kind or step.kind,
            urn=step.urn,
            old=other.old or step.old,
            new=other.new or step.new,
            old_outputs=other.old_outputs or step.old_outputs,
            keys=other.keys or step.keys,
            diffs=other.diffs or step.diffs,
            detailed=other.detailed or step.detailed,
        )
    return found


def _steps(event: Event, masker: Masker) -> Iterator[_EngineStep]:
    step = _raw_step(event)
    if step is None or f"::{_STACK}::" in str(step["urn"]):
        return
    old, new = step.get("oldState") or step.get("old"), step.get("newState") or step.get("new")
    yield _EngineStep(
        kind=_KINDS.get(str(step["op"])),
        urn=str(step["urn"]),
        old=_resource(old, masker),
        new=_resource(new, masker),
        old_outputs=masker.value(_clean((old or {}).get("outputs") or {})),
        keys=tuple(step.get("replaceReasons") or step.get("keys") or ()),
        diffs=tuple(step.get("diffReasons") or step.get("diffs") or ()),
        detailed=step.get("detailedDiff") or {},
    )


def _raw_step(event: Event) -> Mapping[str, Any] | None:
    """The step in an event as JSON would have it; None in any other event."""
    if isinstance(event, Mapping):
        if "op" in event:
            return event
        found: Mapping[str, Any] | None = (event.get("resourcePreEvent") or {}).get("metadata")
        return found
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
    if state is None:
        return None
    return {
        "type": state.type,
        "urn": state.urn,
        "custom": state.custom,
        "protect": state.protect,
        "retainOnDelete": state.retain_on_delete,
        "inputs": state.inputs,
        "outputs": state.outputs,
    }


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
    """Inputs as the engine writes them, without its marks for secrets and for what is not known."""
    found: dict[str, Any] = without_digests(masker.inputs(type_, _clean(inputs)))
    return found


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.get(SIGNATURE) == SECRET:
            return SHOWN
        return {str(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return _UNKNOWN_TEXTS.sub(UNKNOWN, value) if isinstance(value, str) else value


def _messages(event: Event, masker: Masker) -> Iterator[str]:
    """Warnings and errors, without the engine's markup."""
    if isinstance(event, Mapping):
        found = event.get("diagnosticEvent") or (event if "severity" in event else {})
        severity, message, ephemeral = found.get("severity"), found.get("message"), found.get("ephemeral")
    elif event.diagnostic_event is not None:
        diagnostic = event.diagnostic_event
        severity, message, ephemeral = diagnostic.severity, diagnostic.message, diagnostic.ephemeral
    else:
        return
    if severity not in ("error", "warning") or ephemeral:
        return
    text = _MARKUP.sub("", str(message)).strip().removeprefix(f"{severity}: ")
    if text and text not in _SAYS_NOTHING:
        yield masker.text(f"{severity}: {text}")
