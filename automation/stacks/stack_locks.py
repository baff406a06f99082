"""The backend's locks on a stack: who has them, and how an update waits for them."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom
from typing import Final, TypeVar

from automation.engine import started_engines
from automation.engine.causes import cause_of
from automation.engine.events import EventKind, Teller
from automation.engine.locks import Lock, is_shared, read_locks
from automation.errors import StackLocked, UpdateFailed
from automation.folder import short_name
from automation.stacks.cancellation import Cancellation
from automation.stacks.place import Place
from components.secrets.logins import shown_url
from settings import PROJECT

_T = TypeVar("_T")

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 15.0
_PAUSE_GROWTH: Final = 1.6


def stack_locks(name: str, place: Place) -> tuple[Lock, ...] | None:
    """Return a stack's locks, None if the backend does not tell. Raises UpdateFailed if it does not answer."""
    url = place.url
    try:
        locks = read_locks(url, PROJECT, short_name(name), place.environ)
    except Exception as error:
        # The client of a bucket raises kinds of its own, and their text may say more than should be shown.
        response = getattr(error, "response", None) or {}
        reason = " ".join(filter(None, (type(error).__name__, (response.get("Error") or {}).get("Code"))))
        kind, remedy = cause_of(f"locks: {reason}", name) or (UpdateFailed, "check the credentials for it")
        raise kind(f"the locks in {shown_url(url)} cannot be read ({reason})", remedy) from None
    if not locks:
        return locks
    engines, shared = started_engines.noted(place.folder.work(name)), is_shared(url)
    return tuple(lock.seen(engines, shared=shared) for lock in locks)


def retry_while_locked(
    attempt: Callable[[], _T], teller: Teller, cancellation: Cancellation, lock_seconds: float
) -> _T:
    """Try until no other update has the lock, with growing pauses. Raises StackLocked when the time is up."""
    clock, pause = cancellation.clock(), _FIRST_PAUSE_SECONDS
    end = clock.now() + lock_seconds
    while True:
        cancellation.raise_if_cancelled()
        try:
            return attempt()
        except StackLocked as error:
            if clock.now() + pause > end:
                raise
            teller.tell(EventKind.WAITING, f"{error.what}; trying again in {pause:.0f} s")
        clock.sleep(pause)
        # Two that wait for the same lock must not come back at the same moment.
        pause = min(pause * _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS) * SystemRandom().uniform(0.8, 1.2)
