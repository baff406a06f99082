"""The YAML files of a project: `Pulumi.yaml`, and a stack's file with its config and its encryption."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from automation.errors import FileInvalid
from automation.folder import stack_file
from components.kube.safe_yaml import load_yaml, load_yaml_once

ENCRYPTION: Final = ("secretsprovider", "encryptedkey", "encryptionsalt")
"""The keys of a stack's file that say what encrypts its secrets (pulumi: sdk/go/common/workspace/project.go)."""


def encryption(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the content of a stack's file says about its encryption."""
    return {key: content[key] for key in ENCRYPTION if content.get(key)}


def read_yaml(path: Path, load: Callable[[str], Any] = load_yaml) -> dict[str, Any]:
    """Return the map in a file. Raises FileInvalid, which quotes nothing: the file may hold a secret."""
    try:
        content = load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise FileInvalid(f"{path.name} cannot be read as YAML{place}", f"edit {path}") from None
    if content is not None and not isinstance(content, dict):
        raise FileInvalid(f"{path.name}: expected a map, found {type(content).__name__}", f"edit {path}")
    return content or {}


def read_config(folder: Path, stack: str) -> Mapping[str, Any]:
    """Return the map `config` of a stack's file in a folder, by full key. Raises FileInvalid."""
    return read_yaml(stack_file(folder, stack)).get("config") or {}


def read_project(project_dir: Path) -> Mapping[str, Any]:
    """Return the content of `Pulumi.yaml`, which nobody may change. Raises FileInvalid.

    The same text is parsed once.
    """
    return read_yaml(project_dir / "Pulumi.yaml", load_yaml_once)
