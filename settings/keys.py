"""What the declaration of a config key says: its type, default, bounds, description and secrecy.

A section declares the keys of one subject (see `settings/sections/`):

    SECTION = Section("Images")
    IMAGE_TAG = SECTION.text("imageTag", image_tag, default="3.2.2", description="Tag of the Airflow image.")

`config[IMAGE_TAG]` is then the checked value (see `reading.py`). The schema in Pulumi.yaml and docs/configuration.md
are generated from the declarations (see `generate.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from components import fields
from components.kube.secret import Secret

PROJECT: Final = "airflow"
"""Name of the Pulumi project, which is the namespace of its config keys."""

_QUOTABLE: Final = re.compile(r"[\w .:/=+@-]{1,200}")
"""Names of entries that a command may hold in quotes."""

NO_ENTRY: Final = "is not an entry"
"""How the problem of an entry begins that must be taken out."""
_SETTABLE: Final = re.compile(r"[A-Za-z]+(\[[0-9]+\])?")
"""Paths in a map that a command may set to one value."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_Enum = TypeVar("_Enum", bound=StrEnum)


class RefusedError(ValueError):
    """Problems of a value that has several parts, each with its own fix."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(text for text, _ in problems))


class EntryError(ValueError):
    """Problems of an entry in a list of maps, by their paths in it."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{path}: {text}" for path, text in problems.items()))


@dataclass(frozen=True, eq=False)
class Key(Generic[T_co]):
    """The declaration of one config key whose checked value is a T_co."""

    name: str
    """Name without the project, such as `imageTag`."""
    type: str
    """Type in Pulumi.yaml: string, integer, boolean, array or object."""
    default: Any
    """Default in Pulumi.yaml, as JSON has it."""
    description: str
    """Description in Pulumi.yaml and docs/configuration.md, without the word that marks a secret."""
    parse: Callable[[str], T_co]
    """Makes the value from the text that the engine gives. Raises ValueError with what was expected and found."""
    fallback: T_co
    """Stands in for a bad value until all problems are reported."""
    file: str = ""
    """What commands call the file that a value of several lines is read from, or ""."""
    secret: bool = False
    """Whether the value must be stored encrypted and is never shown."""
    plain_unless: Key[bool] | None = None
    """For a secret: plain text is accepted while this key is false."""
    unread: Any = None
    """For a secret: stands in for an encrypted value where nobody can read it."""
    items: str = "string"
    """Type of the items of an array in Pulumi.yaml."""

    @property
    def full(self) -> str:
        """Name with the project, such as `airflow:imageTag`."""
        return f"{PROJECT}:{self.name}"

    @property
    def full_description(self) -> str:
        """The description, with the word that marks a secret."""
        if not self.secret:
            return self.description
        exception = f", but plain text is accepted where {self.plain_unless.name} is false" if self.plain_unless else ""
        return f"Secret{exception}. {self.description}"


