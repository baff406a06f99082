"""Secrets in an export: the Secrets that the files name, and a guard against values that hold one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automation.plan.model import PlannedResource
from components.secrets.masker import Masker
from policy.convert import SIGNATURE


@dataclass(frozen=True, kw_only=True)
class NamedSecret:
    """A Secret without its values."""

    name: str
    type: str
    """Kubernetes' type, such as `Opaque`."""
    keys: tuple[str, ...]
    """The keys of its data, ordered; empty where they are not known."""


def named_secret(resource: PlannedResource) -> NamedSecret:
    """Return the name, type and keys of a Secret; its values are not read."""
    keys: set[str] = set()
    for field in ("data", "stringData"):
        data = resource.inputs.get(field)
        if isinstance(data, Mapping) and SIGNATURE not in data:
            keys |= set(data)
    return NamedSecret(
        name=(resource.inputs.get("metadata") or {}).get("name") or resource.name,
        type=str(resource.inputs.get("type") or "Opaque"),
        keys=tuple(sorted(keys)),
    )


def secret_path(value: Any) -> str | None:
    """Return where a value holds a secret, or what looks like one; None where it holds none."""
    masker = Masker()

    def find(value: Any, path: str) -> str | None:
        if isinstance(value, Mapping):
            if SIGNATURE in value:
                return path
            places = (find(item, f"{path}.{key}" if path else str(key)) for key, item in value.items())
        elif isinstance(value, list | tuple):
            places = (find(item, f"{path}[{index}]") for index, item in enumerate(value))
        elif isinstance(value, str):
            return path if "[secret" in value or masker.text(value) != value else None
        else:
            return None
        return next((place for place in places if place is not None), None)

    return find(value, "")
