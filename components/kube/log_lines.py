"""Finds the line of a container's log that a person would quote, and reads it out of JSON if the log is JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_STDERR: Final = re.compile(r'stderr: "((?:[^"\\]|\\.)*)"')
"""git-sync quotes what git wrote, inside of its own line of JSON."""
_FATAL: Final = re.compile(
    r"^(?:fatal|error|ERROR|remote): *(.+)$|^(.*(?:Permission denied|verification failed).*)$", re.MULTILINE
)
_AFTERMATH: Final = re.compile(r"Could not read from remote repository|Please make sure you have the correct access")
"""Lines of git that only follow from the one before."""
_STATEMENT: Final = re.compile(r"sqlalchemy\.exc\.\w+: (\([\w.]+\) .*?)\s*(?:\(Background on this error|\Z)", re.DOTALL)
_COUNT: Final = "failCount"


def refused_statement(text: str) -> str:
    """Return what the database says of the last statement that failed, and the statement; "" if none did."""
    found = _STATEMENT.findall(text)
    return " ".join(found[-1].split()) if found else ""


def last_words(text: str) -> str:
    """Return the last line that says something.

    Of a line in JSON, it is the error or the message; of a statement that failed in the database, `refused_statement`.
    """
    statement = refused_statement(text)
    if statement:
        return statement
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    entries = [_entry(line) for line in lines]
    failed = next((entry for entry in reversed(entries) if entry and entry.get("error")), None)
    if failed is not None:
        return _git(str(failed["error"]))
    last = entries[-1]
    return str(last.get("msg") or last.get("event") or last.get("message") or lines[-1]) if last else lines[-1]


def tries(text: str) -> int:
    """Return how often git-sync has failed in a row, by the end of its log; 0 if that does not say."""
    entries = [_entry(line) for line in text.splitlines()]
    counted = [int(entry[_COUNT]) for entry in entries if entry and isinstance(entry.get(_COUNT), int)]
    return counted[-1] if counted else 0


def _git(error: str) -> str:
    """Return what git itself said in an error of git-sync; else the error."""
    quoted = _STDERR.search(error)
    if quoted is None:
        return error
    try:
        said = str(json.loads(f'"{quoted[1]}"')).replace("\r", "")
    except ValueError:  # Go quotes a few characters in its own way
        said = quoted[1].replace("\\n", "\n")
    lines = [next(filter(None, match.groups())) for match in _FATAL.finditer(said)]
    telling = [line for line in lines if not _AFTERMATH.search(line)]
    return (telling or lines or said.split("\n"))[0].strip() or error


def _entry(line: str) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
