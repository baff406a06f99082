"""Makes the value of a config key from the text that the engine gives.

A parser raises ValueError with what was expected and found, or a RefusedError where each part has a fix of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, TypeVar

from components.kube.secret import Secret
from components.texts import fields

NO_ENTRY: Final = "is not an entry"
"""How the problem of an entry begins that must be taken out."""
_QUOTABLE: Final = re.compile(r"[\w .:/=+@-]{1,200}")
"""Names of entries that a command may hold in quotes."""
_SETTABLE: Final = re.compile(r"[A-Za-z]+(\[[0-9]+\])?")
"""Paths in a map that a command may set to one value."""

T = TypeVar("T")
_Enum = TypeVar("_Enum", bound=StrEnum)
_Problem = tuple[str, str]
"""What is wrong, and its fix."""


class RefusedError(ValueError):
    """Problems of a value that has several parts, each with its own fix."""

    def __init__(self, *problems: _Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(text for text, _ in problems))


class EntryError(ValueError):
    """Problems of an entry in a list of maps, by their paths in it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems.items()))


def required(check: Callable[[str], T]) -> Callable[[str], T]:
    """Return a parser of a text that must not be empty."""
    return lambda text: check(text) if text else fields.refuse("expected a value, found none")


def optional(check: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a parser of a text that may be empty, which is None."""
    return lambda text: check(text) if text else None


def integer(least: int, most: int) -> Callable[[str], int]:
    """Return a parser of a whole number."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
            fields.refuse(f"expected a whole number from {least} to {most}, found {fields.shown(text)}")
        return int(text)

    return parse


def boolean(text: str) -> bool:
    """Parse true or false."""
    if text not in ("true", "false"):
        fields.refuse(f"expected true or false, found {fields.shown(text)}")
    return text == "true"


def one_of(kind: type[_Enum]) -> Callable[[str], _Enum]:
    """Return a parser that turns a text into a member of `kind`."""

    def parse(text: str) -> _Enum:
        try:
            return kind(text)
        except ValueError:
            # In quotes, because one of them may have a comma in it.
            fields.refuse(f"expected one of {', '.join(map(json.dumps, kind))}, found {fields.shown(text)}")

    return parse


def texts(
    full: str, check: Callable[[str], str], check_all: Callable[[Sequence[str]], None]
) -> Callable[[str], tuple[str, ...]]:
    """Return a parser of a list of texts. full: The key with the project."""

    def checked(item: Any) -> str:
        return check(item) if isinstance(item, str) else fields.refuse(f"expected texts, found {fields.shown(item)}")

    def problems(index: int, error: ValueError) -> list[_Problem]:
        return [(str(error), f"pulumi config set --path '{full}[{index}]' VALUE")]

    def parse(text: str) -> tuple[str, ...]:
        values = _each(_json(text, list, "a list of texts"), checked, problems)
        check_all(values)
        return values

    return parse


def entries(full: str, check: Callable[[Mapping[str, Any]], T]) -> Callable[[str], tuple[T, ...]]:
    """Return a parser of a list of maps. full: The key with the project."""
    edit = f"edit {full} in Pulumi.STACK.yaml"

    def checked(item: Any) -> T:
        return check(item) if isinstance(item, dict) else fields.refuse(f"expected a map, found {fields.shown(item)}")

    def fix(index: int, path: str, problem: str) -> str:
        if not _SETTABLE.fullmatch(path):
            return edit
        place = f"--path '{full}[{index}].{path}'"
        return f"pulumi config rm {place}" if problem.startswith(NO_ENTRY) else f"pulumi config set {place} VALUE"

    def problems(index: int, error: ValueError) -> list[_Problem]:
        if not isinstance(error, EntryError):
            return [(f"entry {index}: {error}", edit)]
        return [(f"[{index}].{path}: {text}", fix(index, path, text)) for path, text in error.problems.items()]

    return lambda text: _each(_json(text, list, "a list of maps"), checked, problems)


def mapping(text: str) -> Mapping[str, Any]:
    """Parse a map of anything."""
    return _json(text, dict, "a map")


def text_map(
    full: str, problems_of: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> Callable[[str], Mapping[str, str]]:
    """Return a parser of a map of texts. full: The key with the project."""

    def parse(text: str) -> Mapping[str, str]:
        found = _json(text, dict, "a map")
        problems = [
            (
                f"expected texts, found {fields.shown({entry: value})}",
                f"pulumi config set --path '{full}[\"{entry}\"]' --type string VALUE",
            )
            for entry, value in found.items()
            if not isinstance(value, str)
        ]
        if not problems:
            problems = [(problem, _entry_fix("rm", full, entry)) for entry, problem in problems_of(found).items()]
        if problems:
            raise RefusedError(*problems)
        return found

    return parse


def secret_map(
    full: str,
    check: Callable[[str, Any], Secret],
    problems_of: Callable[[Mapping[str, Any]], Mapping[str, str]],
) -> Callable[[str], Mapping[str, Secret]]:
    """Return a parser of a map of secrets. full: The key with the project."""

    def parse(text: str) -> Mapping[str, Secret]:
        found = _json(text, dict, "a map", hidden=True)
        wrong = dict(problems_of(found))
        values = {}
        for entry, value in found.items():
            try:
                values[entry] = check(entry, value)
            except ValueError as error:
                wrong.setdefault(entry, str(error))
        if wrong:
            raise RefusedError(
                *(
                    (
                        f"{entry if _quotable(entry) else 'an entry'}: {problem}",
                        _entry_fix("set --secret", full, entry),
                    )
                    for entry, problem in wrong.items()
                )
            )
        return values

    return parse


def _each(
    items: Iterable[Any], check: Callable[[Any], T], problems_of: Callable[[int, ValueError], list[_Problem]]
) -> tuple[T, ...]:
    """Return what `check` makes of each item. Raises RefusedError with the problems of all."""
    values, problems = [], []
    for index, item in enumerate(items):
        try:
            values.append(check(item))
        except ValueError as error:
            problems += problems_of(index, error)
    if problems:
        raise RefusedError(*problems)
    return tuple(values)


def _quotable(entry: str) -> bool:
    """Tell whether a command may name an entry of a map, as a message may."""
    return bool(_QUOTABLE.fullmatch(entry)) and fields.shown(entry) == json.dumps(entry)


def _entry_fix(command: str, full: str, entry: str) -> str:
    """Return a command on an entry of a map, or an edit where no command may name it."""
    if not _quotable(entry):
        return f"edit {full} in Pulumi.STACK.yaml"
    return f"pulumi config {command} --path '{full}[\"{entry}\"]'"


def _json(text: str, kind: type[T], expected: str, *, hidden: bool = False) -> T:
    shown = "another value" if hidden else fields.shown(text)
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    except RecursionError:
        found, shown = None, "too many levels"
    if not isinstance(found, kind):
        raise RefusedError((f"expected {expected}, found {shown}", f"write it in Pulumi.STACK.yaml as {expected}"))
    return found
