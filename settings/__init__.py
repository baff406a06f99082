"""A stack's config: read once, checked whole, all problems in one error.

    import settings
    loaded = settings.load()

`sections/` declares the keys, `parsing.py` makes typed settings of their values, `loading.py` asks the engine and AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from settings.declared import SECRET_KEYS
    from settings.errors import SettingsError
    from settings.files import read_files
    from settings.keys import PROJECT
    from settings.loading import load
    from settings.model import Settings
    from settings.parsing import check, parse

__all__ = ["PROJECT", "SECRET_KEYS", "Settings", "SettingsError", "check", "load", "parse", "read_files"]

_HOMES = {
    "PROJECT": "settings.keys",
    "SECRET_KEYS": "settings.declared",
    "Settings": "settings.model",
    "SettingsError": "settings.errors",
    "check": "settings.parsing",
    "load": "settings.loading",
    "parse": "settings.parsing",
    "read_files": "settings.files",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for: a caller that needs the project's name loads no section."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
