"""When a stack expires: a tag of the stack, which every backend stores beside the state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from automation.engine import operations
from automation.engine.events import ignore
from automation.engine.opened_stack import OpenedStack
from automation.stacks.session import Session

TAG: Final = "airflow:expires"
_FORM: Final = "%Y-%m-%dT%H:%M:%SZ"


def now() -> datetime:
    """Return the time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def moment_of(text: str) -> datetime | None:
    """Return the moment in a tag's text, None if it is not one."""
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None


def read_expiry(opened: OpenedStack) -> str:
    """Return the tag's text, "" if the stack is kept for ever. Raises UpdateFailed."""
    return operations.tag(opened, TAG)


def keep_for(session: Session, hours: float) -> str:
    """See `Environment.keep_for`."""
    with session.open_for_update("keep", ignore) as opened:
        return set_expiry(opened, hours)


def expires(session: Session) -> str:
    """See `Environment.expires`."""
    with session.open_for_reading("expires") as opened:
        return read_expiry(opened)


def set_expiry(opened: OpenedStack, hours: float) -> str:
    """Keep a stack for so many hours from now, and no longer. Return until when. Raises UpdateFailed."""
    text = expiry_in(hours)
    operations.set_tag(opened, TAG, text)
    return text


def expiry_in(hours: float) -> str:
    """Return the moment in that many hours, in the form of the tag."""
    return (now() + timedelta(hours=hours)).strftime(_FORM)
