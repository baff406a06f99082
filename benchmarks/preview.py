"""Measure `pulumi preview` of `dev` from nothing, against an empty program with the same providers.

A third program, one release of the chart, shows the Helm provider's part: it renders the chart in every preview.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import Final

from benchmarks.plain_stack import ROOT, Stack
from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import need_cluster, undeployed
from benchmarks.stopwatch import peak_memory, processor_seconds, seconds

AIM: Final = 1.20
MEMORY_AIM: Final = 1.10
_NAMESPACE: Final = "airflow-bench-preview"  # is never made
_FOLDER: Final = ROOT / "benchmarks"
_PROGRAMS: Final = MappingProxyType({"program": ROOT, "empty": _FOLDER / "empty", "release": _FOLDER / "release_only"})


def measure(runs: int) -> Results:
    """Alternate the programs; memory is sampled in the runs that are timed."""
    need_cluster()
    found: dict[str, list[Preview]] = {name: [] for name in _PROGRAMS}
    with ExitStack() as opened:
        stacks = {
            name: opened.enter_context(undeployed(_NAMESPACE, program=program)) for name, program in _PROGRAMS.items()
        }
        for stack in stacks.values():
            stack.command("preview")  # not counted: bytecode and disk caches
        for _ in range(runs):
            for name, stack in stacks.items():
                found[name].append(_preview(stack))
    return results(found)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """One preview, measured."""

    seconds: float
    """Wall time."""
    processor_seconds: float
    """Time of all processes on all cores."""
    mebibytes: float | None
    """Peak memory, or None where it is not sampled."""


def _preview(stack: Stack) -> Preview:
    wall: list[float] = []
    processor: list[float] = []

    def preview() -> None:
        wall.append(seconds(partial(stack.command, "preview")))

    peak = peak_memory(lambda: processor.append(processor_seconds(preview)))
    return Preview(seconds=wall[0], processor_seconds=processor[0], mebibytes=peak)


def results(found: Mapping[str, Sequence[Preview]]) -> Results:
    """Return the results of each program's previews, by the program's key."""
    series: list[Series] = []
    ratios: list[Ratio] = []
    for what, unit, aim, of in (
        ("wall time", "s", AIM, attrgetter("seconds")),
        ("processor time", "s", None, attrgetter("processor_seconds")),
        ("peak memory", "MiB", MEMORY_AIM, attrgetter("mebibytes")),
    ):
        values = {name: [value for value in map(of, previews) if value is not None] for name, previews in found.items()}
        if not all(values.values()):
            continue
        program, empty, release = (
            Series(name=f"{what}, {name}", unit=unit, values=tuple(values[key]))
            for key, name in (
                ("program", "program"),
                ("empty", "empty program"),
                ("release", "only a release of the chart"),
            )
        )
        series += [program, empty, release]
        ratios += [
            Ratio(name=f"{what}, program to empty program", of=program, to=empty),
            Ratio(name=f"{what}, program to only a release of the chart", of=program, to=release, aim=aim),
        ]
    return Results(series=tuple(series), ratios=tuple(ratios))
