"""The copies of the program that the change report's tests make too."""

from __future__ import annotations

from tests.automation.change_report.conftest import base, checkouts

__all__ = ["base", "checkouts"]
