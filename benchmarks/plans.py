"""Measure plans of many stacks by one process that uses the library."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from automation import Environment
from benchmarks.helm import need_helm
from benchmarks.previews import AT_ONCE, stacks_like_dev
from benchmarks.results import Ratio, Results, Series
from benchmarks.stopwatch import seconds

COUNT: Final = 100
_SINGLE: Final = 5
"""How often a plan of one stack is measured in each run."""
_ONE: Final = "plan of 1"
_MANY: Final = f"plans of {COUNT}, time per stack"


def measure(runs: int) -> Results:
    """Plan stacks like `dev`, each with the rendering of its chart. Raises UnavailableError without Helm."""
    need_helm()
    found: dict[str, list[float]] = {_ONE: [], _MANY: []}
    with tempfile.TemporaryDirectory() as folder:
        stacks = stacks_like_dev(Path(folder), COUNT)
        _plan(stacks[0])
        for _ in range(runs):
            found[_ONE] += [seconds(partial(_plan, stack)) for stack in stacks[:_SINGLE]]
            found[_MANY].append(seconds(partial(_plans, stacks)) / len(stacks))
    return results(found)


def results(found: Mapping[str, Sequence[float]]) -> Results:
    """Return the results of the measurements by name."""
    one, many = (Series(name=name, unit="s", values=tuple(values)) for name, values in found.items())
    return Results(series=(one, many), ratios=(Ratio(name=f"time per stack, {COUNT} to 1", of=many, to=one),))


def _plan(stack: Environment) -> None:
    failure = stack.plan().failure
    if failure is not None:
        raise RuntimeError(f"{stack.name}: {failure.text}")


def _plans(stacks: Sequence[Environment]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(_plan, stacks):
            pass
