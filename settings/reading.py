"""Reads the values of declared keys and collects every problem, so that one error can list them all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, cast

from settings.errors import problem_text, removal_of, remove_command, set_command
from settings.keys import PROJECT, ConfigKey, T
from settings.parsers import RefusedError

_MOST_UNKNOWN: Final = 20
"""Unknown keys that one error lists: a search for the name that was meant takes its time for each."""
_MOST_NAME: Final = 100
_AUTONAMING: Final = "pulumi:autonaming"
"""The engine's own key that gives resources other names (pulumi.com/docs/iac/concepts/resources/names)."""


class Config:
    """A stack's config. `config[KEY]` is the checked value of a declared key; its problems are in `problems`."""

    problems: list[str]
    """The text of every problem so far."""

    def __init__(
        self,
        texts: Mapping[str, str],
        secret_keys: Iterable[str],
        stack: str,
        *,
        unread: Iterable[str] = (),
        known: Mapping[str, str] | None = None,
    ) -> None:
        """Take the config as the engine gives it.

        Args:
            texts: Text of each value, by full key.
            secret_keys: Full keys that are stored encrypted.
            stack: Name of the stack, for the commands in problems.
            unread: Full keys whose encrypted value is not known. Such a secret counts as given.
            known: Problems that were found earlier, by full key.
        """
        prefix = f"{PROJECT}:"
        known = known or {}
        self._texts = {key.removeprefix(prefix): text for key, text in texts.items() if key.startswith(prefix)}
        self._encrypted = {key.removeprefix(prefix) for key in secret_keys}
        self._unread = {key.removeprefix(prefix) for key in unread}
        self._bad = {key.removeprefix(prefix) for key in known}
        self._renamed = _AUTONAMING in texts
        self._values: dict[str, Any] = {}
        self._stack = stack
        self.problems = [*known.values()]

    def __getitem__(self, key: ConfigKey[T]) -> T:
        """Return the value of `key`, or its fallback where a problem of it is noted."""
        return self._value(key)

    def read_all(self, keys: Iterable[ConfigKey[Any]]) -> None:
        """Note the problems of single values. Called first, so that they come first and in the order of the keys."""
        for key in keys:
            self._value(key)

    def problem(self, key: ConfigKey[Any], text: str, fix: str = "", *, one_of_many: bool = False) -> None:
        """Note a problem of `key`.

        Only the first problem of a key is kept, because the others follow from it.

        Args:
            key: The key that a person would change.
            text: What was expected, and what was found. Never a secret.
            fix: What solves it. "" is the command that sets the key.
            one_of_many: Keep it even if the key has a problem already, for a list or map.
        """
        if not self.bad(key) or one_of_many:
            self._bad.add(key.name)
            fix = fix or set_command(key.full, key)
            self.problems.append(problem_text(self._stack, key.full, text, fix))

    def must_not_be_set(self, key: ConfigKey[Any], when: str, *, instead: str = "") -> None:
        """Note that a key is set that has no effect. when: such as `without airflow:ingressHost`.

        instead: another fix, beside taking the key out.
        """
        self.problem(key, f"must not be set {when}", f"{remove_command(key)}{instead and f', or {instead}'}")

    def refuse_set(self, keys: Iterable[ConfigKey[Any]], when: str, *, instead: str = "") -> None:
        """Note each of the keys that is set although it has no effect. when, instead: see `must_not_be_set`."""
        for key in keys:
            if self[key]:
                self.must_not_be_set(key, when, instead=instead)

    def given(self, key: ConfigKey[Any]) -> bool:
        """Whether a stack sets a key to something else than its default."""
        default = key.default_text
        return key.name in self._encrypted or self._texts.get(key.name, default) != default

    def bad(self, *keys: ConfigKey[Any]) -> bool:
        """Whether one of the keys has a problem. What follows from a bad value is not reported."""
        return bool(self._bad) and any(key.name in self._bad for key in keys)

    def refuse_unknown(self, known: Iterable[str], of_chart: Collection[str] = ()) -> None:
        """Note a problem for every key whose name is not in `known`. of_chart: names of the chart's values."""
        if self._renamed:
            text = (
                "expected none, because what keeps tasks from the stack's Secrets and volumes knows them by their names"
            )
            self.problems.append(problem_text(self._stack, _AUTONAMING, f"{text}, found one", removal_of(_AUTONAMING)))
        known = list(known)
        unknown = sorted(self._texts.keys() - set(known))
        for name in unknown[:_MOST_UNKNOWN]:
            close = difflib.get_close_matches(name[:_MOST_NAME], known, n=1)
            hint = f"; did you mean {PROJECT}:{close[0]}?" if close else ""
            if name in of_chart:
                hint = f"; the chart has such a value: write it in {PROJECT}:helmValues"
            full = f"{PROJECT}:{name}" if len(name) <= _MOST_NAME else f"{PROJECT}:{name[:_MOST_NAME]}…"
            text = f"is not a key of this project{hint}"
            self.problems.append(problem_text(self._stack, full, text, removal_of(full)))
        more = len(unknown) - _MOST_UNKNOWN
        if more > 0:
            text = f"is not a key of this project, as are {more} others that are not listed"
            full = f"{PROJECT}:{unknown[_MOST_UNKNOWN][:_MOST_NAME]}"
            self.problems.append(problem_text(self._stack, full, text, "take them out of Pulumi.STACK.yaml"))

    def _value(self, key: ConfigKey[T]) -> T:
        if key.name not in self._values:
            self._values[key.name] = self._read(key)
        return cast(T, self._values[key.name])

    def _read(self, key: ConfigKey[T]) -> T:
        if key.name in self._unread and key.secret:
            return cast(T, key.unread)
        if key.name not in self._texts:
            self.problem(key, "expected a value, found none: Pulumi.yaml of this project holds the defaults")
        elif key.name in self._encrypted and not key.secret:
            # Nothing downstream would keep it secret, messages included.
            text = "expected plain text, which is not kept secret, found an encrypted value"
            self.problem(key, text, set_command(key.full, key, "--plaintext "))
        elif key.secret and not self._may_hold_secret(key):
            text = "expected an encrypted value, found plain text: treat it as disclosed and choose another"
            self.problem(key, text)
        if self.bad(key):
            return key.fallback
        # No exception is chained to another, because the text of an error must not hold a secret.
        try:
            return key.value(self._texts[key.name])
        except RefusedError as error:
            for text, fix in error.problems:
                self.problem(key, text, fix, one_of_many=True)
        except ValueError as error:
            self.problem(key, str(error))
        return key.fallback

    def _may_hold_secret(self, key: ConfigKey[Any]) -> bool:
        """Whether the value of a secret key is encrypted, empty, or allowed as plain text."""
        plain_allowed = key.plain_unless is not None and not self._value(key.plain_unless)
        return key.name in self._encrypted or self._texts[key.name] in ("", "{}") or plain_allowed
