"""`pulumi preview` of `dev` from nothing, against an empty program with the same providers.

A third program, of one release of the chart, says how much of the difference is the Helm provider's: it renders the
chart in every preview.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Final

from benchmarks.results import Ratio, Results, Series
from benchmarks.stacks import need_cluster, undeployed
from benchmarks.stopwatch import peak_memory, seconds
from tests.cluster.harness import ROOT, Stack

AIM: Final = 1.25
_NAMESPACE: Final = "airflow-bench-preview"  # is never made
_FOLDER: Final = ROOT / "benchmarks"
_PROGRAMS: Final = MappingProxyType({"program": ROOT, "empty": _FOLDER / "empty", "release": _FOLDER / "release_only"})


def measure(runs: int) -> Results:
    """Alternates the programs; memory is sampled in the runs that are timed."""
    need_cluster()
    times: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    memory: dict[str, list[float]] = {name: [] for name in _PROGRAMS}
    with ExitStack() as opened:
        stacks = {
            name: opened.enter_context(undeployed(_NAMESPACE, program=program)) for name, program in _PROGRAMS.items()
        }
        for stack in stacks.values():
            stack.command("preview")  # not counted: bytecode and disk caches
        for _ in range(runs):
            for name, stack in stacks.items():
                elapsed, peak = _preview(stack)
                times[name].append(elapsed)
                if peak is not None:
                    memory[name].append(peak)
    return results(times, memory)


def _preview(stack: Stack) -> tuple[float, float | None]:
    """Seconds, and MiB where they can be sampled."""
    elapsed: list[float] = []
    peak = peak_memory(lambda: elapsed.append(seconds(lambda: stack.command("preview"))))
    return elapsed[0], peak


def results(times: Mapping[str, Sequence[float]], memory: Mapping[str, Sequence[float]]) -> Results:
    """Of seconds and MiB by the key of the program; memory may be empty."""
    series: list[Series] = []
    ratios: list[Ratio] = []
    for what, unit, found in (("wall time", "s", times), ("peak memory", "MiB", memory)):
        if not found["program"]:
            continue
        program, empty, release = (
            Series(name=f"{what}, {name}", unit=unit, values=tuple(found[key]))
            for key, name in (
                ("program", "program"),
                ("empty", "empty program"),
                ("release", "only a release of the chart"),
            )
        )
        series += [program, empty, release]
        ratios += [
            Ratio(name=f"{what}, program to empty program", of=program, to=empty, aim=AIM),
            Ratio(name=f"{what}, program to only a release of the chart", of=program, to=release),
        ]
    return Results(series=tuple(series), ratios=tuple(ratios))
