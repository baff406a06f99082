"""What the Airflow image must have for a stack's config, and the command that looks for it. Pure.

Without it, a package that is missing is found only when components crash, some minutes after the old ones were rolled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

REFUSED: Final = 78
"""Exit code of the command where the image lacks something: another try would end in the same way."""
SCRIPT: Final = (Path(__file__).parent / "in_image" / "image_check.py").read_text(encoding="utf-8")
"""A Python script. Its first lines say what it does and what it needs."""


@dataclass(frozen=True, kw_only=True)
class ImageNeed:
    """A package that the image must have."""

    package: str
    """Its name as a distribution."""
    key: str
    """The config key that needs it."""
    instead: str = ""
    """What to do in place of adding it; "" where there is nothing else."""

    @property
    def problem(self) -> str:
        """The text where it is missing."""
        return (
            f"{self.key}: expected the package {self.package} in the Airflow image, found none. "
            f"Fix: add it to the image (docs/image.md){self.instead and f', or {self.instead}'}"
        )


def command(airflow_version: str, needs: Sequence[ImageNeed]) -> list[str]:
    """Return the command that ends with REFUSED and the reasons where the image lacks something.

    Args:
        airflow_version: The version that the image must have.
        needs: The packages that it must have.
    """
    wanted = {"airflow": airflow_version, "packages": [[need.package, need.problem] for need in needs]}
    return ["python", "-c", SCRIPT, json.dumps(wanted, sort_keys=True)]
