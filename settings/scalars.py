"""What the engine makes of a value that stands in YAML without quotes, and whether another reader makes the same.

The engine reads with gopkg.in/yaml.v3 (resolve.go), which is neither YAML 1.1, as PyYAML reads, nor YAML 1.2: it takes
`on` for a text and `0o10` for a number. Then it writes the value anew: `3.10` becomes 3.1.
"""

from __future__ import annotations

import contextlib
import datetime
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import yaml

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES: Final = {"0x": 16, "0o": 8, "0b": 2}
_DATES: Final = (
    re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"),
    re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}T[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"),
    re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}t[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?[-+][0-9]{2}:[0-9]{2}"),
    re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2} [0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?"),
)
_PLAIN_NUMBER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}|-?(0|[1-9][0-9]{0,7})\.(?!000000)[0-9]{0,6}[1-9]")
"""Numbers that the engine writes as they stand: a float keeps no more digits, and gives smaller numbers an exponent."""
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9_]")
_MOST: Final = 2**63 - 1


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, for what the engine's reads too; its nodes say whether the file gives their type."""

    ESCAPE_REPLACEMENTS = {  # type: ignore[misc] # noqa: RUF012 - as in PyYAML
        letter: stands for letter, stands in yaml.SafeLoader.ESCAPE_REPLACEMENTS.items() if letter != "/"
    }

    def process_directives(self) -> Any:
        found = super().process_directives()  # type: ignore[no-untyped-call]
        if self.yaml_version not in (None, (1, 1)):
            raise yaml.YAMLError("another version of YAML")
        return found

    def compose_scalar_node(self, anchor: Any) -> Any:
        return self._typed(super().compose_scalar_node, anchor)

    def compose_sequence_node(self, anchor: Any) -> Any:
        return self._typed(super().compose_sequence_node, anchor)

    def compose_mapping_node(self, anchor: Any) -> Any:
        return self._typed(super().compose_mapping_node, anchor)

    def _typed(self, compose: Callable[[Any], Any], anchor: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = compose(anchor)
        node.typed = event.tag is not None
        return node


def size(node: yaml.Node | None) -> int:
    """Return how many nodes there are when each alias is replaced by what it stands for."""
    sizes: dict[int, int] = {}

    def count(part: Any) -> int:
        if id(part) not in sizes:
            sizes[id(part)] = 1  # within itself, should it hold itself
            inner = part.value if isinstance(part, yaml.CollectionNode) else ()
            sizes[id(part)] += sum(sum(map(count, item)) if isinstance(item, tuple) else count(item) for item in inner)
        return sizes[id(part)]

    return 0 if node is None else count(node)


def engine_value(text: str) -> Any:
    """Return what the engine makes of a text without quotes: None, a boolean, a number, a date or the text."""
    if text in _WORDS:
        return _WORDS[text]
    if any(date.fullmatch(text) for date in _DATES):
        with contextlib.suppress(ValueError):
            return datetime.date(*map(int, re.findall(r"[0-9]+", text)[:3]))
    digits = text.replace("_", "") if text[:1] in tuple("+-0123456789") else text
    sign, body = (digits[0], digits[1:]) if digits[:1] in ("+", "-") else ("", digits)
    base = _BASES.get(body[:2].lower(), 8 if len(body) > 1 and body[0] == "0" else 10)
    number = body[2:] if body[:2].lower() in _BASES else body
    if re.fullmatch("[0-9a-fA-F]+", number):
        with contextlib.suppress(ValueError):
            value = int(f"{sign}{number}", base)
            # Larger ones become floats.
            if -_MOST - 1 <= value <= 2 * _MOST + 1:
                return value
    if _FLOAT.fullmatch(digits):
        real = float(digits)
        return real if math.isfinite(real) else text
    return text


def is_plain_number(text: str) -> bool:
    """Return whether the engine writes a number as it stands, as every reader of YAML does."""
    return bool(_PLAIN_NUMBER.fullmatch(text))


def read_differently(node: yaml.Node, path: str = "") -> Iterator[str]:
    """Yield the places in a value where the engine reads something else than PyYAML, or where readers differ."""
    if isinstance(node, yaml.CollectionNode) and getattr(node, "typed", False):
        yield path
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            place = f"{path}.{name}".lstrip(".")
            # To the engine, "<<" in quotes merges too.
            if not isinstance(key, yaml.ScalarNode) or (key.style is not None if name == "<<" else not _is_text(key)):
                yield f"the key {place}"
            yield from read_differently(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield from read_differently(value, f"{path}[{number}]")
    elif isinstance(node, yaml.ScalarNode) and not _is_clear(node):
        yield path


def _is_text(key: yaml.ScalarNode) -> bool:
    return key.style is not None or (key.tag.endswith(":str") and isinstance(engine_value(key.value), str))


def _is_clear(node: yaml.ScalarNode) -> bool:
    if getattr(node, "typed", False):
        return bool(node.tag == "tag:yaml.org,2002:str")
    if node.style is not None:
        return True
    engines = engine_value(node.value)
    try:
        mine = yaml.SafeLoader("").construct_object(node)
    except (ValueError, yaml.YAMLError):  # a date that cannot be, or `=`, which PyYAML does not read
        return False
    is_number = isinstance(engines, int | float) and not isinstance(engines, bool)
    if is_number and (_LEADING_ZERO.match(node.value) or not -_MOST <= engines <= _MOST):
        return False
    return type(mine) is type(engines) and bool(mine == engines)
