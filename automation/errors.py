"""What can go wrong, each with what to do about it. No message holds a secret."""
# ruff: noqa: N818 - each name says what is the matter; `Error` behind it would say nothing more.

from __future__ import annotations


class AutomationError(Exception):
    """what: one clause that says what is wrong and why. remedy: what to do, a command where there is one."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}. Mend it: {remedy}")


class EngineMissing(AutomationError):
    """No usable `pulumi`, and none could be downloaded."""


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
    """The kubeconfig has no such context, or its cluster does not answer."""


class ClusterRequestFailed(AutomationError):
    """The cluster answered, but refused or failed one request."""


class AirflowRequestFailed(AutomationError):
    """Airflow's API could not be reached, or refused a request. `status` is the HTTP status, 0 without an answer."""

    def __init__(self, what: str, remedy: str, status: int = 0) -> None:
        self.status = status
        super().__init__(what, remedy)


class StackUnknown(AutomationError):
    """There is no such stack, or its name cannot be one."""


class FileInvalid(AutomationError):
    """A file of the project is not YAML, or is not what it should be."""


class PassphraseMissing(AutomationError):
    """The backend is shared, and nothing says what encrypts the stack's secrets."""


class StackLocked(AutomationError):
    """Another update of the stack is under way, or one was killed and left its lock."""


class UpdateFailed(AutomationError):
    """The engine could not finish; `what` ends with its first error."""


class Interrupted(AutomationError):
    """A signal stopped the engine; what it had begun is in the stack's state."""


class NotHealthy(AutomationError):
    """The deployment stands, but verification found something wrong."""
