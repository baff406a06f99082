"""`python -m benchmarks [--runs N] [NAME …]`: measure, and put the results into benchmarks/README.md.

A benchmark whose tools are missing is skipped with the reason, and its earlier results stay. Exit codes: 0 measured or
skipped, also where an aim is missed; 2 usage.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from benchmarks import first_run, import_modules, machine, plan, plans, preview, previews, report, roll, up
from benchmarks.results import Results, UnavailableError

TARGET: Final = Path(__file__).with_name("README.md")
BENCHMARKS: Final = MappingProxyType[str, Callable[[int], Results]](
    {
        "imports": import_modules.measure,
        "plan": plan.measure,
        "plans": plans.measure,
        "preview": preview.measure,
        "previews": previews.measure,
        "up": up.measure,
        "first-run": first_run.measure,
        "roll": roll.measure,
    }
)
RUNS: Final = MappingProxyType(
    {"imports": 9, "plan": 5, "plans": 1, "preview": 7, "previews": 5, "up": 3, "first-run": 3, "roll": 3}
)
"""Runs of each; the median of an odd number is one of the measurements."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the named benchmarks, or all. Raises SystemExit(2) for a wrong command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; all, if none is given")
    parser.add_argument("--runs", type=int, help="how often each is measured")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"expected names of {', '.join(BENCHMARKS)}, found {', '.join(sorted(unknown))}")
    if given.runs is not None and given.runs < 1:
        parser.error(f"expected at least 1 run, found {given.runs}")
    for name in given.names or BENCHMARKS:
        _measure(name, given.runs or RUNS[name])
    return 0


def _measure(name: str, runs: int) -> None:
    print(f"{name}: {runs} runs", flush=True)
    try:
        results = BENCHMARKS[name](runs)
    except UnavailableError as reason:
        print(f"{name}: skipped: {reason}", flush=True)
        return
    section = report.section(results, machine.describe())
    TARGET.write_text(report.replaced(TARGET.read_text(), name, section))
    print(section, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
