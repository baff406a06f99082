"""What can go wrong, each with what to do about it. No message holds a secret.

Beside these, `helmsman.export` has the errors of its files, and the command line those of its own verbs.
"""
# ruff: noqa: N818 - each name says what is the matter; `Error` behind it would say nothing more.

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_MEND = ". Fix: "


class AutomationError(Exception):
    """what: one clause that says what is wrong and why. remedy: what to do, a command where there is one."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}{_MEND}{remedy}")

    @property
    def kind(self) -> str:
        """Its name, for a program that reads it as JSON."""
        return type(self).__name__

    def to_json(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return {"kind": self.kind, "what": self.what, "remedy": self.remedy}


class SettingsInvalid(AutomationError):
    """The config of a stack is not valid. problems: one text each, with its remedy."""

    def __init__(self, stack: str, problems: tuple[str, ...]) -> None:
        self.stack, self.problems = stack, problems
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"config of stack {stack}: {count}", "each problem says how")

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {text}" for text in self.problems)])

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "problems": list(self.problems)}


class EngineMissing(AutomationError):
    """No usable `pulumi`, or only one that is too old, and none could be downloaded."""


class ToolMissing(AutomationError):
    """A program that the verb needs is not installed, or does not run."""


class ToolsMissing(ToolMissing):
    """Several are; its text has a line for each."""

    def __init__(self, problems: tuple[ToolMissing, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(error.what for error in problems), "; ".join(error.remedy for error in problems))

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.problems)


class ClusterUnreachable(AutomationError):
    """The kubeconfig has no such context, its cluster does not answer, or AWS does not tell where it is."""


class WrongCluster(AutomationError):
    """A cluster answers, but it is not the one that the stack was deployed to."""


class ClusterRequestFailed(AutomationError):
    """The cluster answered, but refused or failed one request."""


class AirflowRequestFailed(AutomationError):
    """Airflow's API could not be reached, or refused a request. `status` is the HTTP status, 0 without an answer."""

    def __init__(self, what: str, remedy: str, status: int = 0) -> None:
        self.status = status
        super().__init__(what, remedy)


class StackUnknown(AutomationError):
    """There is no such stack, no file of it, or its name cannot be one."""


class FileInvalid(AutomationError):
    """A file of the project is not YAML, or is not what it should be; or a saved plan cannot be read."""


class PassphraseMissing(AutomationError):
    """Nothing says what encrypts the secrets in a shared backend, or the passphrase's file cannot be read."""


class StackLocked(AutomationError):
    """Another update of the stack is under way, or one was killed and left its lock; waiting for it took too long."""


class Protected(AutomationError):
    """What would be deleted or replaced holds data or keys, and the stack's config protects it."""


class UpdateFailed(AutomationError):
    """The engine could not finish; `what` ends with its first error. Its subclasses say more: catch them before it."""


class MigrationFailed(UpdateFailed):
    """The Job that migrates the database failed; no pod has changed."""


class ReleaseStuck(UpdateFailed):
    """Helm refuses, because its record of the release is that of an operation which never ended."""


class PlanViolated(UpdateFailed):
    """The update would do something that its saved plan does not hold; it has stopped before that."""


class NotHealthy(UpdateFailed):
    """The deployment stands, but was not ready in time, or verification found something wrong."""


class Interrupted(AutomationError):
    """It was told to stop; what the engine had begun is in the stack's state, and the next update takes it over."""


class RecoveryRefused(AutomationError):
    """Recovery would have to guess: another update may be alive, or only a person can tell what became of something."""


class AdoptionRefused(AutomationError):
    """A release cannot be taken over as it is. refusals: one text each, with its remedy."""

    def __init__(self, stack: str, refusals: tuple[str, ...]) -> None:
        self.stack, self.refusals = stack, refusals
        count = "one reason" if len(refusals) == 1 else f"{len(refusals)} reasons"
        super().__init__(f"the release cannot be taken over by stack {stack}: {count}", "each reason says how")

    def __str__(self) -> str:
        return "\n".join([self.what, *(f"  {text}" for text in self.refusals)])

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "refusals": list(self.refusals)}


@contextmanager
def without_context() -> Iterator[None]:
    """Takes from an error what it was raised in the handling of: an engine's error holds all that the engine wrote.

    `from None` alone only hides that from a traceback, and not from what collects errors.
    """
    try:
        yield
    except AutomationError as error:
        error.__context__ = error.__cause__ = None
        raise


def from_text(kind: type[AutomationError], text: str) -> AutomationError:
    """An error of the program's own, whose text may end with what mends it."""
    what, _, remedy = text.partition(_MEND)
    return kind(what, remedy or "mend that, and run it again")
