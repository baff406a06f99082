"""Reads config from a project's files as the engine would give it to the program, for a check without an engine.

The engine gives texts: by then `3.10` without quotes is 3.1, and a key without a value is a text too. Here the file
itself is read, so a value that would arrive as another one is refused.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from settings.declared import KEYS
from settings.errors import SettingsError, problem_text, set_command
from settings.keys import PROJECT, Key

_ENGINE: Final = "pulumi"
_PROVIDERS: Final = ("aws", "kubernetes", "random")
_TOP: Final = frozenset({"config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment"})
"""Top-level keys of a stack's file (pulumi.com/docs/iac/concepts/projects/stack-settings-file)."""
_EDIT: Final = "Fix: edit it"
_FAST_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For Pulumi.yaml, which is long and generated. A stack's file is read by PyYAML's own, whose errors are known."""

# PyYAML reads these as texts, the engine's reader (gopkg.in/yaml.v3) does not.
_NUMBER: Final = re.compile(r"[-+]?(0o[0-7_]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


def read_files(project: Path, stack: str) -> tuple[dict[str, str], set[str]]:
    """Return config as the engine would give it, and the full keys that are encrypted. Their value is "".

    Raises SettingsError where a file is missing, is not YAML or not a map, or a value would arrive as another one.
    """
    config, secret_keys, problems = examine_files(project, stack)
    if problems:
        raise SettingsError(stack, [*problems.values()])
    return config, secret_keys


def examine_files(project: Path, stack: str) -> tuple[dict[str, str], set[str], dict[str, str]]:
    """Do the same, but return the problems of single keys, by full key. Such a key has its default."""
    path = project / f"Pulumi.{stack}.yaml"
    schema = _config(_read(project / "Pulumi.yaml", stack, _FAST_LOADER)[0], "Pulumi.yaml", stack)
    content, text = _read(path, stack)
    if isinstance(content, Mapping) and "config" not in content and not content.keys() <= _TOP:
        found = ", ".join(map(str, content))
        raise SettingsError(stack, [f"expected a map config in {path.name}, found at its top: {found}. {_EDIT}"])
    config = {f"{PROJECT}:{key}": _as_config(entry["default"]) for key, entry in schema.items() if "default" in entry}
    secret_keys = set()
    problems = {}
    for name, value in _config(content, path.name, stack).items():
        full = name if isinstance(name, str) and ":" in name else f"{PROJECT}:{name}"
        namespace, _, short = full.partition(":")
        key = KEYS.get(short) if namespace == PROJECT else None
        if namespace not in (PROJECT, _ENGINE):
            what = _why_unread(namespace, short)
            problems[full] = problem_text(stack, full, what, f"pulumi config rm {full}")
        elif value is None:
            what = 'expected a value, found none (an empty text is "")'
            problems[full] = problem_text(stack, full, what, set_command(full, key))
        elif holds_secure(value):
            secret_keys.add(full)
            config[full] = ""
        elif changed := _changed_on_the_way(full, value, text, key):
            what, source = changed
            # A secret in plain text is not shown either.
            shown = f": {json.dumps(source)}" if source and not (key and key.secret) else ""
            problems[full] = problem_text(stack, full, what, f"write it in quotes in {path.name}{shown}")
        else:
            config[full] = _as_config(value)
    return config, secret_keys, problems


def holds_secure(value: Any) -> bool:
    """Return whether a value of a stack's file is encrypted, or holds an encrypted one."""
    if isinstance(value, Mapping):
        return "secure" in value or any(holds_secure(item) for item in value.values())
    return isinstance(value, list) and any(holds_secure(item) for item in value)


def _why_unread(namespace: str, short: str) -> str:
    if namespace in _PROVIDERS:
        return f"has no effect: the program tells the provider {namespace} itself all that it needs"
    hint = f"; did you mean {PROJECT}:{short}?" if short in KEYS else ""
    return f"expected a key that begins with {PROJECT}: or {_ENGINE}:, found another, which nothing reads{hint}"


def _changed_on_the_way(full: str, value: Any, text: str, key: Key[Any] | None) -> tuple[str, str] | None:
    """Return what is wrong with a value, and how the file has it if that is known; None where it arrives as written.

    text: of the file. key: its declaration, if there is one.
    """
    kind = _kind(value)
    if key is not None and key.type == "string" and kind != "something else":
        # An explicit type (`!!str`) or quotes make the same a text.
        doubtful = kind or ("a date" if _DATE.fullmatch(value) else "a number" if _NUMBER.fullmatch(value) else "")
        source = _unquoted(text).get(full, "") if doubtful else ""
        if kind or source:
            return f"expected text, found {doubtful}", source
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return f"expected texts, numbers, booleans, lists or maps, found {kind}, such as a date", ""
    return None


def _kind(value: Any) -> str:
    """Return what YAML made of a value, "" for a text."""
    kinds = {str: "", bool: "a boolean", int: "a number", float: "a number"}
    return "a date" if isinstance(value, datetime.date) else kinds.get(type(value), "something else")


def _unquoted(text: str) -> dict[str, str]:
    """Return the values of a file's config that have no quotes there, as they are written, by full key."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    nodes = {key.value: node for key, node in root.value} if isinstance(root, yaml.MappingNode) else {}
    return {
        key.value if ":" in key.value else f"{PROJECT}:{key.value}": node.value
        for key, node in nodes["config"].value
        if isinstance(node, yaml.ScalarNode) and node.style is None
    }


def _read(path: Path, stack: str, loader: Any = yaml.SafeLoader) -> tuple[Any, str]:
    """Return what is in a file, and its text."""
    try:
        text = path.read_text(encoding="utf-8")
        return yaml.load(text, Loader=loader), text  # noqa: S506 - a safe loader
    except FileNotFoundError:
        problem = f"expected a file {path.name}, found none. Fix: pulumi stack init {stack}"
    except OSError as error:
        problem = f"expected a file {path.name} that can be read, found none ({error.strerror}). Fix: look at it"
    except yaml.YAMLError as error:
        # Only the place: the text of the error quotes the file, and the file may hold a secret.
        mark = getattr(error, "problem_mark", None)
        problem = f"expected YAML in {path.name}{f', line {mark.line + 1}' if mark else ''}. {_EDIT}"
    except UnicodeDecodeError:
        problem = f"expected UTF-8 in {path.name}, found something else. {_EDIT}"
    except RecursionError:
        problem = f"expected YAML in {path.name}, found too many levels of it. {_EDIT}"
    except ValueError:
        problem = f"expected YAML in {path.name}, found a date or a number that cannot be. Fix: write it in quotes"
    raise SettingsError(stack, [problem])


def _config(content: Any, name: str, stack: str) -> dict[Any, Any]:
    """Return the map `config` in the content of a file."""
    config = content.get("config") if isinstance(content, Mapping) else content
    if not isinstance(config or {}, dict):
        raise SettingsError(stack, [f"expected a map `config` in {name}. {_EDIT}"])
    return config or {}


def _as_config(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)
