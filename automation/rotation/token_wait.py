"""How long tokens of an old JWT secret are valid. The end is computed when the wait begins, and kept in the mark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from automation.rotation.keys import Key
from automation.rotation.stages import RotationAction, RotationStage
from settings.rotation import Mark, fingerprint


def mark_to(text: str, key: Key, new: str) -> Mark | None:
    """Return the mark in a config's text if it is of the rotation of a key to a new value, else None."""
    mark = Mark.of(text) if text else None
    return mark if mark is not None and (mark.key, mark.fingerprint) == (key.name, fingerprint(new)) else None


def until(mark: Mark | None, number: int, stage: RotationStage, lifetime: Callable[[], float]) -> datetime | None:
    """Return when the wait is done, for the mark of a stage; None before the stage that waits.

    Args:
        mark: The mark that is there when the stage begins.
        number: The stage's number, from 1.
        stage: The stage.
        lifetime: Returns for how many seconds a token is valid.
    """
    if mark is not None and mark.until is not None and mark.stage <= number:
        return mark.until
    if stage.doing is not RotationAction.WAIT:
        return None
    return (now() + timedelta(seconds=lifetime() + 1)).replace(microsecond=0)


def seconds_left(mark: Mark | None) -> float | None:
    """Return how long the wait still takes, 0 if it is over, None if it has not begun."""
    return None if mark is None or mark.until is None else max(0.0, (mark.until - now()).total_seconds())


def signed_until(mark: Mark | None) -> str:
    """Return until when tokens are valid, in words; "" if that time has passed."""
    if mark is None or mark.until is None:
        return "the wait for the tokens of the old secret has not begun"
    return f"tokens of the old secret are valid until {mark.until:%H:%M:%S} UTC" if now() < mark.until else ""


def now() -> datetime:
    """Return the time, as the wall clocks of other machines have it too."""
    return datetime.now(UTC)
