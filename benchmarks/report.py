"""Results as Markdown, and their place in a document. Pure."""

from __future__ import annotations

import re
from typing import Final

from benchmarks.results import Results

_VERDICT: Final = {True: "met", False: "missed", None: ""}


def section(results: Results, machine: str) -> str:
    """Tables of one benchmark. machine: a line that says where it was measured."""
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
    """The document with other content between the marks of `name`. Raises ValueError without such marks."""
    begin, end = f"<!-- results of {name} -->", f"<!-- end of {name} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if len(pattern.findall(document)) != 1:
        raise ValueError(f"expected one pair of marks `{begin}` and `{end}`")
    return pattern.sub(lambda match: f"{match[1]}\n{content}\n\n{match[2]}", document)


def _number(value: float) -> str:
    """Three significant digits, without an exponent, and no digit before the point lost."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{digits}f}"
