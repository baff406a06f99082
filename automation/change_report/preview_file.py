"""The change report of a file that the engine wrote: a preview's JSON document, or its event log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from automation.change_report.engine_events import fault
from automation.change_report.engine_steps import preview_report
from automation.change_report.model import StackReport
from automation.decided import decided
from automation.errors import FileInvalid
from components.release.chart_archive import ARCHIVE

_WRITE: Final = "write it with: pulumi preview --json --show-sames"
_OF_THE_LIBRARY: Final = {"stack", "changes", "steps"}
"""Keys of `automation.results.Preview` as JSON."""


def report_of_file(stack: str, path: Path, project_dir: Path) -> StackReport:
    """Return the report of a stack's preview. Raises FileInvalid for the file, or for the stack's decisions."""
    known = decided(project_dir, stack)
    return preview_report(stack, read_events(path), chart=project_dir / ".charts" / ARCHIVE, decided=known)


def read_events(path: Path) -> list[Mapping[str, Any]]:
    """Return the engine's events in a file: the document of `pulumi preview --json --show-sames`, or an event a line.

    Raises:
        FileInvalid: It is anything else, or leaves out the resources that do not change: without them the policies
            cannot judge the stack.
    """
    try:
        text = path.read_text(encoding="utf-8")
        try:
            document = json.loads(text)
        except ValueError:
            # Not splitlines(): Go leaves U+0085 in a text as it is, and a report must not end because of a name.
            document = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, ValueError):
        # Without the error's text, which may quote the file.
        raise FileInvalid(f"{path.name} is neither a preview's JSON nor an event log", _WRITE) from None
    if isinstance(document, Mapping) and document.keys() >= _OF_THE_LIBRARY:
        problem = "it is that of this command line's `preview --json`, which does not say what changes in a resource"
    else:
        document = _as_events(document)
        problem = fault(document)
    if problem:
        raise FileInvalid(f"{path.name} is no whole preview of the engine: {problem}", _WRITE)
    return list(document)


def _as_events(document: Any) -> list[Any]:
    """Return the events that the document of `preview --json` consists of; a list, or one event, as it is."""
    if not isinstance(document, Mapping):
        return document if isinstance(document, list) else [document]
    parts = [document.get(key) for key in ("steps", "diagnostics")]
    events = [event for part in parts if isinstance(part, list) for event in part]
    if isinstance(document.get("changeSummary"), Mapping):
        events.append({"summaryEvent": {"resourceChanges": document["changeSummary"]}})
    return events or [document]
