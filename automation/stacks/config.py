"""The config of a stack as a value: what a service gives in place of a file `Pulumi.STACK.yaml`.

It is checked by the very function that the program reads its config with (`settings.parse`), on the very texts that the
engine will give it. So what is valid here is valid there, and nothing that is not valid reaches an engine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import settings
from automation.errors import SettingsInvalid
from automation.stacks.backend import read_yaml
from components.kube.secret import Secret
from settings import PROJECT, SECRET_KEYS

PROJECT_DIR: Final = Path(settings.__file__).resolve().parents[1]
_ENGINE_KEYS: Final = {"pulumi:disable-default-providers": ["kubernetes", "aws"]}
"""Every stack's: no provider with a cluster or an account that nobody named."""


@dataclass(frozen=True)
class EnvironmentSettings:
    """A valid config, by key without `airflow:`; made by `of`. Keys that are not there have the project's default.

    values: what is not secret: texts, numbers, booleans, lists and maps. secrets: the rest.
    checked: the object that the program makes of it. name: of the stack.
    """

    name: str
    values: Mapping[str, Any]
    secrets: Mapping[str, Secret]
    checked: settings.Settings = field(repr=False, compare=False)
    _texts: Mapping[str, str] = field(repr=False, compare=False)
    _project_dir: Path = field(repr=False, compare=False)

    @staticmethod
    def of(name: str, values: Mapping[str, Any], project_dir: Path = PROJECT_DIR) -> EnvironmentSettings:
        """name: of the stack. values: by key; that of a secret key is a `Secret`, and no other is.

        Raises SettingsInvalid with every problem.
        """
        schema = read_yaml(project_dir / "Pulumi.yaml").get("config") or {}
        wrong = [_misplaced(key, value, schema) for key, value in sorted(values.items(), key=lambda item: str(item[0]))]
        if any(wrong):
            raise SettingsInvalid(name, tuple(problem for problem in wrong if problem))
        secrets = {key: value for key, value in values.items() if isinstance(value, Secret)}
        plain = {key: value for key, value in values.items() if key not in secrets}
        defaults = {key: entry["default"] for key, entry in schema.items() if "default" in entry}
        texts = {f"{PROJECT}:{key}": as_config(value) for key, value in {**defaults, **plain}.items()}
        revealed = {f"{PROJECT}:{key}": secret.reveal() for key, secret in secrets.items()}
        try:
            checked = settings.parse({**texts, **revealed}, revealed, name)
        except settings.SettingsError as error:
            raise SettingsInvalid(name, error.problems) from None
        return EnvironmentSettings(
            name=name,
            values=MappingProxyType(json.loads(json.dumps(plain))),  # a copy that its owner cannot change
            secrets=MappingProxyType(dict(secrets)),
            checked=checked,
            _texts=MappingProxyType(texts),
            _project_dir=project_dir,
        )

    def changed(self, **values: Any) -> EnvironmentSettings:
        """The same with other values; None takes a key out. Raises SettingsInvalid."""
        together = {**self.values, **self.secrets, **values}
        given = {key: value for key, value in together.items() if value is not None}
        return self.of(self.name, given, self._project_dir)

    def texts(self) -> dict[str, str]:
        """The config with the project's defaults as the engine gives it to the program, secrets left out."""
        return dict(self._texts)

    def file_config(self) -> dict[str, Any]:
        """The map `config` of the stack's file, without secrets: the engine encrypts those into it."""
        return {**{f"{PROJECT}:{key}": value for key, value in self.values.items()}, **_ENGINE_KEYS}


def as_config(value: Any) -> str:
    """A value of a file as the engine gives it to a program."""
    return value if isinstance(value, str) else json.dumps(value)


def _misplaced(key: Any, value: Any, schema: Mapping[str, Any]) -> str:
    """What is wrong with the kind of a key or value, "" where it is right."""
    full, found = f"{PROJECT}:{key}", type(value).__name__
    if not isinstance(key, str):
        return f"{full}: expected a key that is a str, found {type(key).__name__}. Fix: give the name of a key"
    if value is None:
        return f'{full}: expected a value, found none (an empty text is ""). Fix: give one, or leave the key out'
    if isinstance(value, Secret):
        if key not in SECRET_KEYS:
            return f"{full}: expected no Secret. Fix: give the plain value"
        found = type(value.reveal()).__name__
        return "" if found == "str" else f"{full}: expected a Secret of a str, found one of {found}. Fix: Secret(str)"
    if key in SECRET_KEYS:
        return f"{full}: expected a Secret, found {found}. Fix: wrap it: Secret(…)"
    if schema.get(key, {}).get("type") == "string" and isinstance(value, (bool, int, float)):
        return f"{full}: expected a str, found {found}. Fix: give the text, because 3.10 is 3.1"
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return f"{full}: expected JSON, found {found}. Fix: give what JSON can say"
    except RecursionError:
        return f"{full}: expected JSON, found too many levels of {found}. Fix: give fewer"
    return ""
