"""The steps that are under way and what they wait for, at the bottom of a terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TextIO

from automation.cli.error_text import broken
from automation.cli.plain_text import plain

if TYPE_CHECKING:
    from rich.live import Live

    from automation.engine.events import Event
    from components.kube.workload_states import WorkloadState

_BEGUN: Final = "begun"
_ENDED: Final = frozenset({"done", "failed"})
_WAITING: Final = "waiting"
_WORKLOAD: Final = "workload"
ONLY_LIVE: Final = frozenset({_BEGUN, "still", _WAITING, _WORKLOAD})
"""Events that a terminal shows for as long as they are true, and then no more."""
_TROUBLE: Final = frozenset({"warning", "error"})
_PER_SECOND: Final = 4
_LEAST: Final = (0, 5)
"""Widths of names and of numbers such as `120 s` and `0/1`."""
_GAP: Final = 2
"""Between two columns."""
_COLUMNS, _NAME, _REASON = 80, 16, 30
"""Widths of a terminal that does not tell, and the least of a name and of a reason."""


@dataclass
class LiveView:
    """Shows what events say is under way; anything else is printed above it."""

    steps: dict[tuple[str, str, str], tuple[str, float, float | None]] = field(default_factory=dict)
    """Text, start and usual seconds of each step under way."""
    workloads: dict[tuple[str, str], WorkloadState] = field(default_factory=dict)
    """What they wait for."""
    waiting: tuple[str, float] | None = None
    """Text and start of a wait outside of steps, which lasts until the next event."""
    _live: Live | None = None
    _widths: tuple[int, int] = _LEAST
    """Widths of the columns with names and numbers. They only grow, so that nothing jumps when a row goes."""

    def event(self, event: Event, file: TextIO) -> bool:
        """Receive an event of an update. Return whether the view shows it, so that it need not be printed."""
        key = (event.operation, event.type, event.name)
        if event.kind not in ONLY_LIVE or event.kind == _BEGUN:
            self.waiting = None
        if event.kind == _BEGUN:
            self.steps[key] = (event.text.partition(" (usually")[0], time.monotonic(), event.usual_seconds)
        elif event.kind == _WAITING:
            if self.waiting is None or self.waiting[0] != event.text:
                self.waiting = event.text, time.monotonic()
        elif event.kind in _ENDED:
            self.steps.pop(key, None)
            self.workloads = {item: state for item, state in self.workloads.items() if not state.is_of(event.type)}
        elif event.workload is not None:
            self.workloads[event.workload.kind, event.workload.name] = event.workload
        if self.steps or self.waiting:
            self._start(file)
        else:
            self.close()
        return self._live is not None and event.kind in ONLY_LIVE

    def print(self, text: str, style: str, file: TextIO, kind: str = "") -> None:
        """Print the text of a kind of event above the view, or simply print it where there is no view."""
        from rich.console import Console as Terminal
        from rich.text import Text

        text = plain(text)
        live = self._live  # another thread may close the view meanwhile
        terminal = live.console if live is not None else Terminal(file=file)
        if kind in _TROUBLE:
            text = "\n".join(part for line in text.splitlines() for part in broken(line, terminal.width))
        # As text, not as markup: it may hold brackets.
        terminal.print(Text(text, style), soft_wrap=True)

    def close(self) -> None:
        """Take the view from the terminal."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        self.steps.clear()
        self.workloads.clear()
        self.waiting, self._widths = None, _LEAST

    @property
    def open(self) -> bool:
        """Whether the view is on the terminal."""
        return self._live is not None

    def rows(self, now: float) -> list[tuple[str, str, str]]:
        """Return the table that is shown: name, number and reason of each step and workload."""
        found = [
            (plain(text), f"{now - since:.0f} s", "" if usual is None else f"usually {usual:.0f} s")
            for text, since, usual in tuple(self.steps.values())
        ]
        return found + [
            (f"  {state.name}", f"{state.ready}/{state.wanted}", plain(state.says.partition(": ")[2]))
            for state in self._states()
            if not state.well
        ]

    def waits(self, now: float) -> str:
        """Return the wait outside of steps with its time, "" without one."""
        return f"{plain(self.waiting[0])}  {now - self.waiting[1]:.0f} s" if self.waiting else ""

    def ready(self) -> str:
        """Return the names of the workloads that are ready, "" without one."""
        return ", ".join(state.name for state in self._states() if state.well)

    def _states(self) -> list[WorkloadState]:
        return sorted(self.workloads.values(), key=lambda state: (state.kind, state.name))

    def _start(self, file: TextIO) -> None:
        if self._live is not None:
            return
        from rich.console import Console as Terminal
        from rich.live import Live

        self._live = Live(
            console=Terminal(file=file),
            get_renderable=self._shown,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _shown(self) -> Any:
        from rich.console import Group
        from rich.padding import Padding
        from rich.table import Table
        from rich.text import Text

        rows = self.rows(time.monotonic())
        names, numbers = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
        self._widths = max(names, self._widths[0]), max(numbers, self._widths[1])
        table = Table.grid(padding=(0, _GAP))
        # A long name is folded: beyond the terminal's width, a reason would not be shown at all.
        columns = self._live.console.width if self._live is not None else _COLUMNS
        room = columns - self._widths[1] - 2 * _GAP - _REASON
        table.add_column(overflow="fold", width=min(self._widths[0], max(room, _NAME)))
        table.add_column(min_width=self._widths[1], justify="right")
        table.add_column(overflow="fold")
        for name, number, reason in rows:
            is_step = not name.startswith(" ")
            table.add_row(
                Text(name, "bold" if is_step else ""), Text(number), Text(reason, "dim" if is_step else "yellow")
            )
        shown: list[Any] = [table] if rows else []
        if ready := self.ready():
            shown.append(Padding(Text(f"ready: {ready}", "green"), (0, 0, 0, _GAP)))
        if waits := self.waits(time.monotonic()):
            shown.append(Text(waits, "bold"))
        return Group(*shown)
