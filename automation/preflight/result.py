"""What the preflight of a stack found."""

from __future__ import annotations

from dataclasses import dataclass

from automation.results import Result
from components.kube.fix_text import with_fix
from components.preflight.finding import Verdict


@dataclass(frozen=True, kw_only=True)
class PreflightCheck(Result):
    """One question about what the release will need, answered."""

    name: str
    """What was checked."""
    verdict: Verdict
    """Whether it holds."""
    what: str
    """What was seen; where it fails, `KEY: what was expected, what was found`."""
    fix: str = ""
    """What to do if it fails."""

    def __str__(self) -> str:
        return with_fix(self.what, self.fix)


@dataclass(frozen=True, kw_only=True)
class Preflight(Result):
    """The findings of a preflight."""

    stack: str
    new_namespace: bool
    """The stack's namespace does not exist yet: pods ran in a temporary one, which has no quota of its own."""
    checks: tuple[PreflightCheck, ...]
    """None if `airflow:preflight` is off."""

    SHOWN = ("ok",)

    @property
    def ok(self) -> bool:
        """Whether no check failed: `up` would go on."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """The checks that failed, each with its fix."""
        return tuple(str(check) for check in self.checks if check.verdict is Verdict.FAILED)
