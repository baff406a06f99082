"""A change report from the engine's preview, which compares with what is deployed and asks the providers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from automation.change_report.assemble import by_urn, completed, ordered, step_of
from automation.change_report.engine_events import UNKNOWN, EngineStep, Event, engine_messages, engine_steps
from automation.change_report.model import ChangeKind, PropertyChange, ReportSource, StackReport
from automation.change_report.properties import additions, at, changes_at, in_order, property_changes
from automation.helm_template import RenderingError, rendered
from automation.plan import policies
from automation.plan.model import RELEASE_TYPE, Failure, FailureKind, PlannedResource
from automation.plan.process import new_key
from components.secrets.masker import CHANGED, SHOWN, Masker

_LIST: Final = re.compile(r"(.+?)\[\d+\]")
"""The beginning of a path, up to its first list."""


def preview_report(
    stack: str,
    events: Iterable[Event],
    *,
    secrets: Iterable[str] = (),
    chart: Path | None = None,
    decided: Iterable[str] = (),
) -> StackReport:
    """Return the report of a preview.

    Args:
        secrets: Values to mask, such as the stack's secret config; what the engine masks is masked anyway.
        chart: The archive of the release's chart; without it the chart's objects are not compared.
        decided: What is decided for the stack (`policy.context.decided_in`).
    """
    masker = Masker(new_key(), secrets)
    events, decided = list(events), tuple(decided)
    steps = engine_steps(events, masker)
    messages = engine_messages(events, masker)
    before = by_urn(step.old for step in steps if step.old is not None)
    after = by_urn(step.new for step in steps if step.new is not None)
    errors = [text for text in messages if text.startswith("error: ")]
    failure = None
    if errors and not any(step.kind for step in steps):
        failure = Failure(kind=FailureKind.PROGRAM, text="\n".join(errors))
    objects, no_objects = _objects(before, after, chart, masker)
    return completed(
        StackReport(
            stack=stack,
            source=ReportSource.PREVIEW,
            head_failure=failure,
            steps=ordered(step_of(step.kind, step.old, step.new, _changes(step)) for step in steps if step.kind),
            decided=tuple(sorted(map(masker.text, decided))),
            no_objects=no_objects,
            messages=messages,
        ),
        before,
        after,
        objects,
        results_before=policies.resource_results(before.values()),
        results_after=policies.resource_results(after.values(), decided),
    )


def _changes(step: EngineStep) -> tuple[PropertyChange, ...]:
    if step.new is None or step.kind is ChangeKind.DELETE:
        return ()
    if step.kind is ChangeKind.CREATE or step.old is None:
        return additions(step.new.inputs)
    if step.detailed:
        return in_order(_all_detailed(step, step.old, step.new))
    changes = [
        replace(change, replaces=_first(change.path) in step.forces)
        for change in property_changes(step.new.type, step.old.inputs, step.new.inputs)
    ]
    # Two different secrets look the same: only the engine's keys say that they differ.
    hidden = {*step.differs, *step.forces} - {_first(change.path) for change in changes}
    return in_order([*changes, *(_hidden(key, replaces=key in step.forces) for key in hidden)])


def _all_detailed(step: EngineStep, old: PlannedResource, new: PlannedResource) -> Iterator[PropertyChange]:
    """Yield the changes that the provider names.

    Of a list that got longer or shorter, it names every item after the one that is new or gone: it is compared anew.
    """
    lists: dict[str, bool] = {}
    for path in step.detailed:
        change = _detailed(step, old, new, path)
        root = _LIST.match(path)
        if root and _resized(at(old.inputs, root[1]), at(new.inputs, root[1])):
            lists[root[1]] = lists.get(root[1], False) or change.replaces
        else:
            yield change
    for root_path, replaces in lists.items():
        found = changes_at(new.type, root_path, at(old.inputs, root_path), at(new.inputs, root_path))
        yield from (replace(change, replaces=replaces) for change in found)


def _resized(before: Any, after: Any) -> bool:
    """Return whether a list got longer or shorter, and hides nothing: two secrets look the same."""
    both = isinstance(before, list) and isinstance(after, list) and len(before) != len(after)
    return both and SHOWN not in str((before, after))


def _detailed(step: EngineStep, old: PlannedResource, new: PlannedResource, path: str) -> PropertyChange:
    """Return a change that the provider names."""
    diff = step.detailed[path]
    kind = str(diff.get("kind") or diff.get("diffKind") or "")
    before = at(old.inputs, path)
    if before is None and not diff.get("inputDiff"):
        before = at(step.old_outputs, path)
    after = None if kind.startswith("delete") else at(new.inputs, path)
    replaces = kind.endswith("-replace")
    if before is not None and before == after:
        return _hidden(path, replaces=replaces)
    return PropertyChange(path=path, before=before, after=after, secret=SHOWN in (before, after), replaces=replaces)


def _hidden(path: str, *, replaces: bool) -> PropertyChange:
    """Return a change whose two sides look the same, because something in it is secret."""
    return PropertyChange(path=path, before=SHOWN, after=CHANGED, secret=True, replaces=replaces)


def _first(path: str) -> str:
    return re.split(r"[.\[ ]", path, maxsplit=1)[0]


def _objects(
    before: Mapping[str, PlannedResource], after: Mapping[str, PlannedResource], chart: Path | None, masker: Masker
) -> tuple[tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]] | None, str]:
    """Return the chart's objects by the deployed and the new values, or None and why they are not known."""
    old, new = (
        next((resource for resource in side.values() if resource.type == RELEASE_TYPE), None)
        for side in (before, after)
    )
    if chart is None or not chart.is_file():
        return None, "the chart is not at hand"
    if old is not None and new is not None and old.inputs.get("chart") != new.inputs.get("chart"):
        return None, "another chart is deployed, and its archive is not available here"
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
