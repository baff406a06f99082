"""All verbs of the command line, in the order of its help."""

from __future__ import annotations

from typing import Final

from automation.cli import (
    adopt,
    backup,
    deploy,
    dev,
    down,
    export,
    lifetime,
    look,
    plan,
    recover,
    report,
    rotate,
    upgrade,
)
from automation.cli.declare import Verb

_MODULES: Final = (dev, down, deploy, look, recover, rotate, upgrade, backup, lifetime, adopt, export, plan, report)

VERBS: Final = tuple(item for module in _MODULES for item in vars(module).values() if isinstance(item, Verb))
"""Every verb that one of the modules declares."""
