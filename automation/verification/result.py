"""The result of a verification."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum, unique
from typing import Any


@unique
class Status(StrEnum):
    """passed: seen to hold. warning: not so, and this stack allows it. skipped: not asked for, or cannot be seen."""

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """name: what should hold. detail: what was seen, in one line without a secret."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True)
class Verification:
    """checks: in the order in which they were made."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return all(check.status is not Status.FAILED for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`: `{"ok": …, "checks": [{"name": …, "status": …, "detail": …}]}`"""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def passed(name: str, detail: str) -> Check:
    return Check(name, Status.PASSED, detail)


def warning(name: str, detail: str) -> Check:
    return Check(name, Status.WARNING, detail)


def failed(name: str, detail: str) -> Check:
    return Check(name, Status.FAILED, detail)


def skipped(name: str, detail: str) -> Check:
    return Check(name, Status.SKIPPED, detail)
