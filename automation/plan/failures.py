"""Why a program could not be planned, as one text that is the same on every machine and shows no secret.

This module imports no other module of the program, because any of them may be the cause.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

from automation.plan.model import Failure, FailureKind
from components.secrets.masker import Masker

_LENGTH: Final = 4000
_SETTINGS_LENGTH: Final = 40_000
"""The one error about a config lists everything that is wrong with it, and bounds itself by a number of problems."""
_OURS: Final = ("automation/plan/",)


def failure_of(error: BaseException, project: Path, masker: Masker) -> Failure:
    """Return what an exception says and where it was raised; an error that is written for people is its text alone."""
    kind, text = _described(error, project)
    text = masker.text(text.replace(f"{project}/", ""))
    most = _SETTINGS_LENGTH if kind is FailureKind.SETTINGS else _LENGTH
    return Failure(kind=kind, text=text if len(text) <= most else f"{text[:most]}…")


def _described(error: BaseException, project: Path) -> tuple[FailureKind, str]:
    if isinstance(error, SyntaxError):
        # Not the line itself: it may hold anything.
        return FailureKind.SYNTAX, f"{_relative(error.filename or '', project)}:{error.lineno or 0}: {error.msg}"
    # By name: the classes are the program's own.
    names = {base.__name__ for base in type(error).__mro__}
    if "RunError" in names:
        return FailureKind.SETTINGS if "SettingsError" in names else FailureKind.PROGRAM, str(error)
    places = [(_relative(frame.filename, project), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    own = [f"{name}:{line}: " for name, line in places if "/.venv/" not in name and not name.startswith((*_OURS, "/"))]
    return FailureKind.PROGRAM, f"{own[-1] if own else ''}{type(error).__name__}: {error}"


def _relative(filename: str, project: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(project)) if path.is_relative_to(project) else str(path)