class Section:
    """The config keys of one subject, in their order in Pulumi.yaml. Each method declares one key."""

    def __init__(self, title: str, note: str = "") -> None:
        self.title, self.note = title, note
        self.keys: list[Key[Any]] = []

    def text(self, name: str, check: Callable[[str], str], *, default: str, description: str) -> Key[str]:
        """A text that `check` accepts. It must not be empty."""
        return self._declared(Key(name, "string", default, description, _required(check), ""))

    def parsed(self, name: str, check: Callable[[str], T], *, default: str, description: str) -> Key[T | None]:
        """A text that `check` makes a T of. It must not be empty. The value is None only while it is bad."""
        return self._declared(Key(name, "string", default, description, _required(check), None))

    def optional(self, name: str, check: Callable[[str], T], *, description: str, file: str = "") -> Key[T | None]:
        """A text that `check` turns into a T, or None if the key is empty."""

        def parse(text: str) -> T | None:
            return check(text) if text else None

        return self._declared(Key(name, "string", "", description, parse, None, file=file))

    def mark(self, name: str, check: Callable[[str], T], *, description: str) -> Key[T | None]:
        """What a verb of several stages writes about itself, or None. A person corrects a bad one by removing it."""

        def read(text: str) -> T:
            try:
                return check(text)
            except ValueError as error:
                fix = f"take the committed Pulumi.STACK.yaml, or pulumi config rm {PROJECT}:{name}"
                raise RefusedError((str(error), fix)) from None

        return self.optional(name, read, description=description)

    def secret(
        self,
        name: str,
        check: Callable[[str], str],
        *,
        description: str,
        file: str = "",
        plain_unless: Key[bool] | None = None,
    ) -> Key[Secret | None]:
        """A secret that `check` accepts, or None where the key is empty. Messages of `check` must not show it."""

        def parse(text: str) -> Secret | None:
            return Secret(check(text)) if text else None

        return self._declared(
            Key(
                name,
                "string",
                "",
                description,
                parse,
                None,
                file=file,
                secret=True,
                plain_unless=plain_unless,
                unread=Secret(""),
            )
        )

    def secret_map(
        self,
        name: str,
        check: Callable[[str, Any], Secret],
        problems_of: Callable[[Mapping[str, Any]], Mapping[str, str]],
        *,
        description: str,
    ) -> Key[Mapping[str, Secret]]:
        """A map of secrets. `check` makes each of them from its name and value, and `problems_of` judges the names.

        Messages of `check` must not show a value.
        """

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
                            f"pulumi config set --secret --path '{PROJECT}:{name}[\"{entry}\"]'"
                            if _quotable(entry)
                            else f"edit {PROJECT}:{name} in Pulumi.STACK.yaml",
                        )
                        for entry, problem in wrong.items()
                    )
                )
            return values

        return self._declared(Key(name, "object", {}, description, parse, {}, secret=True, unread={}))

    def integer(self, name: str, least: int, most: int, *, default: int, description: str) -> Key[int]:
        """A whole number from `least` to `most`. The description may name the bounds as {least} and {most}."""

        def parse(text: str) -> int:
            if not re.fullmatch(r"-?[0-9]{1,18}", text) or not least <= int(text) <= most:
                fields.refuse(f"expected a whole number from {least} to {most}, found {fields.shown(text)}")
            return int(text)

        description = description.format(least=least, most=most)
        return self._declared(Key(name, "integer", default, description, parse, least))

    def boolean(self, name: str, *, default: bool, description: str) -> Key[bool]:
        """True or false."""

        def parse(text: str) -> bool:
            if text not in ("true", "false"):
                fields.refuse(f"expected true or false, found {fields.shown(text)}")
            return text == "true"

        return self._declared(Key(name, "boolean", default, description, parse, False))

    def choice(self, name: str, kind: type[_Enum], *, default: _Enum, description: str) -> Key[_Enum]:
        """One of the values of `kind`. The description may list them as {choices}."""
        *others, last = kind
        description = description.format(choices=f"{', '.join(others)} or {last}")
        return self._declared(Key(name, "string", default.value, description, one_of(kind), next(iter(kind))))

    def texts(
        self,
        name: str,
        check: Callable[[str], str],
        *,
        description: str,
        default: Sequence[str] = (),
        check_all: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> Key[tuple[str, ...]]:
        """A list of texts, each of which `check` accepts, and `check_all` all of them."""

        def parse(text: str) -> tuple[str, ...]:
            values, problems = [], []
            for index, item in enumerate(_json(text, list, "a list of texts")):
                try:
                    if not isinstance(item, str):
                        fields.refuse(f"expected texts, found {fields.shown(item)}")
                    values.append(check(item))
                except ValueError as error:
                    problems.append((str(error), f"pulumi config set --path '{PROJECT}:{name}[{index}]' VALUE"))
            if problems:
                raise RefusedError(*problems)
            check_all(values)
            return tuple(values)

        return self._declared(Key(name, "array", [*default], description, parse, ()))

    def entries(self, name: str, check: Callable[[Mapping[str, Any]], T], *, description: str) -> Key[tuple[T, ...]]:
        """A list of maps, each of which `check` turns into a T. An EntryError of `check` names several problems."""

        def parse(text: str) -> tuple[T, ...]:
            values, problems = [], []
            for index, item in enumerate(_json(text, list, "a list of maps")):
                try:
                    if not isinstance(item, dict):
                        fields.refuse(f"expected a map, found {fields.shown(item)}")
                    values.append(check(item))
                except EntryError as error:
                    for path, text_ in error.problems.items():
                        unknown = text_.startswith(NO_ENTRY)
                        place = f"--path '{PROJECT}:{name}[{index}].{path}'"
                        fix = f"pulumi config rm {place}" if unknown else f"pulumi config set {place} VALUE"
                        edit = f"edit {PROJECT}:{name} in Pulumi.STACK.yaml"
                        problems.append((f"[{index}].{path}: {text_}", fix if _SETTABLE.fullmatch(path) else edit))
                except ValueError as error:
                    problems.append((f"entry {index}: {error}", f"edit {PROJECT}:{name} in Pulumi.STACK.yaml"))
            if problems:
                raise RefusedError(*problems)
            return tuple(values)

        return self._declared(Key(name, "array", [], description, parse, (), items="object"))

    def mapping(self, name: str, *, description: str) -> Key[Mapping[str, Any]]:
        """A map of anything."""

        def parse(text: str) -> Mapping[str, Any]:
            return _json(text, dict, "a map")

        return self._declared(Key(name, "object", {}, description, parse, {}))

    def text_map(
        self,
        name: str,
        *,
        description: str,
        problems_of: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda _: {},
    ) -> Key[Mapping[str, str]]:
        """A map of texts. `problems_of` returns what is wrong with each entry, or by "" with all of them."""

        def parse(text: str) -> Mapping[str, str]:
            found = _json(text, dict, "a map")
            problems = [
                (
                    f"expected texts, found {fields.shown({entry: value})}",
                    f"pulumi config set --path '{PROJECT}:{name}[\"{entry}\"]' --type string VALUE",
                )
                for entry, value in found.items()
                if not isinstance(value, str)
            ]
            if not problems:
                problems = [
                    (
                        problem,
                        f"pulumi config rm --path '{PROJECT}:{name}[\"{entry}\"]'"
                        if _quotable(entry)
                        else f"edit {PROJECT}:{name} in Pulumi.STACK.yaml",
                    )
                    for entry, problem in problems_of(found).items()
                ]
            if problems:
                raise RefusedError(*problems)
            return found

        return self._declared(Key(name, "object", {}, description, parse, {}))

    def _declared(self, key: Key[T]) -> Key[T]:
        self.keys.append(key)
        return key


def _quotable(entry: str) -> bool:
    """Tell whether a command may name an entry of a map, as a message may."""
    return bool(_QUOTABLE.fullmatch(entry)) and fields.shown(entry) == json.dumps(entry)


def one_of(kind: type[_Enum]) -> Callable[[str], _Enum]:
    """Return a parser that turns a text into a member of `kind`."""

    def parse(text: str) -> _Enum:
        try:
            return kind(text)
        except ValueError:
            # In quotes, because one of them may have a comma in it.
            fields.refuse(f"expected one of {', '.join(map(json.dumps, kind))}, found {fields.shown(text)}")

    return parse


def _required(check: Callable[[str], T]) -> Callable[[str], T]:
    def parse(text: str) -> T:
        return check(text) if text else fields.refuse("expected a value, found none")

    return parse


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
