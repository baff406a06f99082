"""Reads config from a project's files as the engine would give it to the program, for a check without an engine.

The engine gives texts: by then `3.10` without quotes is 3.1, and a key without a value is a text too. Here the file
itself is read, so a value that would arrive as another one, or that readers of YAML read in different ways, is refused.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from components.kube.safe_yaml import load_yaml_once
from components.texts.unseen import hiding
from settings.declared import KEYS
from settings.errors import SettingsError, problem_text, removal_of, set_command
from settings.keys import PROJECT, ConfigKey
from settings.scalars import Loader, engine_value, is_plain_number, read_differently, size

_ENGINE: Final = "pulumi"
_PROVIDERS: Final = ("aws", "kubernetes", "random")
_TOP: Final = frozenset({"config", "secretsprovider", "encryptedkey", "encryptionsalt", "environment"})
"""Top-level keys of a stack's file (pulumi.com/docs/iac/concepts/projects/stack-settings-file)."""
_EDIT: Final = "Fix: edit it"
_MOST_NODES: Final = 100_000
"""The most nodes of a file, if each alias counts as what it stands for. The engine refuses so many aliases, and here
they would take all memory."""


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
    schema = _config(_read(project / "Pulumi.yaml", stack, of_project=True)[0], "Pulumi.yaml", stack)
    content, root = _read(path, stack)
    if isinstance(content, Mapping) and "config" not in content and not content.keys() <= _TOP:
        found = ", ".join(map(str, content))
        raise SettingsError(stack, [f"expected a map config in {path.name}, found at its top: {found}. {_EDIT}"])
    config = {f"{PROJECT}:{key}": _as_config(entry["default"]) for key, entry in schema.items() if "default" in entry}
    secret_keys = set()
    problems: dict[str, str] = {}
    seen: dict[str, str] = {}
    nodes = _values(root)
    for name, value in _config(content, path.name, stack).items():
        full = name if isinstance(name, str) and ":" in name else f"{PROJECT}:{name}"
        if full in seen:
            what = f"expected one value, found two, under {seen[full]} and under {name}"
            problems[full] = problem_text(stack, full, what, f"take one of them out of {path.name}")
            continue
        seen[full] = str(name)
        namespace, _, short = full.partition(":")
        key = KEYS.get(short) if namespace == PROJECT else None
        if namespace not in (PROJECT, _ENGINE):
            what = _why_unread(namespace, short)
            problems[full] = problem_text(stack, full, what, removal_of(full))
        elif value is None:
            what = 'expected a value, found none (an empty text is "")'
            problems[full] = problem_text(stack, full, what, set_command(full, key))
        elif holds_secure(value):
            secret_keys.add(full)
            config[full] = ""
        elif name not in nodes:
            problems[full] = problem_text(stack, full, "expected a text as the key", f"edit {path.name}")
        elif changed := _changed_on_the_way(value, nodes[name], key):
            what, fix = changed
            problems[full] = problem_text(stack, full, what, fix.format(file=path.name))
        else:
            config[full] = _as_config(_as_read(value, nodes[name]))
    return config, secret_keys, problems


def is_secure(value: Any) -> bool:
    """Return whether a value of a stack's file is encrypted.

    To the engine only a text alone under `secure` is (pulumi: sdk/go/common/resource/config/object.go).
    """
    return isinstance(value, Mapping) and len(value) == 1 and isinstance(value.get("secure"), str)


def holds_secure(value: Any) -> bool:
    """Return whether a value of a stack's file is encrypted, or holds an encrypted one."""
    if isinstance(value, Mapping):
        return is_secure(value) or any(holds_secure(item) for item in value.values())
    return isinstance(value, list) and any(holds_secure(item) for item in value)


def _why_unread(namespace: str, short: str) -> str:
    if namespace in _PROVIDERS:
        return f"has no effect: the program tells the provider {namespace} itself all that it needs"
    hint = f"; did you mean {PROJECT}:{short}?" if short in KEYS else ""
    return f"expected a key that begins with {PROJECT}: or {_ENGINE}:, found another, which nothing reads{hint}"


def _changed_on_the_way(value: Any, node: yaml.Node, key: ConfigKey[Any] | None) -> tuple[str, str] | None:
    """Return what is wrong with a value and what solves it; None where it arrives as it is written.

    Args:
        value: What PyYAML made of it.
        node: How the file has it.
        key: Its declaration, if there is one.
    """
    quotes = "write it in quotes in {file}"
    if isinstance(node, yaml.ScalarNode):
        if getattr(node, "typed", False) and not isinstance(value, str):
            return "expected a value without a tag of YAML", "take the tag out of {file}"
        if node.style is None and not getattr(node, "typed", False):
            engines = engine_value(node.value)
            kind = _kind(engines) or _kind(value)
            if kind and key is not None and key.type == "string":
                # A secret in plain text is not shown either.
                shown = "" if key.secret else ": " + json.dumps(node.value).replace("{", "{{").replace("}", "}}")
                return f"expected text, found {kind}", f"{quotes}{shown}"
            if _kind(engines) == "a number" and not is_plain_number(node.value):
                what = "expected a number in plain digits, found one that readers of YAML read in different ways"
                return what, "write it in plain digits in {file}"
            if isinstance(engines, datetime.date):
                return "expected texts, numbers, booleans, lists or maps, found a date", quotes
    elif places := [*read_differently(node)][:3]:
        what = "expected values that all readers of YAML read alike, found values that they read differently"
        where = " and ".join(place or "its beginning" for place in places).replace("{", "{{").replace("}", "}}")
        return f"{what} at {where}", f"{quotes} if it is a text, else in plain digits or as true or false"
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "expected text, found half a character", "write the character itself into {file}"
    except (TypeError, ValueError):
        return "expected texts, numbers, booleans, lists or maps, found something else, such as a date", quotes
    return None


