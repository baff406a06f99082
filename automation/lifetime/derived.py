"""The config of a stack that is made like another one: which values it takes over, and which differ. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from automation.stacks.config_text import with_values
from components.secrets.shapes import harmless
from settings import PROJECT, SECRET_KEYS
from settings.declared import KEYS
from settings.rotation import ROTATED

HEADER: Final = "# Made by `python -m automation spawn`, anew at each run. Do not commit it.\n"
_SCALARS: Final = ("string", "integer", "boolean")
_UNDER_WAY: Final = ("rotation", "restore", "upgrade")
"""Marks of verbs that have begun, and have not ended."""
_GIVEN: Final = frozenset({"gitSshPrivateKey", "registryCredentials", "databaseCaCertificate"})
OWN_KEYS: Final = frozenset(ROTATED.values()) - _GIVEN
"""Keys that a stack keeps once it has them: its database and its pods need them. Others come from outside."""
_OF_ITS_DATABASE: Final = "databaseLogin"
"""Encrypted key whose value only the other stack's database accepts. A new one has its owner's password."""
_ALONE: Final = {
    "keyEscrow": "the keys of both would be in one secret",
    "ingressHost": "one host cannot lead to both",
    "taskLogsUrl": "the logs of one would overwrite those of the other",
}
"""Keys whose value only one stack may have, because it names something outside of the namespace."""


def own_values(stack: str, given: Mapping[str, str], like_host: str = "") -> dict[str, str]:
    """Return the values, by short key, in which a stack differs from the one that it is made like.

    Args:
        stack: The stack, which names its namespace and its host too.
        given: Values that were asked for, which win.
        like_host: Host of the other stack's UI; "" if it has none.
    """
    _, dot, domain = like_host.partition(".")
    host = {"ingressHost": f"{stack}.{domain}"} if dot else {}
    return {"namespace": stack, "protect": "false", **host, **given}


def derived_text(like_text: str, values: Mapping[str, str], encrypted: Collection[str] = ()) -> str:
    """Return the file of a stack that is made like another. Encrypted values, and what decrypts them, stay.

    The login of the other stack's database does not. Raises FileInvalid.

    Args:
        like_text: The other stack's file.
        values: What is the new stack's own, by short key.
        encrypted: Full keys of the values that are encrypted in the file.
    """
    gone = {_OF_ITS_DATABASE: ""} if f"{PROJECT}:{_OF_ITS_DATABASE}" in encrypted else {}
    return HEADER + with_values(like_text, {**values, **gone}).removeprefix(HEADER)


def problems(like: str, like_config: Mapping[str, str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return why a stack cannot be made like another, each with its remedy.

    Args:
        like: The other stack.
        like_config: Its config, as the engine gives it: texts by full key, with the defaults, and
            any text for an encrypted value.
        values: What is the new stack's own, by short key.
    """
    found = [text for key in values if (text := _not_settable(key))]
    found = found or [text for key, value in values.items() if (text := _not_valid(key, value))]
    if found:
        return tuple(found)

    def of_like(key: str) -> str:
        return like_config.get(f"{PROJECT}:{key}", "")

    def problem(key: str, what: str, fix: str) -> None:
        found.append(f"{PROJECT}:{key}: {what}. Fix: {fix}")

    another = "name another stack with --like"
    if of_like("protect") != "false":
        problem("protect", f"expected false in {like}, because what is made like it is thrown away", another)
    found += unfinished(like, like_config)
    database = values.get("database", of_like("database"))
    if database != "container":
        problem("database", f"expected container, so that each stack has its own, found {database}", another)
    if of_like("brokerUrl"):
        problem(
            "brokerUrl",
            f"expected none in {like}, because workers of one stack would take the tasks of the other, found one",
            another,
        )
    for key, why in {**_ALONE, "namespace": "each owns all that is in it"}.items():
        value = values.get(key, of_like(key))
        if value and value == of_like(key):
            problem(key, f"expected another value than in {like}, because {why}", f"--set {key}=VALUE")
    if values.get("protect") != "false":
        problem("protect", "expected false in a stack that expires", "leave it out of --set")
    return tuple(found)


def unfinished(stack: str, config: Mapping[str, object]) -> tuple[str, ...]:
    """Return which verbs of a stack have begun and have not ended, each with its remedy. config: by full key."""
    marks = {f"{PROJECT}:{key}": config.get(f"{PROJECT}:{key}") for key in _UNDER_WAY}
    return tuple(
        f"{key}: expected nothing under way in {stack}, found {harmless(str(mark))}. Fix: finish it in {stack}"
        for key, mark in marks.items()
        if mark
    )


def _not_settable(key: str) -> str:
    full = f"{PROJECT}:{key}"
    if key not in KEYS:
        return f"{full}: is not a config key. Fix: see docs/configuration.md"
    if key in SECRET_KEYS:
        return f"{full}: expected no secret among arguments. Fix: set it in the stack that --like names"
    if KEYS[key].type not in _SCALARS:
        return f"{full}: expected a key of one value. Fix: set it in the stack that --like names"
    return ""


def _not_valid(key: str, value: str) -> str:
    try:
        KEYS[key].parse(value)
    except ValueError as error:
        return f"{PROJECT}:{key}: {error}. Fix: --set {key}=VALUE"
    return ""
