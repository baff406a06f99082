"""Write results as Markdown, and put them into their place in a document."""

from __future__ import annotations

import re
from typing import Final

from benchmarks.results import Results

_VERDICT: Final = {True: "met", False: "missed", None: ""}


def section(results: Results, machine: str) -> str:
    """Return the tables of one benchmark. machine: where it was measured, as one line."""
    lines = [machine, "", "| Measured | Unit | Runs | Median |", "| --- | --- | --- | --- |"]
    for series in results.series:
        runs = ", ".join(_number(value) for value in series.values)
        lines.append(f"| {series.name} | {series.unit} | {runs} | {_number(series.median)} |")
    lines += ["", "| Ratio of medians | Found | Aim | |", "| --- | --- | --- | --- |"]
    for ratio in results.ratios:
        aim = "" if ratio.aim is None else f"at most {ratio.aim:.2f}"
        lines.append(f"| {ratio.name} | {ratio.value:.2f} | {aim} | {_VERDICT[ratio.met]} |")
    for fact in results.facts:
        lines.append(f"| {fact.name} | {'yes' if fact.met else 'no'} | yes | {_VERDICT[fact.met]} |")
    return "\n".join(lines)


def replaced(document: str, name: str, content: str) -> str:
    """Replace the content between the marks of `name` in a document. Raises ValueError without such marks."""
    begin, end = f"<!-- results of {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if len(pattern.findall(document)) != 1:
        raise ValueError(f"expected one pair of marks `{begin}` and `{end}`")
    return pattern.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", document)


def _number(value: float) -> str:
    """Return three significant digits, without an exponent and with every digit before the point."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}"
