"""The result of a verification."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique

from automation.results import Result


@unique
class Status(StrEnum):
    """The outcome of a check."""

    PASSED = "passed"
    """It was seen to hold."""
    WARNING = "warning"
    """It does not hold, and this stack allows that."""
    FAILED = "failed"
    """It does not hold, or could not be checked."""
    SKIPPED = "skipped"
    """It was not asked for, or cannot be seen."""


@dataclass(frozen=True)
class Check:
    """One question about a deployment, answered."""

    name: str
    """What should hold."""
    status: Status
    """Whether it holds."""
    detail: str
    """What was seen, in one line without a secret."""


@dataclass(frozen=True)
class Verification(Result):
    """The result of a verification. As JSON: `{"ok": …, "checks": [{"name": …, "status": …, "detail": …}]}`"""

    checks: tuple[Check, ...]
    """In the order in which they were made."""

    SHOWN = ("ok",)

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.status is not Status.FAILED for check in self.checks)


def passed(name: str, detail: str) -> Check:
    return Check(name, Status.PASSED, detail)


def warning(name: str, detail: str) -> Check:
    return Check(name, Status.WARNING, detail)


def failed(name: str, detail: str) -> Check:
    return Check(name, Status.FAILED, detail)


def skipped(name: str, detail: str) -> Check:
    return Check(name, Status.SKIPPED, detail)
