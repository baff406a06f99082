"""AWS's eventual consistency: what was made a moment ago is there for one call and missing for the next."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.prod.emulator.operations import Operation
from tests.prod.emulator.refusals import Answer, refused

NOT_THERE: Final = "is not there yet"
"""In the message of each such refusal."""
SECONDS: Final = 3.0
"""How long something is new."""


@dataclass(frozen=True)
class _Kind:
    """Something of a service that is not everywhere at once."""

    made: re.Pattern[str]
    """Its id in the answer of the call that makes it."""
    named: re.Pattern[str]
    """The parameters that name it."""
    status: str
    code: str
    """Of the refusal of a call that does not find it."""


_KINDS: Final = {
    "ec2": _Kind(
        re.compile(r"<groupId>(sg-\w+)<"), re.compile(r"GroupId(?:\.\d+)?"), "400 Bad Request", "InvalidGroup.NotFound"
    ),
    "eks": _Kind(
        re.compile(r'"associationId": ?"(a-\w+)"'),
        re.compile("associationId"),
        "404 Not Found",
        "ResourceNotFoundException",
    ),
    "iam": _Kind(re.compile(r"<RoleName>([^<]+)<"), re.compile("RoleName"), "404 Not Found", "NoSuchEntity"),
    "kms": _Kind(
        re.compile(r'"KeyId": ?"([^"]+)"'), re.compile("KeyId|TargetKeyId"), "400 Bad Request", "NotFoundException"
    ),
    "s3": _Kind(re.compile(r"(?!)"), re.compile("Bucket"), "404 Not Found", "NoSuchBucket"),
}


class Settling:
    """Remembers what was made when."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._made: dict[str, float] = {}

    def note(self, operation: Operation, answer: Answer) -> None:
        """Note what a successful call has made."""
        kind = _KINDS.get(operation.service)
        if kind is None or not operation.name.startswith("Create") or not answer.status.startswith("2"):
            return
        made = kind.made.findall(answer.body.decode("utf-8", "replace")) or list(_named(operation, kind))
        self._made.update(dict.fromkeys(made, time.monotonic()))

    def refusal(self, operation: Operation, part: float) -> Answer | None:
        """Return the refusal of a call that does not find what is new, or None. `part` of them do not, 0 to 1."""
        kind = _KINDS.get(operation.service)
        if kind is None or operation.name.startswith("Delete"):
            return None
        for name in _named(operation, kind):
            new = time.monotonic() - self._made.get(name, float("-inf")) < SECONDS
            if new and self._chance.random() < part:
                return refused(operation, kind.status, kind.code, f"{name} {NOT_THERE}")
        return None


def _named(operation: Operation, kind: _Kind) -> Iterator[str]:
    for key, value in operation.parameters.items():
        if kind.named.fullmatch(key):
            yield str(value).rpartition("/")[2]
