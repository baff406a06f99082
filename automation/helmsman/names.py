"""The names of the exported files, and the line that marks them as ours."""

from __future__ import annotations

from typing import Final

DESIRED_STATE: Final = "helmsman.yaml"
VALUES: Final = "values.yaml"
IMAGE_VALUES: Final = "values.image.yaml"
MANIFESTS: Final = "manifests.yaml"
MIGRATION: Final = "migrate.yaml"
ADMIN_USER: Final = "admin-user.yaml"
PREREQUISITES: Final = "prerequisites.yaml"
FILES: Final = (DESIRED_STATE, VALUES, IMAGE_VALUES, MANIFESTS, MIGRATION, ADMIN_USER, PREREQUISITES)

MARK: Final = "# Made by `python -m automation export_helmsman`"
"""How every exported file begins."""
