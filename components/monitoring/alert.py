"""What an alert is. `alerts.py` has the table of them. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from components.monitoring.expressions import Watched


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert. It fires while `value` is as `fires` says, for `seconds`."""

    name: str
    """Name of the alert."""
    section: str
    """Section of the page: `processes`, `dags`, `tasks`, `database` or `certificates`."""
    severity: str
    """`critical`: nothing is scheduled, or soon will not be. `warning`: look at it today."""
    value: str
    """Expression that has a value in a healthy stack too (see `expressions.py`)."""
    fires: str
    """Comparison, with what keeps the alert quiet behind it."""
    seconds: int
    """How long it must hold."""
    summary: str
    """What is wrong, in one line."""
    description: str
    """What it means, and where to look first."""
    window: Callable[[Watched], int] = lambda watched: 0
    """Returns the seconds that the expression looks back in a stack, as `$window`; 0 for none."""
    needs: str = ""
    """Part of the stack that it is about (see `Watched.parts`), or "" for what every stack has."""
