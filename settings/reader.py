"""Reads config keys one by one and gathers everything that is wrong, so that one error can tell it all."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

import pulumi

from components import fields
from components.kube.secret import Secret

PROJECT: Final = "airflow"
"""Name of the Pulumi project: the namespace of its config keys."""

SECRET_KEYS: Final = frozenset(
    {
        "fernetKey",
        "apiSecretKey",
        "jwtSecret",
        "redisPassword",
        "adminPassword",
        "gitSshPrivateKey",
        "dagsToken",
        "databasePassword",
        "registryCredentials",
    }
)
"""Keys whose value must be stored encrypted, and is never shown."""

_FILES: Final = {
    "gitSshPrivateKey": "KEY_FILE",
    "registryCredentials": "CONFIG_FILE",
    "databaseCaCertificate": "CA_FILE",
    "gitKnownHosts": "KNOWN_HOSTS_FILE",
}
"""Keys whose value has several lines, and what to call the file that it comes from."""

_T = TypeVar("_T")
_Enum = TypeVar("_Enum", bound=StrEnum)


class SettingsError(pulumi.RunError):
    """Everything that is wrong with a stack's config. `problems` holds one text each; none shows a secret.

    A RunError: the engine shows its text alone, without a traceback.
    """

    def __init__(self, stack: str, problems: list[str]) -> None:
        self.stack, self.problems = stack, tuple(problems)
        count = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"config of stack {stack}: {count}", *(f"  {text}" for text in problems)]))


def problem_text(stack: str, full: str, text: str, mend: str | None = None) -> str:
    """One problem of a full key; `mend` is what mends it, by default the command that sets the key.

    Commands get the stack: without it they would change the one that the shell has selected.
    """
    mend = mend or _set_command(full.removeprefix(f"{PROJECT}:"))
    commands = re.sub(r"\bpulumi config (set|rm)\b", lambda found: f"{found[0]} --stack {stack}", mend)
    return f"{full}: {text}. Fix: {commands}"


def _set_command(key: str, option: str = "") -> str:
    # Without a value the command asks for it: a secret then stands in no shell's history.
    value = f" < {_FILES[key]}" if key in _FILES else "" if key in SECRET_KEYS else " VALUE"
    option = "--secret " if key in SECRET_KEYS else option
    return f"pulumi config set {option}{PROJECT}:{key}{value}"


class Reader:
    """Reads keys one by one and gathers what is wrong.

    unread: keys whose value is encrypted and not known. known: problems that were found before, by full key.
    """

    def __init__(
        self,
        config: Mapping[str, str],
        secret_keys: set[str],
        stack: str,
        *,
        unread: Iterable[str] = (),
        known: Mapping[str, str] | None = None,
    ) -> None:
        prefix = f"{PROJECT}:"
        self._config = {key.removeprefix(prefix): value for key, value in config.items() if key.startswith(prefix)}
        self._secret_keys = {key.removeprefix(prefix) for key in secret_keys}
        self._unread = {key.removeprefix(prefix) for key in unread}
        self._read: set[str] = set()
        self._stack = stack
        self.file = f"Pulumi.{stack}.yaml"
        self._bad = {key.removeprefix(prefix) for key in known or ()}
        self.problems = [*(known or {}).values()]

    def problem(self, key: str, text: str, mend: str | None = None, *, one_of_many: bool = False) -> None:
        """Notes one problem; see `problem_text`.

        A key's first problem is its only one, because the rest follow from it; but for `one_of_many` in a list or map.
        """
        if key in self._bad and not one_of_many:
            return
        self._bad.add(key)
        self.problems.append(problem_text(self._stack, f"{PROJECT}:{key}", text, mend))

    def bad(self, key: str) -> bool:
        """Whether a problem of the key is noted: what follows from it is not worth telling too."""
        return key in self._bad

    def text(self, key: str, check: Callable[[str], _T], *, empty: bool = False) -> _T | None:
        """A text that `check` accepts, or None where the key is empty (a problem unless `empty`) or bad."""
        value = self._value(key)
        if self.bad(key):
            return None
        if not value:
            if not empty:
                self.problem(key, "expected a value, found none")
            return None
        try:
            return check(value)
        except ValueError as error:
            self.problem(key, str(error))
            return None

    def secret(self, key: str, check: Callable[[str], str], *, plain_allowed: bool = False) -> Secret | None:
        """A secret that `check` accepts, or None where the key is empty or bad. Its value is in no message."""
        value = self._value(key)
        if key in self._unread:
            return Secret("")
        if not value:
            return None
        if key not in self._secret_keys and not plain_allowed:
            self.problem(key, "expected an encrypted value, found plain text: treat it as disclosed and choose another")
            return None
        try:
            return Secret(check(value))
        except ValueError as error:
            # Not `from error`: what was found stands only in the message, and a check never puts a secret there.
            self.problem(key, str(error))
            return None

    def raw(self, key: str) -> str:
        """The text of a key that is checked where it belongs."""
        return self._config.get(key, "")

    def raw_list(self, key: str) -> bool:
        """Whether a list that is checked where it belongs has anything in it."""
        return self.raw(key) not in ("", "[]")

    def integer(self, key: str, least: int, most: int) -> int:
        value = self._value(key)
        if not re.fullmatch(r"-?[0-9]{1,18}", value) or not least <= int(value) <= most:
            self.problem(key, f"expected a whole number from {least} to {most}, found {fields.shown(value)}")
        return least if self.bad(key) else int(value)

    def boolean(self, key: str) -> bool:
        value = self._value(key)
        if value not in ("true", "false"):
            self.problem(key, f"expected true or false, found {fields.shown(value)}")
        return value == "true" and not self.bad(key)

    def choice(self, key: str, kind: type[_Enum]) -> _Enum:
        value = self._value(key)
        try:
            found = kind(value)
        except ValueError:
            # In quotes: one of them may have a comma in it.
            self.problem(key, f"expected one of {', '.join(map(json.dumps, kind))}, found {fields.shown(value)}")
        return next(iter(kind)) if self.bad(key) else found

    def texts(self, key: str, check: Callable[[str], str]) -> tuple[str, ...]:
        """A list of texts, each of which `check` accepts."""
        found = self._json(key, list, "a list of texts")
        values = []
        for index, item in enumerate(found or ()):
            try:
                values.append(
                    check(
                        item if isinstance(item, str) else fields.refuse(f"expected texts, found {fields.shown(item)}")
                    )
                )
            except ValueError as error:
                mend = f"pulumi config set --path '{PROJECT}:{key}[{index}]' VALUE"
                self.problem(key, str(error), mend, one_of_many=True)
        return tuple(values)

    def networks(self, key: str) -> tuple[str, ...]:
        """A list of networks, each with the length of its prefix: an address alone is a network that nobody meant."""
        return self.texts(key, _network)

    def mapping(self, key: str) -> dict[str, Any]:
        return self._json(key, dict, "a map") or {}

    def text_map(self, key: str) -> dict[str, str]:
        """A map of texts."""
        found = self.mapping(key)
        for name, value in found.items():
            if not isinstance(value, str):
                mend = f"pulumi config set --path '{PROJECT}:{key}[\"{name}\"]' --type string VALUE"
                self.problem(key, f"expected texts, found {fields.shown({name: value})}", mend)
        return found

    def finish(self) -> None:
        """Notes every key that nothing asked for."""
        for key in sorted(self._config.keys() - self._read):
            close = difflib.get_close_matches(key, self._read, n=1)
            hint = f"; did you mean {PROJECT}:{close[0]}?" if close else ""
            self.problem(key, f"is not a key of this project{hint}", f"pulumi config rm {PROJECT}:{key}")

    def _json(self, key: str, kind: type[_T], expected: str) -> _T | None:
        value = self._value(key)
        shown = fields.shown(value)
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        except RecursionError:
            found, shown = None, "too many levels"
        if not isinstance(found, kind):
            self.problem(key, f"expected {expected}, found {shown}", f"write it in {self.file} as {expected}")
            return None
        return found

    def _value(self, key: str) -> str:
        self._read.add(key)
        if key not in self._config:
            self.problem(key, "expected a value, found none: Pulumi.yaml of this project holds the defaults")
            return ""
        if key in self._secret_keys and key not in SECRET_KEYS:
            # Nothing downstream would keep it secret, messages included.
            mend = _set_command(key, "--plaintext ")
            self.problem(key, "expected plain text, which is not kept secret, found an encrypted value", mend)
            return ""
        return self._config[key]


def _network(text: str) -> str:
    if "/" not in text:
        fields.refuse(f"expected networks with a prefix length, such as 10.0.0.0/16, found {fields.shown(text)}")
    return fields.cidr(text)
