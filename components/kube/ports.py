"""Numbers of TCP and UDP ports."""

from __future__ import annotations

from typing import Final

LAST_PORT: Final = 65_535
"""The highest number of a port; the lowest is 1."""
