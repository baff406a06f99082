"""The only message in which the engine quotes secret values: the properties that violate an update plan."""

from __future__ import annotations

import re
from typing import Final

_VIOLATION: Final = re.compile(r"(violates plan: properties changed: )(.*)", re.DOTALL)
_CHANGED: Final = re.compile(r"(?:^|, )[+~=-]{1,2}([\w.$/-]+)\[")
_NAMES: Final = re.compile(r"[\w.$/-]+(, [\w.$/-]+)*")


def without_values(text: str) -> str:
    """Keep only the names of the properties that violate an update plan.

    The engine quotes their values there, secret ones too, such as the keys in a Secret. It masks them everywhere else
    (pulumi: pkg/resource/deploy/plan.go, checkDiff).
    """
    return _VIOLATION.sub(lambda match: f"{match[1]}{_names(match[2])}", text)


def _names(changed: str) -> str:
    """Return the names of properties with values; names without values stay as they are."""
    return changed if _NAMES.fullmatch(changed) else ", ".join(dict.fromkeys(_CHANGED.findall(changed)))
