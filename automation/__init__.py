"""Drives stacks of this project: engine, cluster, update, verification, recovery. Nothing prints but the command line.

    from automation import Environments, EnvironmentSettings, Secret

`python -m automation VERB [STACK]` is the command line; see docs/automation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automation.backend import KeyService, Passphrase, PassphraseFile
    from automation.environment import Environment
    from automation.environment_settings import EnvironmentSettings
    from automation.environments import Environments
    from automation.errors import AutomationError
    from automation.events import Event
    from automation.recovery import Decisions
    from components.secret import Secret

__all__ = [
    "AutomationError",
    "Decisions",
    "Environment",
    "EnvironmentSettings",
    "Environments",
    "Event",
    "KeyService",
    "Passphrase",
    "PassphraseFile",
    "Secret",
]

_HOMES = {
    "AutomationError": "automation.errors",
    "Decisions": "automation.recovery",
    "Environment": "automation.environment",
    "EnvironmentSettings": "automation.environment_settings",
    "Environments": "automation.environments",
    "Event": "automation.events",
    "KeyService": "automation.backend",
    "Passphrase": "automation.backend",
    "PassphraseFile": "automation.backend",
    "Secret": "components.secret",
}


def __getattr__(name: str) -> Any:
    """Loads a name when it is first asked for: `plan` and the recorder need no engine."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
