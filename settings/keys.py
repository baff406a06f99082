"""What the declaration of a config key says: its type, default, bounds, description and secrecy.

A section declares the keys of one subject (see `settings/sections/`):

    SECTION = Section("Images")
    IMAGE_TAG = SECTION.text("imageTag", image_tag, default="3.2.2", description="Tag of the Airflow image.")

`config[IMAGE_TAG]` is then the checked value (see `reading.py`). The schema in Pulumi.yaml and docs/configuration.md
are generated from the declarations (see `generate.py`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from components.kube.secret import Secret
from settings import parsers
from settings.parsers import RefusedError

PROJECT: Final = "airflow"
"""Name of the Pulumi project, which is the namespace of its config keys."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_Enum = TypeVar("_Enum", bound=StrEnum)


@dataclass(frozen=True, eq=False)
class ConfigKey(Generic[T_co]):
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
    """The file, as commands call it, from which a value of several lines is read, or ""."""
    secret: bool = False
    """Whether the value must be stored encrypted and is never shown."""
    plain_unless: ConfigKey[bool] | None = None
    """The key while which is false this secret may be plain text, or None."""
    unread: Any = None
    """Value of a secret that is encrypted where nobody can read it."""
    items: str = "string"
    """Type of the items of an array in Pulumi.yaml."""

    def value(self, text: str) -> T_co:
        """Make the value of a text that the engine gives. Most keys have their default, which is parsed once."""
        return self._default if text == self.default_text else self.parse(text)

    @functools.cached_property
    def default_text(self) -> str:
        """The default as the engine gives it."""
        return self.default if isinstance(self.default, str) else json.dumps(self.default)

    @functools.cached_property
    def _default(self) -> T_co:
        return self.parse(self.default_text)

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
        self.keys: list[ConfigKey[Any]] = []

    def text(self, name: str, check: Callable[[str], str], *, default: str, description: str) -> ConfigKey[str]:
        """A text that `check` accepts. It must not be empty."""
        return self._declared(ConfigKey(name, "string", default, description, parsers.required(check), ""))

    def parsed(self, name: str, check: Callable[[str], T], *, default: str, description: str) -> ConfigKey[T | None]:
        """A text that `check` makes a T of. It must not be empty. The value is None only while it is bad."""
        return self._declared(ConfigKey(name, "string", default, description, parsers.required(check), None))

    def optional(
        self, name: str, check: Callable[[str], T], *, description: str, file: str = ""
    ) -> ConfigKey[T | None]:
        """A text that `check` turns into a T, or None if the key is empty."""
        return self._declared(ConfigKey(name, "string", "", description, parsers.optional(check), None, file=file))

    def mark(self, name: str, check: Callable[[str], T], *, description: str) -> ConfigKey[T | None]:
        """A text that a verb of several stages writes about itself, or None. Remove one that cannot be read."""

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
        plain_unless: ConfigKey[bool] | None = None,
    ) -> ConfigKey[Secret | None]:
        """A secret that `check` accepts, or None where the key is empty. Messages of `check` must not show it."""
        parse = parsers.optional(lambda text: Secret(check(text)))
        return self._declared(
            ConfigKey(
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
    ) -> ConfigKey[Mapping[str, Secret]]:
        """A map of secrets. `check` makes each of them from its name and value, and `problems_of` judges the names.

        Messages of `check` must not show a value.
        """
        parse = parsers.secret_map(f"{PROJECT}:{name}", check, problems_of)
        return self._declared(ConfigKey(name, "object", {}, description, parse, {}, secret=True, unread={}))

    def integer(self, name: str, least: int, most: int, *, default: int, description: str) -> ConfigKey[int]:
        """A whole number from `least` to `most`. The description may name the bounds as {least} and {most}."""
        description = description.format(least=least, most=most)
        return self._declared(ConfigKey(name, "integer", default, description, parsers.integer(least, most), least))

    def boolean(self, name: str, *, default: bool, description: str) -> ConfigKey[bool]:
        """True or false."""
        return self._declared(ConfigKey(name, "boolean", default, description, parsers.boolean, False))

    def choice(self, name: str, kind: type[_Enum], *, default: _Enum, description: str) -> ConfigKey[_Enum]:
        """One of the values of `kind`. The description may list them as {choices}."""
        *others, last = kind
        description = description.format(choices=f"{', '.join(others)} or {last}")
        return self._declared(
            ConfigKey(name, "string", default.value, description, parsers.one_of(kind), next(iter(kind)))
        )

    def texts(
        self,
        name: str,
        check: Callable[[str], str],
        *,
        description: str,
        default: Sequence[str] = (),
        check_all: Callable[[Sequence[str]], None] = lambda _: None,
    ) -> ConfigKey[tuple[str, ...]]:
        """A list of texts, each of which `check` accepts, and `check_all` all of them."""
        parse = parsers.texts(f"{PROJECT}:{name}", check, check_all)
        return self._declared(ConfigKey(name, "array", [*default], description, parse, ()))

    def entries(
        self, name: str, check: Callable[[Mapping[str, Any]], T], *, description: str
    ) -> ConfigKey[tuple[T, ...]]:
        """A list of maps, each of which `check` turns into a T. An EntryError of `check` names several problems."""
        parse = parsers.entries(f"{PROJECT}:{name}", check)
        return self._declared(ConfigKey(name, "array", [], description, parse, (), items="object"))

    def mapping(self, name: str, *, description: str) -> ConfigKey[Mapping[str, Any]]:
        """A map of anything."""
        return self._declared(ConfigKey(name, "object", {}, description, parsers.mapping, {}))

    def text_map(
        self,
        name: str,
        *,
        description: str,
        problems_of: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda _: {},
    ) -> ConfigKey[Mapping[str, str]]:
        """A map of texts. `problems_of` returns what is wrong with each entry, or by "" with all of them."""
        return self._declared(
            ConfigKey(name, "object", {}, description, parsers.text_map(f"{PROJECT}:{name}", problems_of), {})
        )

    def _declared(self, key: ConfigKey[T]) -> ConfigKey[T]:
        self.keys.append(key)
        return key
