"""`move_image_tag.py STACK TAG --digest DIGEST`: set a stack's `airflow:imageTag` and `airflow:imageDigest` alone.

The digest pins the content, and gets a line of its own below the tag's if the file has none. Otherwise only values are
replaced, so comments, order and layout stay. They are written in quotes: a commit such as 1234567e89 would otherwise be
read as a number.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
KEY: Final = "airflow:imageTag"
DIGEST_KEY: Final = "airflow:imageDigest"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""github.com/opencontainers/distribution-spec: a tag."""


class CannotMove(Exception):  # noqa: N818 - says what is wrong
    """The script must not move the tag in this file; the text says what to fix."""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("tag")
    parser.add_argument("--digest", default="", help="of the image with this tag")
    args = parser.parse_args(arguments)
    path = root / f"Pulumi.{args.stack}.yaml"
    try:
        before = path.read_bytes()
        after = moved(before.decode("utf-8"), args.tag, args.digest).encode("utf-8")
    except (CannotMove, OSError, UnicodeDecodeError) as error:
        print(f"error: {path.name}: {error}", file=sys.stderr)
        return 1
    if after == before:
        print(f"{path.name}: {KEY} is {args.tag} already")
        return 0
    path.write_bytes(after)
    print(f"{path.name}: {KEY} is now {args.tag}")
    return 0


def moved(text: str, tag: str, digest: str = "") -> str:
    """Return the file's text with another tag, and with the digest if it has one. Raises CannotMove."""
    if not _TAG.fullmatch(tag) or tag == "latest":
        raise CannotMove(f"expected a tag that always names the same image, found {tag!r}")
    values = _config(text)
    if KEY not in values or "airflow:imageRepository" not in values:
        raise CannotMove(
            f"expected airflow:imageRepository and {KEY} under config, found one or none. "
            "Fix: set both once (docs/image.md)"
        )
    if not digest and not values.get(DIGEST_KEY):
        return _with(text, KEY, tag)
    if not _DIGEST.fullmatch(digest):
        raise CannotMove(f"{DIGEST_KEY} wins over the tag: expected sha256: and 64 digits. Fix: give its --digest")
    text = _with(text, KEY, tag)
    return _with(text, DIGEST_KEY, digest) if DIGEST_KEY in values else _below_tag(text, digest)


def _below_tag(text: str, digest: str) -> str:
    """Return the text with the digest on a new line below the tag's."""
    _, end = _place(text, KEY)
    start = text.rfind("\n", 0, end) + 1
    stop = text.find("\n", end) + 1 or len(text)
    line = text[start:stop]
    indent = line[: len(line) - len(line.lstrip())]
    newline = "\r\n" if "\r\n" in text else "\n"
    if not line.endswith("\n"):
        line += newline
    result = f'{text[:start]}{line}{indent}{DIGEST_KEY}: "{digest}"{newline}{text[stop:]}'
    if not _changes_only(text, result, DIGEST_KEY, digest):
        raise CannotMove(f"expected {KEY} on a line of its own. Fix: write it so")
    return result


def _with(text: str, key: str, value: str) -> str:
    """Return the text with another value of a key."""
    values = _config(text)
    if str(values[key]) == value and isinstance(values[key], str):
        return text
    start, end = _place(text, key)
    result = f'{text[:start]}"{value}"{text[end:]}'
    # Whatever the layout is, only this value and its line may differ.
    if not _changes_only(text, result, key, value) or result.count("\n") != text.count("\n"):
        raise CannotMove(f"expected {key} as a plain value on one line of its own. Fix: write it so")
    return result


def _changes_only(text: str, result: str, key: str, value: str) -> bool:
    """Return whether a result is the text with one value of the config, and nothing else, changed or added."""
    try:
        return _config(result) == {**_config(text), key: value} and _others(result) == _others(text)
    except CannotMove:
        return False


def _place(text: str, name: str) -> tuple[int, int]:
    """Return where the value begins and ends."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert root is not None
    config = next(value for key, value in root.value if key.value == "config")
    found = [(key, value) for key, value in config.value if key.value == name]
    if len(found) != 1:
        raise CannotMove(f"expected {name} once, found it {len(found)} times")
    key, value = found[0]
    if not isinstance(value, yaml.ScalarNode) or value.start_mark.index < key.end_mark.index:
        raise CannotMove(f"expected {name} as a plain value, found a map, a list or an alias")
    start, end = value.start_mark, value.end_mark
    if text[start.index] in "&!":
        raise CannotMove(f"expected {name} as a plain value, found an anchor or a type")
    if start.line != end.line or start.line != key.start_mark.line:
        raise CannotMove(f"expected {name} and its value on one line")
    return start.index, end.index


def _config(text: str) -> dict[str, Any]:
    content = _load(text)
    if not isinstance(content, dict) or not isinstance(content.get("config"), dict):
        raise CannotMove("expected a map with config, found something else")
    return dict(content["config"])


def _others(text: str) -> dict[str, Any]:
    return {key: value for key, value in _load(text).items() if key != "config"}


def _load(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise CannotMove(f"cannot be read as YAML{f', line {mark.line + 1}' if mark else ''}") from None


if __name__ == "__main__":
    sys.exit(main())
