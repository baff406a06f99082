"""The differences between two values, path by path, and how one reads line by line."""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from automation.change_report.model import PropertyChange
from automation.change_report.replacement import may_replace
from automation.yaml_text import as_yaml
from components.secrets.masker import masks, without_digests

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SEGMENT: Final = re.compile(r"\[\"((?:[^\"\\]|\\.)*)\"\]|\[(\d+)\]|\.?([^.\[\]]+)")
_CONTEXT_LINES: Final = 3


def property_changes(
    type_: str, before: Mapping[str, Any], after: Mapping[str, Any], ignored: Sequence[str] = ()
) -> tuple[PropertyChange, ...]:
    """Return the changes of a resource's inputs, ordered by path.

    Args:
        ignored: Paths of Pulumi's option `ignore_changes`.
    """
    for path in ignored:
        before, after = without(before, path), without(after, path)
    return in_order(changes_at(type_, "", before, after))


def changes_at(type_: str, path: str, before: Any, after: Any) -> Iterator[PropertyChange]:
    """Yield the changes of what stands at a path."""
    yield from (change_of(type_, place, old, new) for place, old, new in _differences(path, before, after))


def in_order(changes: Iterable[PropertyChange]) -> tuple[PropertyChange, ...]:
    """Return changes ordered by path."""
    return tuple(sorted(changes, key=lambda change: change.path))


def change_of(type_: str, path: str, before: Any, after: Any) -> PropertyChange:
    """Return one change as it may be shown."""
    old, new = masks(before), masks(after)
    return PropertyChange(
        path=path,
        before=without_digests(before),
        after=without_digests(after, old if before is not None else None),
        secret=bool(old | new) and old != new,
        replaces=may_replace(type_, path),
    )


def at(value: Any, path: str) -> Any:
    """Return what stands at a path as Pulumi writes it, or None."""
    for name, index, word in _SEGMENT.findall(path):
        if index and isinstance(value, Sequence) and not isinstance(value, str):
            value = value[int(index)] if int(index) < len(value) else None
        elif isinstance(value, Mapping):
            value = value.get(name.replace('\\"', '"') or word)
        else:
            return None
    return value


def without(value: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a value without what stands at a path."""
    segments = [name or index or word for name, index, word in _SEGMENT.findall(path)]
    result: dict[str, Any] = _cut(value, segments)
    return result


def _cut(value: Any, segments: Sequence[str]) -> Any:
    first, rest = segments[0], segments[1:]
    if isinstance(value, Mapping):
        kept = {key: item for key, item in value.items() if key != first}
        return {**kept, first: _cut(value[first], rest)} if rest and first in value else kept
    if isinstance(value, list) and first.isdigit() and int(first) < len(value):
        index = int(first)
        return [*value[:index], *([_cut(value[index], rest)] if rest else []), *value[index + 1 :]]
    return value


def diff_lines(before: str, after: str) -> list[str]:
    """Return the unified diff of two texts, without its head and the places of its hunks."""
    sides = before.splitlines(), after.splitlines()
    if sides[0] == sides[1]:
        sides = before.split("\n"), after.split("\n")  # only line ends differ: one at the end is an empty line
    lines = difflib.unified_diff(*sides, n=_CONTEXT_LINES, lineterm="")
    # Where two hunks meet, something is left out.
    return ["…" if line.startswith("@@") else line for line in list(lines)[3:]]


def additions(value: Mapping[str, Any]) -> tuple[PropertyChange, ...]:
    """Return one change for each field of something new."""
    return tuple(change_of("", key, None, item) for key, item in sorted(value.items()))


def yaml_lines(value: Any, sign: str) -> list[str]:
    """Return a value as lines of YAML, each with a sign before it."""
    return [f"{sign}{line}" for line in as_yaml(value).splitlines()]


def _differences(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield path, before and after of each difference; None stands for nothing."""
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differences(_joined(path, key), before.get(key), after.get(key))
        return
    if isinstance(before, list) and isinstance(after, list):
        old, new = _by_name(before), _by_name(after)
        yield from _of_lists(path, before, after) if old is None or new is None else _of_names(path, old, new)
        return
    documents = _document(before), _document(after)
    if None not in documents:  # an AWS policy is a text of JSON
        yield from _differences(path, *documents)
        return
    yield path, before, after


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Return a list's items by name, None where one has no name of its own."""
    found = {item["name"]: item for item in items if _named(item)}
    return found if len(found) == len(items) else None


def _of_names(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the differences of two lists whose items have names, and that of their order."""
    for name in sorted({*before, *after}):
        segment = f"[{name}]" if _PLAIN_KEY.fullmatch(name) else f"[{json.dumps(name)}]"
        yield from _differences(f"{path}{segment}", before.get(name), after.get(name))
    old, new = [name for name in before if name in after], [name for name in after if name in before]
    moved = [index for index, names in enumerate(zip(old, new, strict=True)) if names[0] != names[1]]
    if moved:
        part = slice(moved[0], moved[-1] + 1)
        yield f"{path} (order)", "\n".join(old[part]), "\n".join(new[part])


def _of_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield the differences of two lists, so that an item which is gone or new does not change those after it."""
    sides = [[json.dumps(item, sort_keys=True) for item in items] for items in (before, after)]
    matcher = difflib.SequenceMatcher(None, sides[0], sides[1], autojunk=False)
    for _, start, end, first, last in matcher.get_opcodes():
        old, new = before[start:end], after[first:last]
        if old == new:
            continue
        for index, (item, other) in enumerate(itertools.zip_longest(old, new)):
            yield from _differences(f"{path}[{(first if index < len(new) else start) + index}]", item, other)


def _named(item: Any) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("name"), str)


def _document(value: Any) -> Any:
    """Return the map or list that a text holds as JSON, or None."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return None
    try:
        document = json.loads(value)
    except ValueError:
        return None
    return document if isinstance(document, dict | list) else None


def _joined(path: str, key: str) -> str:
    if not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key)}]"
    return f"{path}.{key}" if path else key
