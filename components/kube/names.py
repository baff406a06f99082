"""Names that Kubernetes takes. Pure."""

from __future__ import annotations

import re
from typing import Final

VARIABLE_NAME: Final = re.compile(r"[A-Za-z_.-][A-Za-z0-9_.-]*")
"""The name of a variable that every version of Kubernetes takes."""
LABEL_VALUE: Final = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
"""The value of a label (kubernetes.io/docs/concepts/overview/working-with-objects/labels)."""
