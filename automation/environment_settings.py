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
from automation.backend import read_yaml
from automation.errors import SettingsInvalid
from components.secret import Secret
from config_reader import PROJECT, SECRET_KEYS

PROJECT_DIR: Final = Path(settings.__file__).resolve().parent
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
        wrong = [_misplaced(key, value) for key, value in sorted(values.items())]
        if any(wrong):
            raise SettingsInvalid(name, tuple(problem for problem in wrong if problem))
        secrets = {key: value for key, value in values.items() if isinstance(value, Secret)}
        plain = {key: value for key, value in values.items() if key not in secrets}
        schema = read_yaml(project_dir / "Pulumi.yaml").get("config") or {}
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


def _misplaced(key: str, value: Any) -> str:
    """What is wrong with the kind of a value, "" where it is right."""
    if key in SECRET_KEYS and not isinstance(value, Secret):
        return f"{PROJECT}:{key}: expected a Secret, found {type(value).__name__}. Mend it: wrap it: Secret(…)"
    if isinstance(value, Secret):
        return "" if key in SECRET_KEYS else f"{PROJECT}:{key}: expected no Secret. Mend it: give the plain value"
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return f"{PROJECT}:{key}: expected JSON, found {type(value).__name__}. Mend it: give what JSON can say"
    return ""
