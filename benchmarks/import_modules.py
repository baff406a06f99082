"""Measure the import of the program's modules on `dev`, against the SDKs alone."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any, Final

from benchmarks.plain_stack import ROOT
from benchmarks.results import Fact, Ratio, Results, Series

_SDKS: Final = "import pulumi, pulumi_kubernetes, pulumi_random"
_UNWANTED: Final = "pulumi_aws"
_MEASURE: Final = """\
import json, sys, time
begin = time.perf_counter()
exec(sys.argv[1])
elapsed = time.perf_counter() - begin
print(json.dumps({"seconds": elapsed, "modules": sorted(sys.modules)}))
"""


def measure(runs: int) -> Results:
    """Alternate the two, each in an interpreter of its own."""
    program = import_statements((ROOT / "__main__.py").read_text())
    fact, _ = unwanted_modules(), _run(_SDKS)  # not counted: bytecode and disk caches
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        for which, statements in enumerate((program, _SDKS)):
            times[which].append(_run(statements)["seconds"] * 1000)
    of = Series(name="modules of the program", unit="ms", values=tuple(times[0]))
    to = Series(name="`pulumi`, `pulumi_kubernetes`, `pulumi_random`", unit="ms", values=tuple(times[1]))
    return Results(
        series=(of, to),
        ratios=(Ratio(name="modules of the program to the SDKs alone", of=of, to=to),),
        facts=(fact,),
    )


def unwanted_modules() -> Fact:
    """Return whether the program's modules leave out what only AWS needs."""
    imported = _run(import_statements((ROOT / "__main__.py").read_text()))["modules"]
    return Fact(name=f"`{_UNWANTED}` is not imported", met=_UNWANTED not in imported)


def import_statements(source: str) -> str:
    """Return the import statements at the top of a program."""
    imports = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, imports))


def _run(statements: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, statements], cwd=ROOT, capture_output=True, text=True, check=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result
