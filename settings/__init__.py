"""The stack's config: read once, checked whole, all problems in one error.

    import settings
    loaded = settings.load()

`loading` is the only reader of `pulumi.Config`; `sections` says what each value must be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from settings.files import read_files
    from settings.loading import check, load, parse
    from settings.model import Settings
    from settings.reader import PROJECT, SECRET_KEYS, SettingsError

__all__ = ["PROJECT", "SECRET_KEYS", "Settings", "SettingsError", "check", "load", "parse", "read_files"]

_HOMES = {
    "PROJECT": "settings.reader",
    "SECRET_KEYS": "settings.reader",
    "Settings": "settings.model",
    "SettingsError": "settings.reader",
    "check": "settings.loading",
    "load": "settings.loading",
    "parse": "settings.loading",
    "read_files": "settings.files",
}


def __getattr__(name: str) -> Any:
    """Loads a name when it is first asked for: who needs the project's name needs no component."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
