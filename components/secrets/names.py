"""The names by which a secret is recognised: of Helm values, options of airflow.cfg, variables and members of JSON."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, Final

_AFTER_SEPARATOR: Final = r"secret|pass|pwd|keytab"
"""These end a secret's name after a separator only: `sshKeySecret` names a Secret, and `bypass` is a word."""
_ANYWHERE: Final = (
    r"passwords?|passwd|passphrase|token|client_?secret|jwt_?secret|(?:secret|private|access|api|fernet|ssh)_?keys?|"
    r"(?:account|shared|auth|signing)[_-]?key|(?:secret|private|access|api)-keys?|basic_?auth|"
    r"keytab_?base64_?content|client-key-data"
)
_NUMBER: Final = r"(?:[_-]?[0-9]{1,3})?"
"""A second password is PASSWORD_2."""
SECRET_NAME: Final = rf"(?:(?:[\w.-]*[_.-])?(?:{_AFTER_SEPARATOR})|[\w.-]*(?:{_ANYWHERE})){_NUMBER}"
"""A pattern of a whole name, in any case, whose value is a secret."""

_SECRET: Final = re.compile(rf"(?:(?:^|[_.-])(?:{_AFTER_SEPARATOR})|(?:{_ANYWHERE})){_NUMBER}$", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"(?:^|[_.-])dsn$", re.IGNORECASE)
"""The address of a service whose login is a part of it. No rule refuses it, but nobody needs to see it."""
_KEYS_OF_SECRETS: Final = ("statsSecretKey",)
"""Values of the Airflow chart that name a key in a Secret."""
_REFERENCE: Final = re.compile(r"\{\{|\$\(|\$\{|/|(?:true|false)?$", re.IGNORECASE)
_MAY_HOLD: Final = re.compile(
    r"(?<=[a-z])pass$|(?:^|[_.-]|(?<=[a-z]))(?:credentials|encryption_?key|connection|(?:web)?hook(?:_?url)?|dsn|"
    r"sql_alchemy_conn(?:_async)?|broker_?url|result_backend|backend_kwargs|engine_args)$",
    re.IGNORECASE,
)
"""Ends of names of addresses and arguments. Among them are the options that Airflow itself takes for sensitive.

Source: `sensitive: true` in airflow/config_templates/config.yml and in the providers' get_provider_info.
"""
_VARIABLE_MAY_HOLD: Final = re.compile(r"AIRFLOW_CONN_\w+|\w+_CONN(?:_\w+)?|\w*SECRET\w*|\w*PASSWORD\w*", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Tell whether the value of this name is a secret. A rule may refuse an update for it."""
    return name not in _KEYS_OF_SECRETS and bool(_SECRET.search(name))


def is_secret_option(argument: str) -> bool:
    """Tell whether a command's argument is an option whose value comes after it and is a secret: `--password`.

    After `--secret` comes the name of one, or nothing.
    """
    return argument.startswith("--") and argument != "--secret" and "=" not in argument and is_secret_name(argument)


def is_reference(text: str) -> bool:
    """Tell whether a text refers to a secret and holds none: a template, a variable, a path, true or false, nothing."""
    return bool(_REFERENCE.match(text))


def may_hold_secret(name: str) -> bool:
    """Tell whether the value of this name is a secret or may hold one, such as a connection."""
    return bool(_SECRET.search(name) or _MAY_HOLD.search(name))


def variable_may_hold_secret(name: str) -> bool:
    """Return the same for an environment variable, for which more names are suspicious."""
    return may_hold_secret(name) or bool(_VARIABLE_MAY_HOLD.fullmatch(name))


def secret_keys(value: Mapping[Any, Any]) -> frozenset[Any]:
    """Return the keys of a map whose values are hidden for their names; `value`, where the map is such a variable."""
    named = {key for key, item in value.items() if _is_hidden(str(key)) and _is_clear(item)}
    name = value.get("name")
    if isinstance(name, str) and _is_hidden(name) and _is_clear(value.get("value")):
        named.add("value")
    return frozenset(named)


@functools.lru_cache(maxsize=4096)  # a stack's objects have few names, and each many times
def _is_hidden(name: str) -> bool:
    return is_secret_name(name) or bool(_ADDRESS.search(name))


def _is_clear(item: Any) -> bool:
    return is_given(item) and not (isinstance(item, str) and is_reference(item))


def is_given(item: Any) -> bool:
    """Tell whether a value is a text or a number, so that it can be a secret."""
    return isinstance(item, str | int | float) and not isinstance(item, bool) and item != ""
