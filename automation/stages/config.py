"""Writes down what the next stage of a verb needs, before anything uses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automation.project_files import read_config
from automation.stacks.config import Keep
from automation.stacks.session import Session
from automation.stacks.stack_values import change_config
from settings import PROJECT


def write_config(session: Session, verb: str, changed: Mapping[str, Any], keep: Keep, again: str) -> None:
    """Change values of the config by short key, and let a service store them. None takes one out, if it is there.

    Args:
        session: The stack.
        verb: What was asked for.
        changed: The values.
        keep: Stores changed settings.
        again: What continues the verb.

    Raises:
        SettingsInvalid: The config is not valid with them.
        UpdateFailed: The engine could not write.
    """
    with session.open_for_update(verb, lambda event: None, create=False) as opened:
        there = _keys(session)
        values = {key: value for key, value in changed.items() if value is not None or key in there}
        if values:
            change_config(session, opened, values)
    session.keep_settings(keep)
    session.cancellation.record("the config was changed", again)


def _keys(session: Session) -> set[str]:
    settings = session.place.settings
    if settings is not None:
        return {*settings.values, *settings.secrets}
    config = read_config(session.place.project_dir, session.name)
    return {str(key).removeprefix(f"{PROJECT}:") for key in config}
