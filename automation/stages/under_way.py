"""Why a verb of several stages cannot begin now: another one is not finished, or not all of Airflow runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from automation.stacks.config import StackConfig
from components.chart_values.running import Running
from settings.restoration import restoration_of
from settings.rotation import Mark
from settings.upgrade import UpgradeMark


def others_under_way(stack: str, config: StackConfig, *allowed: str) -> tuple[str, ...]:
    """Return why other verbs of several stages must be finished first, each with its remedy.

    Args:
        stack: For commands.
        config: The stack's.
        allowed: The config keys of the marks that are no reason: the verb's own, and those that it may go on beside.
    """
    under_way = (
        ("rotation", Mark.of(config.rotation).told(stack) if config.rotation else ""),
        ("upgrade", UpgradeMark.of(config.upgrade).told(stack) if config.upgrade else ""),
        ("restore", restoration_of(config.restore).told(stack) if config.restore else ""),
    )
    return tuple(
        f"airflow:{key}: expected nothing else under way, found this: {told}. Fix: finish it first"
        for key, told in under_way
        if told and key not in allowed
    )


def not_running(stack: str, values: Iterable[str], because: str) -> tuple[str, ...]:
    """Return why all of Airflow must run first, with the remedy.

    Args:
        stack: For commands.
        values: `airflow:running` in the config, and what was deployed last; "" is `all`.
        because: Why the verb needs it, as a clause.
    """
    found = next((value for value in values if value not in ("", Running.ALL)), None)
    if found is None:
        return ()
    return (
        f"airflow:running: expected {Running.ALL}, because {because}, found {found}. "
        f"Fix: pulumi config set --stack {stack} airflow:running {Running.ALL}; python -m automation up {stack}",
    )


def killed_update(stack: str) -> str:
    """Return that an update which was killed must be finished first, with the remedy."""
    return (
        f"stack {stack}: expected that its last update came to its end, found one that was killed. "
        f"Fix: python -m automation recover {stack}"
    )
