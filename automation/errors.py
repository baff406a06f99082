"""What can go wrong, each with what to do about it. No message holds a secret.

`automation.helmsman` adds the errors of its files, and the command line those of its own verbs.
"""
# ruff: noqa: N818 - each name says what is wrong; `Error` behind it would add nothing.

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from components.kube.fix_text import FIX, without_fix

_IN_THE_WAY: Final = "a file is where a folder should be, or the other way round; move it away: ls -ld {place}"
_RIGHTS: Final = "give this user the rights to it: ls -ld {place}"
_SPACE: Final = "free space on its disk (df -h), and run it again"
_SYSTEM: Final = {
    errno.EACCES: _RIGHTS,
    errno.EDQUOT: _SPACE,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: _IN_THE_WAY,
    errno.ENOENT: "it does not exist; name another, or make its folder, and run it again",
    errno.ENOSPC: _SPACE,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EPERM: _RIGHTS,
    errno.EROFS: "its disk is mounted read-only; run it in a checkout that can be written",
}
"""Remedies by the system's number of an error."""


class AutomationError(Exception):
    """The base of all errors of this package."""

    listed: ClassVar[str] = ""
    """The attribute with the texts of a kind that lists several things; each text has its own remedy."""

    def __init__(self, what: str, remedy: str) -> None:
        """Take one clause that says what is wrong and why, and what to do: a command if there is one."""
        self.what, self.remedy = without_fix(what), remedy
        super().__init__(f"{self.what}{FIX}{remedy}")

    def reword(self, remedy: Callable[[str], str]) -> None:
        """Replace each remedy: its own, and those of the texts that it lists."""
        self.remedy = remedy(self.remedy)
        self.args = (f"{self.what}{FIX}{self.remedy}",)
        if self.listed:
            texts = [text.partition(FIX) for text in getattr(self, self.listed)]
            setattr(self, self.listed, tuple(f"{what}{fix}{remedy(rest)}" for what, fix, rest in texts))

    def __str__(self) -> str:
        if not self.listed:
            return super().__str__()
        return "\n".join([self.what, *(f"  {text}" for text in getattr(self, self.listed))])

    @property
    def kind(self) -> str:
        """The name of its class, for a program that reads it as JSON."""
        return type(self).__name__

    def to_json(self) -> dict[str, Any]:
        """Return a map for `json.dumps`."""
        listed = {self.listed: list(getattr(self, self.listed))} if self.listed else {}
        return {"kind": self.kind, "what": self.what, "remedy": self.remedy, **listed}


class SettingsInvalid(AutomationError):
    """The config of a stack is not valid."""

    listed = "problems"

    def __init__(self, stack: str, problems: tuple[str, ...]) -> None:
        self.stack, self.problems = stack, problems
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"config of stack {stack}: {count}", "each problem says how")


class EngineMissing(AutomationError):
    """No usable `pulumi`, or only one that is too old, and none could be downloaded."""


class ToolMissing(AutomationError):
    """A program that the verb needs is not installed, or does not run."""


class ToolsMissing(ToolMissing):
    """Several programs are missing; its text has a line for each, and then one for each way to go on without them."""

    def __init__(self, problems: tuple[ToolMissing, ...], ways_on: tuple[str, ...] = ()) -> None:
        self.problems, self.ways_on = problems, ways_on
        super().__init__("; ".join(error.what for error in problems), "; ".join(error.remedy for error in problems))

    def __str__(self) -> str:
        begin = ["  or go on without it:"] if self.ways_on else []
        return "\n".join([*map(str, self.problems), *begin, *(f"    {way}" for way in self.ways_on)])


class ClusterUnreachable(AutomationError):
    """The kubeconfig has no such context, the cluster does not answer, or AWS does not say where it is."""


class WrongCluster(AutomationError):
    """A cluster answers, but it is not the one that the stack was deployed to."""


class ClusterRequestFailed(AutomationError):
    """The cluster answered, but refused or failed one request."""


class AirflowRequestFailed(AutomationError):
    """Airflow's API could not be reached or refused a request. `status` is the HTTP status, 0 without an answer."""

    def __init__(self, what: str, remedy: str, status: int = 0) -> None:
        self.status = status
        super().__init__(what, remedy)


class StackUnknown(AutomationError):
    """There is no such stack, it has no file, or its name is not a valid one."""


class FileInvalid(AutomationError):
    """A file of the project is not YAML or has the wrong content, or a saved update plan cannot be read."""


class FileUnusable(AutomationError):
    """A file or folder cannot be read or written: a full disk, missing rights, a file in the place of a folder."""


