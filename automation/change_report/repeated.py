"""Shortens repetition in a report: an image that changes in many resources or objects, and checksums that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from automation.change_report.model import ChangeKind, ObjectChange, PropertyChange, ResourceChange

_CHANGED: Final = (ChangeKind.UPDATE, ChangeKind.REPLACE)


@dataclass(frozen=True)
class Moved:
    """An image that moves in several resources or objects."""

    before: str
    after: str
    labels: tuple[str, ...]
    """Their labels, in their order."""


@dataclass(frozen=True)
class Changed:
    """The changed resources or objects, without what repeats."""

    moved: tuple[Moved, ...]
    """Images that move in at least two of them."""
    checksums: tuple[str, ...]
    """Labels of those whose pods roll because a checksum of their config or Secrets changes."""
    others: tuple[ResourceChange | ObjectChange, ...]
    """All with the rest of their changes; those without any other change are left out."""


def without_repetition(found: Sequence[ResourceChange | ObjectChange]) -> Changed:
    """Return the changes of resources or objects with each image that moves, and the checksums, said once."""
    images: dict[tuple[str, str], dict[str, None]] = {}
    for change in found:
        for item in change.changes if change.kind in _CHANGED else ():
            if _is_image(item):
                images.setdefault((item.before, item.after), {})[change.label] = None
    moved = {images_: labels for images_, labels in images.items() if len(labels) > 1}
    checksums, others = dict[str, None](), list[ResourceChange | ObjectChange]()
    for change in found:
        if change.kind not in _CHANGED:
            others.append(change)
            continue
        rest = []
        for item in change.changes:
            if "checksum/" in item.path:
                checksums[change.label] = None
            elif not (_is_image(item) and (item.before, item.after) in moved):
                rest.append(item)
        if rest or not change.changes or (isinstance(change, ObjectChange) and change.refused):
            others.append(replace(change, changes=tuple(rest)))
    return Changed(
        moved=tuple(Moved(before, after, tuple(labels)) for (before, after), labels in moved.items()),
        checksums=tuple(checksums),
        others=tuple(others),
    )


def same_values(changes: Sequence[PropertyChange]) -> list[tuple[list[str], PropertyChange]]:
    """Group the changes of one thing that have the same values before and after: their paths, and one of them."""
    groups: dict[str, tuple[list[str], PropertyChange]] = {}
    for change in changes:
        key = repr((change.before, change.after, change.secret, change.replaces))
        groups.setdefault(key, ([], change))[0].append(change.path)
    return list(groups.values())


def _is_image(change: PropertyChange) -> bool:
    return change.path.endswith(".image") and isinstance(change.before, str) and isinstance(change.after, str)
