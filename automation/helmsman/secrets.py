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
    """Return where a value holds a secret by name or by shape, or what hides one; None where it holds none."""
    return _differs(value, Masker().value(value), "")


def _differs(value: Any, masked: Any, path: str) -> str | None:
    """Return the first place where masking changed a value, or that was masked before."""
    if isinstance(value, Mapping) and isinstance(masked, Mapping):
        if SIGNATURE in value or value.keys() != masked.keys():
            return path
        places = (_differs(item, masked[key], f"{path}.{key}" if path else str(key)) for key, item in value.items())
    elif isinstance(value, list | tuple) and isinstance(masked, list):
        places = (
            _differs(item, shown, f"{path}[{index}]")
            for index, (item, shown) in enumerate(zip(value, masked, strict=True))
        )
    else:
        return path if value != masked or "[secret" in str(value) else None
    return next((place for place in places if place is not None), None)
