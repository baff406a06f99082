"""Drives stacks of this project: engine, cluster, update, verification, recovery. Nothing prints but the command line.

    from automation import Environments, EnvironmentSettings, Secret

`python -m automation VERB [STACK]` is the command line; see docs/command-line.md and docs/automation.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automation.engine.backend import KeyService, Passphrase, PassphraseFile
    from automation.engine.events import Event
    from automation.environment import Environment
    from automation.environments import Environments
    from automation.errors import AutomationError
    from automation.recovery.result import Decisions
    from automation.stacks.config import EnvironmentSettings
    from components.kube.secret import Secret

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
    "Decisions": "automation.recovery.result",
    "Environment": "automation.environment",
    "EnvironmentSettings": "automation.stacks.config",
    "Environments": "automation.environments",
    "Event": "automation.engine.events",
    "KeyService": "automation.engine.backend",
    "Passphrase": "automation.engine.backend",
    "PassphraseFile": "automation.engine.backend",
    "Secret": "components.kube.secret",
}


def __getattr__(name: str) -> Any:
    """Loads a name when it is first asked for: `plan` and the recorder need no engine."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
