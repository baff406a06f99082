"""Values as YAML that people read, and that a line by line comparison fits: ordered, a text's lines as lines.

Not by a YAML library: those put a text with white space at a line's end, as most ini files have, into one long line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

# What may stand without quotes (yaml.org/spec/1.2.2, "Plain Style"), and does not read as something else than text.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_/.$(][^\n\r\t#\"\\]*")
_OTHER: Final = re.compile(
    r"(?:true|false|yes|no|on|off|y|n|null)|[-+.]?[0-9][0-9_.,:eExXa-fA-F+-]*|.*(?:: | #).*|.*[: ]", re.IGNORECASE
)


def as_yaml(value: Any) -> str:
    """A value of maps, lists and scalars."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and value:
        for key in sorted(value, key=str):
            yield from _entry(f"{_scalar(str(key))}:", value[key], "  ")
    elif isinstance(value, list | tuple) and value:
        for item in value:
            first, *rest = _lines(item)
            text = _block(item)
            if text is None:
                yield f"- {first}"
                yield from (f"  {line}" for line in rest)
            else:
                yield f"- {text[0]}"
                yield from text[1:]
    else:
        yield _scalar(value)


def _entry(head: str, value: Any, indent: str) -> Iterator[str]:
    block = _block(value)
    if block is not None:
        yield f"{head} {block[0]}"
        yield from block[1:]
    elif isinstance(value, Mapping) and value:
        yield head
        yield from (f"{indent}{line}" for line in _lines(value))
    elif isinstance(value, list | tuple) and value:
        yield head
        yield from _lines(value)
    else:
        yield f"{head} {_scalar(value)}"


def _block(value: Any) -> list[str] | None:
    """A text of several lines as a block; None for anything else."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n"):
        return None
    ends = len(value) - len(value.rstrip("\n"))
    head = f"|{'2' if value.startswith((' ', chr(10))) else ''}{('-', '', '+')[min(ends, 2)]}"
    return [head, *(f"  {line}" if line else "" for line in value.rstrip("\n").split("\n")), *[""] * (ends - 1)]


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and not _OTHER.fullmatch(value):
        return value
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value, ensure_ascii=False)