def _kind(value: Any) -> str:
    """Return what YAML made of a value, "" for a text or for something that is no scalar."""
    kinds = {bool: "a boolean", int: "a number", float: "a number"}
    return "a date" if isinstance(value, datetime.date) else kinds.get(type(value), "")


def _as_read(value: Any, node: yaml.Node) -> Any:
    """Return a value as the engine reads it: to it `yes` and `1:30` are texts."""
    if isinstance(node, yaml.ScalarNode) and node.style is None and isinstance(engine_value(node.value), str):
        return node.value
    return value


def _values(root: yaml.Node | None) -> dict[str, yaml.Node]:
    """Return the nodes of the values in a file's config, by their keys."""
    entries = root.value if isinstance(root, yaml.MappingNode) else ()
    config = next((value for key, value in entries if key.value == "config"), None)
    if not isinstance(config, yaml.MappingNode):
        return {}
    return {
        key.value: value
        for key, value in config.value
        if key.style is not None or isinstance(engine_value(key.value), str)
    }


def _repeated(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    """Yield each key that stands twice in one map, with its line. The engine reads no such file."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(str(key.value))
            yield from _repeated(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _repeated(value)


def _read(path: Path, stack: str, *, of_project: bool = False) -> tuple[Any, yaml.Node | None]:
    """Return what is in a file, and the nodes of the text of a stack's file."""
    try:
        text = path.read_bytes().decode().removeprefix("\ufeff")
        if found := hiding(text):
            # All readers of YAML end a comment at some of them, and no reviewer sees its end.
            raise SettingsError(stack, [_hidden(path.name, *found)])
        if of_project:
            return load_yaml_once(text), None
        reader = Loader(text)
        root = reader.get_single_node()
        if size(root) > _MOST_NODES:
            raise yaml.YAMLError("too many aliases")
        repeated = next(_repeated(root), None)
        if repeated is None:
            return (None if root is None else reader.construct_document(root)), root
        problem = f"expected each key once in {path.name}, found one again in line {repeated[1]}. {_EDIT}"
    except FileNotFoundError:
        others = sorted(found.name.split(".", 1)[1][: -len(".yaml")] for found in path.parent.glob("Pulumi.?*.yaml"))
        there = f", but those of {', '.join(others)}" if others else ""
        named = "name a stack that is there, or make this one: " if others else ""
        problem = f"expected a file {path.name}, found none{there}. Fix: {named}pulumi stack init {stack}"
    except OSError as error:
        problem = (
            f"expected a file {path.name} that can be read, found that it cannot ({error.strerror}). "
            f"Fix: ls -l {path.name} shows its rights"
        )
    except yaml.YAMLError as error:
        # Only the place: the text of the error quotes the file, and the file may hold a secret.
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        # PyYAML's own words of a document after the first one (composer.py).
        second = "but found another document" in str(getattr(error, "problem", ""))
        expected = "one document of YAML, with no second one after ---," if second else "YAML"
        problem = f"expected {expected} in {path.name}{line}. {_EDIT}"
    except UnicodeDecodeError:
        problem = f"expected UTF-8 in {path.name}, found something else. {_EDIT}"
    except RecursionError:
        problem = f"expected YAML in {path.name}, found too many levels of it. {_EDIT}"
    except (
        ValueError,
        LookupError,
        AttributeError,
    ):  # PyYAML raises all three, as for !!bool x, !!int "", !!timestamp x
        problem = f"expected YAML in {path.name}, found an impossible date or number. Fix: write it in quotes"
    raise SettingsError(stack, [problem])


def _hidden(name: str, line: int, sign: str) -> str:
    expected = f"expected characters that everybody sees in {name}, line {line}, found {sign}"
    digits = sign[2:].lower()
    escape = f"\\u{digits}" if len(digits) == 4 else f"\\U{digits:0>8}"
    return f'{expected}. Fix: take it out, or write it in double quotes as "{escape}"'


def _config(content: Any, name: str, stack: str) -> dict[Any, Any]:
    """Return the map `config` in the content of a file."""
    config = content.get("config") if isinstance(content, Mapping) else content
    if not isinstance({} if config is None else config, dict):
        raise SettingsError(stack, [f"expected a map `config` in {name}. {_EDIT}"])
    return config or {}


def _as_config(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)
