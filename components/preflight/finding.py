"""What a check of the preflight found, and the error that ends an update."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum, unique
from typing import Final

from components.kube.fix_text import with_fix

TYPE: Final = "airflow:index:ClusterPreflight"
"""Type of the component whose children are the checks."""
FOUND: Final = "the preflight found"
"""Beginning of the error, by which `automation` recognises it."""

UNSEEN: Final = "could not be checked"
"""Beginning of the warning that is about a check's own resource, by which `automation` has the check made again."""


@unique
class Preflight(StrEnum):
    """`required`: a check that fails ends the update. `wanted`: it is a warning. `off`: nothing is checked."""

    REQUIRED = "required"
    WANTED = "wanted"
    OFF = "off"


@unique
class Verdict(StrEnum):
    """The answer of a check."""

    PASSED = "passed"
    """It was seen to hold."""
    WARNING = "warning"
    """It does not hold, and the update goes on."""
    FAILED = "failed"
    """It does not hold, and the update ends."""
    SKIPPED = "skipped"
    """It could not be seen in time, or may not be looked at."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check of the preflight. No text holds a secret."""

    check: str
    """What was checked, in a few words."""
    verdict: Verdict
    """Whether it holds."""
    what: str
    """What was seen. Where it fails: `KEY: what was expected, what was found`."""
    fix: str = ""
    """What to do if it fails: a command if there is one."""
    outage: bool = False
    """Whether another system may be down for a while, and nothing be wrong with the config."""

    def __str__(self) -> str:
        return with_fix(self.what, self.fix)


class PreflightFailedError(Exception):
    """A check failed. Its text is one line that counts, then one line for each problem."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join([counted(len(findings)), *(f"  {finding}" for finding in findings)]))


def counted(problems: int) -> str:
    """Return the first line of what says that checks failed."""
    return f"{FOUND} {'one problem' if problems == 1 else f'{problems} problems'}"


def passed(check: str, what: str) -> Finding:
    return Finding(check=check, verdict=Verdict.PASSED, what=what)


def failed(check: str, what: str, fix: str, *, outage: bool = False) -> Finding:
    return Finding(check=check, verdict=Verdict.FAILED, what=what, fix=fix, outage=outage)


def skipped(check: str, what: str, *, outage: bool = False) -> Finding:
    return Finding(check=check, verdict=Verdict.SKIPPED, what=what, outage=outage)


def softened(findings: Iterable[Finding], *, all_of_them: bool) -> tuple[Finding, ...]:
    """Return the findings with failures as warnings: those of outages, or all of them."""
    return tuple(
        replace(finding, verdict=Verdict.WARNING)
        if finding.verdict is Verdict.FAILED and (all_of_them or finding.outage)
        else finding
        for finding in findings
    )
