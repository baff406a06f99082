"""A value that must not be printed, and its conversion to a secret Pulumi output."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, final

import pulumi


@final
class Secret:
    """A secret read from config. `repr`, `str` and f-strings show `[secret]`; `reveal()` returns the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for validation and for `secret_output`, never for a message or a log."""
        return self._value

    def __repr__(self) -> str:
        return "[secret]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


SecretInput = Secret | pulumi.Output[str]
"""A secret argument of a component: a value from config, or another resource's secret output."""


def secret_output(value: SecretInput) -> pulumi.Output[str]:
    """Return `value` as an Output that Pulumi encrypts in the state and masks on the screen."""
    return pulumi.Output.secret(value.reveal() if isinstance(value, Secret) else value)


def secrets_of(value: Any) -> Iterator[str]:
    """Yield every secret in a value: in the fields of dataclasses, in maps, lists and tuples, at any depth."""
    if isinstance(value, Secret):
        yield value.reveal()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            yield from secrets_of(getattr(value, item.name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from secrets_of(inner)
    elif isinstance(value, list | tuple | frozenset | set):
        for inner in value:
            yield from secrets_of(inner)
