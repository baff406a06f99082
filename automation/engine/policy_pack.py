"""The policy pack in previews and updates: where it is, and what it reports. For its rules see docs/policy.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from pulumi.automation import EngineEvent
from pulumi.automation.events import PolicyEvent

from automation.engine.events import EventKind
from automation.engine.failures import first_lines
from automation.engine.progress import Progress
from automation.errors import UpdateFailed
from automation.project_files import read_yaml

_FOLDER: Final = "policy"
_FILE: Final = "PulumiPolicy.yaml"
_MANDATORY: Final = "mandatory"
_MARKUP: Final = re.compile(r"<\{%.*?%\}>")


def policy_pack(project_dir: Path) -> Path | None:
    """Return the pack's folder, None if its virtual environment is missing (`make policy`). Raises FileInvalid."""
    folder = project_dir / _FOLDER
    if not (folder / _FILE).is_file():
        return None
    runtime = read_yaml(folder / _FILE).get("runtime")
    options: Any = runtime.get("options") if isinstance(runtime, dict) else None
    environment = options.get("virtualenv") if isinstance(options, dict) else None
    if not environment or not (folder / str(environment) / "bin" / "python").is_file():
        return None
    return folder


class JudgedProgress(Progress):
    """Progress that also passes on what the pack reports."""

    refusals: Sequence[str] = ()
    """`rule: what and why` of each violation that refuses the update."""

    def __call__(self, event: EngineEvent) -> None:
        """Receive an event, as `on_event` of the Automation API."""
        super().__call__(event)
        if event.policy_event:
            with self._lock:
                self._judge(event.policy_event)

    def _judge(self, event: PolicyEvent) -> None:
        text = f"{event.policy_name}: {_said(event.message)}"
        mandatory = event.enforcement_level == _MANDATORY
        if mandatory:
            self.refusals = tuple(dict.fromkeys((*self.refusals, text)))
        kind = EventKind.ERROR if mandatory else EventKind.WARNING
        name = (event.resource_urn or "").rpartition("::")[2]
        self._say(kind, f"{kind}: rule {text}", name=name)


def refused(action: str, refusals: Sequence[str]) -> UpdateFailed:
    """Return the error of an update that breaks rules. `action` is what was tried, as the beginning of a sentence."""
    rules = "a mandatory rule" if len(refusals) == 1 else "mandatory rules"
    return UpdateFailed(
        f"{action} failed: it breaks {rules}: {'; '.join(map(first_lines, refusals))}",
        "correct that, and run it again; docs/policy.md says why",
    )


def _said(message: str) -> str:
    """Return what the rule found on one line, without the description that pulumi-policy puts on a line before it."""
    description, _, finding = _MARKUP.sub("", message).strip().partition("\n")
    return " ".join((finding or description).split()).removesuffix(".")
