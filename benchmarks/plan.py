"""Measure `plan` of both committed stacks, against Helm's rendering of the chart, which each plan contains."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from typing import Final

from benchmarks.helm import need_helm
from benchmarks.plain_stack import ROOT
from benchmarks.results import Fact, Ratio, Results, Series
from benchmarks.stopwatch import processor_seconds
from components.release.airflow_release import RELEASE_NAME
from components.release.chart_archive import chart_archive

_STACKS: Final = ("dev", "prod")
_LONGEST_SECONDS: Final = 5.0


def measure(runs: int) -> Results:
    """Alternate the commands; the first of each is not counted. Raises UnavailableError without Helm."""
    need_helm()
    render = ["helm", "template", RELEASE_NAME, str(ROOT / chart_archive("", ROOT))]
    commands = {
        **{f"plan of {stack}": [sys.executable, "-m", "automation", "plan", stack, "--json"] for stack in _STACKS},
        "`helm template` of the chart": render,
    }
    plans = [{_output(command) for _ in range(2)} for command in list(commands.values())[:-1]]
    _output(render)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(processor_seconds(partial(_output, command)))
    series = {name: Series(name=name, unit="s", values=tuple(values)) for name, values in times.items()}
    dev, prod, rendering = series.values()
    return Results(
        series=(dev, prod, rendering),
        ratios=(
            Ratio(name="plan of dev to `helm template`", of=dev, to=rendering),
            Ratio(name="plan of prod to `helm template`", of=prod, to=rendering),
        ),
        facts=(
            *(
                Fact(
                    name=f"{of.name} takes less than 5 s of processor time, and so less by the clock",
                    met=of.median < _LONGEST_SECONDS,
                )
                for of in (dev, prod)
            ),
            Fact(name="two plans of a stack are the same, byte for byte", met=all(len(found) == 1 for found in plans)),
        ),
    )


def _output(command: Sequence[str]) -> bytes:
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