class AccessRefused(AutomationError):
    """AWS does not accept the credentials, or they may not use the state's bucket or the key of its secrets."""


class PassphraseMissing(AutomationError):
    """Nothing says what encrypts the secrets in a shared backend, or the passphrase is unreadable or a wrong one."""


class StackLocked(AutomationError):
    """Another update has the stack's lock, or was killed and left it, and the wait for it took too long."""


class Protected(AutomationError):
    """What would be deleted or replaced holds data or keys, and the config protects it."""


class UpdateFailed(AutomationError):
    """The engine could not finish; `what` ends with its first error. Catch its subclasses first: they say more."""


class MigrationFailed(UpdateFailed):
    """The Job that migrates the database failed. No pod has changed."""


class PreflightFailed(UpdateFailed):
    """What the release needs is missing; nothing that runs has changed."""

    listed = "problems"

    def __init__(self, what: str, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__(what, "each problem says how")


class ReleaseStuck(UpdateFailed):
    """Helm refuses, because its record says that the last change of the release never ended."""


class PlanViolated(UpdateFailed):
    """The update stopped before a change that its update plan does not hold."""


class NotHealthy(UpdateFailed):
    """The deployment was not ready in time, or verification found something wrong."""


class Interrupted(AutomationError):
    """It was cancelled. What the engine had begun is in the stack's state, and the next update takes it over."""


class RecoveryRefused(AutomationError):
    """Recovery would have to guess: another update may be alive, or only a person can say what became of something."""


class _Refused(AutomationError):
    """A procedure cannot begin as things are."""

    listed = "refusals"

    def __init__(self, what: str, refusals: tuple[str, ...]) -> None:
        self.refusals = refusals
        count = "one reason" if len(refusals) == 1 else f"{len(refusals)} reasons"
        super().__init__(f"{what}: {count}", "each reason says how")


class AdoptionRefused(_Refused):
    """A release cannot be taken over as it is."""

    def __init__(self, stack: str, refusals: tuple[str, ...]) -> None:
        self.stack = stack
        super().__init__(f"the release cannot be taken over by stack {stack}", refusals)


class BackupFailed(AutomationError):
    """A backup, a restore or a drill could not be done, or a drill found what no key reads."""


class RotationRefused(_Refused):
    """A key cannot be rotated as things are."""

    def __init__(self, stack: str, key: str, refusals: tuple[str, ...]) -> None:
        self.stack = stack
        super().__init__(f"{key} of stack {stack} cannot be rotated", refusals)


class UpgradeRefused(_Refused):
    """The new image, or the older one of a rollback, cannot run the stack as things are. Nothing has changed."""

    def __init__(self, stack: str, verb: str, refusals: tuple[str, ...]) -> None:
        self.stack = stack
        super().__init__(f"the {verb} of stack {stack} cannot begin", refusals)


class UpgradeStopped(AutomationError):
    """A stage of an upgrade or a rollback failed. Its remedy says how to continue, and how to go back."""


@contextmanager
def without_context() -> Iterator[None]:
    """Remove cause and context from an AutomationError: an engine's error holds all that the engine wrote.

    `from None` alone hides it from a traceback, but not from a tool that collects errors.
    """
    try:
        yield
    except AutomationError as error:
        error.__context__ = error.__cause__ = None
        raise


def of_system(error: OSError, path: str | os.PathLike[str] | None = None) -> FileUnusable:
    """Return the error for what the system refused.

    Args:
        error: What the system said.
        path: The file or folder that was meant, in place of the one that the system names.
    """
    named = path or error.filename
    name = f"{named}: " if named else ""
    place = named or "FILE"
    return FileUnusable(
        f"{name}{error.strerror or type(error).__name__}",
        _SYSTEM.get(error.errno or 0, "ls -ld {place} shows what it is").format(place=place),
    )


@contextmanager
def files_told(path: str | os.PathLike[str] | None = None) -> Iterator[None]:
    """Turn what the system refuses, and a file that is no text, into FileUnusable. path: as for `of_system`."""
    try:
        yield
    except OSError as error:
        raise of_system(error, path) from None
    except UnicodeDecodeError:
        # Its repr holds the whole file.
        raise FileUnusable(
            f"{path or 'a file'}: expected text in UTF-8, found something else", "name another file"
        ) from None


def from_text(kind: type[AutomationError], text: str) -> AutomationError:
    """Return an error for a text of the program that may end with its remedy."""
    what, _, remedy = text.partition(FIX)
    return kind(what, remedy or "correct that, and run it again")
