"""The chart that runs and the one of this checkout, which every update from here deploys. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import versions
from automation.engine.stack_state import RELEASE
from compatibility import number

_ARCHIVE: Final = re.compile(r"airflow-([0-9]+(?:\.[0-9]+)*)\.tgz")
"""How `components.release.chart_archive` names the archive of a released chart (tested)."""
_VERSION: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_COMMIT: Final = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_DIGITS: Final = 12


@dataclass(frozen=True, kw_only=True)
class Charts:
    """Both charts."""

    deployed: str = ""
    """Version of the one that was deployed last; "" if the state does not say."""
    here: str = versions.AIRFLOW_CHART
    """Version of this checkout's."""
    commit: str = ""
    """The commit from which it was deployed, "" if the history does not say."""

    @property
    def to_newer(self) -> bool:
        """An update from this checkout would deploy a newer chart."""
        return bool(self.deployed) and number(self.here) > number(self.deployed)

    @property
    def to_older(self) -> bool:
        """An update from this checkout would deploy an older chart."""
        return bool(self.deployed) and number(self.here) < number(self.deployed)

    def change(self) -> tuple[str, str] | None:
        """Return the versions before and after an update; None if it keeps the chart."""
        return (self.deployed, self.here) if self.to_newer or self.to_older else None

    def command_to(self, version: str) -> str:
        """Return the command that gives a checkout with a version of the chart."""
        if not _VERSION.fullmatch(version):
            return f"give a version such as {self.here}"
        if version == self.deployed and self.commit:
            return f"git checkout {self.commit[:_COMMIT_DIGITS]}"
        if number(version) > number(self.here):
            return f"git pull, until versions.py has AIRFLOW_CHART {version}"
        # The newest commit that touches the pin has replaced it.
        return f"git checkout $(git log -1 --format=%h -S'AIRFLOW_CHART = \"{version}\"' -- versions.py)^"

    def refusals(self, expected: str, then: str) -> tuple[str, ...]:
        """Return why a verb cannot go on in this checkout, if it needs another chart. then: the verb's command."""
        if not expected or expected == self.here:
            return ()
        return (
            f"the chart: expected {expected} in this checkout, found {self.here}. "
            f"Fix: {self.command_to(expected)}; then {then}",
        )


def charts(deployment: Mapping[str, Any], history: Iterable[Mapping[str, Any]]) -> Charts:
    """Return both charts.

    Args:
        deployment: The stack's state, as the engine exports it.
        history: The engine's, the newest first.
    """
    release: Mapping[str, Any] = next(
        (item for item in deployment.get("resources") or () if item.get("type") == RELEASE), {}
    )
    found = _ARCHIVE.search(str((release.get("inputs") or {}).get("chart") or ""))
    last: Mapping[str, Any] = next(
        (record for record in history if record.get("kind") == "update" and record.get("result") == "succeeded"), {}
    )
    commit = str((last.get("environment") or {}).get("git.head") or "")
    # It becomes a part of a command that a person copies, and whoever writes into the backend wrote it.
    return Charts(deployed=found[1] if found else "", commit=commit if _COMMIT.fullmatch(commit) else "")
