"""Names that Kubernetes takes. Pure."""

from __future__ import annotations

import re
from typing import Final

VARIABLE_NAME: Final = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
"""The name of a variable that every version of Kubernetes takes."""
LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
"""The value of a label (kubernetes.io/docs/concepts/overview/working-with-objects/labels)."""
DNS_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""The name of most objects, and the domain before the name of a label."""


def qualified(name: str) -> bool:
    """Return whether a text may be the name of a label, an annotation or a taint, with or without a domain."""
    domain, slash, short = name.rpartition("/")
    return bool(short and LABEL_VALUE.fullmatch(short) and (not slash or DNS_NAME.fullmatch(domain)))
