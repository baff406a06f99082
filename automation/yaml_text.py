"""YAML for people and for comparison line by line, which every YAML reader reads as the same values.

Plans, reports and the files of an export are written with it. Keys are sorted, each line of a text is a line, and
nothing is wrapped. A text that a reader of YAML 1.1 or 1.2 could take for a number, a date or a boolean is quoted.

No library writes that. PyYAML puts a text with white space at a line's end, as most ini files have, on one long line;
and both PyYAML and ruamel.yaml leave without quotes what only the other version of YAML takes for a number.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from components.texts.unseen import HIDING

_UNPRINTABLE: Final = rf"{HIDING}\ud800-\udfff\ufffe\uffff"
"""Characters that YAML does not allow, may read as a line end, or that nobody sees. It is the content of a character
class of a regular expression."""
_ESCAPED: Final = re.compile(f"[{_UNPRINTABLE}]")
_PLAIN: Final = re.compile(rf"[A-Za-z0-9_/.$(][^\x00-\x1f#\"\\{_UNPRINTABLE}]*")
"""Texts that may stand without quotes (yaml.org/spec/1.2.2, "Plain Style"), unless `_OTHER` matches too."""
_OTHER: Final = re.compile(
    r"true|false|yes|no|on|off|y|n|null"
    r"|[0-9.][0-9a-fox_.,:+-]*"  # numbers: of any base, with groups, with a base of sixty
    r"|\.(?:inf|nan)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*"  # dates and times
    r"|.*(?:: | #).*|.*[: ]",
    re.IGNORECASE,
)
"""Texts that a reader could take for something else: to be safe, more than yaml.org/type and YAML 1.2 name."""
_BLOCK: Final = re.compile(rf"[^\x00-\x08\x0b-\x1f{_UNPRINTABLE}]*")
"""Texts that may stand as a block of lines: a carriage return would be lost there."""


def as_yaml(value: Any) -> str:
    """Return one document for a value of maps, lists and scalars."""
    return "\n".join(_lines(value)) + "\n"


def quoted(text: str) -> str:
    """Return a text on one line, in quotes."""
    return _ESCAPED.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


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
    """Return a text of several lines as a block; None for anything else."""
    if not isinstance(value, str) or "\n" not in value.rstrip("\n") or not _BLOCK.fullmatch(value):
        return None
    ends = len(value) - len(value.rstrip("\n"))
    # If the first line begins with white space, readers cannot tell how far the block is indented.
    indented = value.startswith((" ", "\t", "\n"))
    head = f"|{'2' if indented else ''}{('-', '', '+')[min(ends, 2)]}"
    return [head, *(f"  {line}" if line else "" for line in value.rstrip("\n").split("\n")), *[""] * (ends - 1)]


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and not _OTHER.fullmatch(value) else quoted(value)
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    return _float(value) if isinstance(value, float) else json.dumps(value)


def _float(value: float) -> str:
    """Return a number with a point in it: YAML 1.1 reads 1e+20 as a text."""
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    digits, e, exponent = repr(value).partition("e")
    return f"{digits}{'' if '.' in digits else '.0'}{e}{exponent}"
