"""Removes the stacks whose time has passed. A stack without a time to live, or a protected one, is never removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from automation.engine.command import Engine
from automation.engine.events import OnEvent
from automation.errors import (
    AutomationError,
    ClusterUnreachable,
    Interrupted,
    Protected,
    StackLocked,
    StackUnknown,
    UpdateFailed,
)
from automation.folder import short_name, stack_file
from automation.lifetime.derived import HEADER
from automation.lifetime.result import Expiry, Fate, Lifetime
from automation.stacks.config import read_stack_config
from automation.stacks.expiry import TAG, moment_of, now
from automation.stacks.listing import as_deployed, remove_empty, stack_tags
from automation.stacks.place import Place
from automation.stacks.session import Session


class TemporaryStack(Protocol):
    """An `Environment`."""

    session: Session

    def expires(self) -> str:
        """Return until when it is kept."""

    def destroy(self, *, remove: bool, cluster_gone: bool, on_event: OnEvent) -> object:
        """Delete what it owns, and with `remove` the stack itself."""


@dataclass(frozen=True, kw_only=True)
class Expiring:
    """One run over the stacks of a backend."""

    place: Place
    find_engine: Callable[[], Engine]
    opened: Callable[[str, Place], TemporaryStack]
    """Opens a stack at a place."""
    on_event: OnEvent

    def done(self, names: Sequence[str], *, dry_run: bool, cluster_gone: bool) -> Expiry:
        """See `Environments.expire`."""
        if cluster_gone and not names:
            raise Protected(
                "--cluster-gone: expected the names of the stacks whose cluster is gone, found none",
                "python -m automation expire STACK --cluster-gone",
            )
        found = {name: tags.get(TAG, "") for name, tags in stack_tags(self.place, self.find_engine).items()}
        by_short = {short_name(name): name for name in found}
        chosen = [by_short.get(short_name(name), name) for name in names]
        for name in chosen:
            if found.get(name) == "":
                raise StackUnknown(f"stack {name} has no time to live", f"python -m automation destroy {name} --remove")
        chosen = chosen or sorted(name for name, text in found.items() if text)
        return Expiry(
            stacks=tuple(
                self._one(name, found.get(name), named=bool(names), dry_run=dry_run, cluster_gone=cluster_gone)
                for name in chosen
            )
        )

    def _one(self, name: str, text: str | None, *, named: bool, dry_run: bool, cluster_gone: bool) -> Lifetime:
        if text is None:
            if not dry_run:
                self._forget_file(name)
            return Lifetime(stack=name, expires="", fate=Fate.GONE)
        moment = moment_of(text)
        if moment is None and not named:
            reason = f"{TAG}: expected a time such as 2026-01-31T10:45:00Z, found {text!r}. Fix: expire {name}"
            return Lifetime(stack=name, expires=text, fate=Fate.FAILED, reason=reason)
        if moment is not None and moment > now() and not named:
            return Lifetime(stack=name, expires=text, fate=Fate.KEPT)
        if dry_run:
            return Lifetime(stack=name, expires=text, fate=Fate.DUE)
        try:
            removed = self._removed(name, text, cluster_gone=cluster_gone)
        except Interrupted:
            raise
        except ClusterUnreachable as error:
            gone = f"make the cluster answer; if it is gone for good: python -m automation expire {name} --cluster-gone"
            return Lifetime(stack=name, expires=text, fate=Fate.FAILED, reason=f"{error.what}. Fix: {gone}")
        except StackLocked as error:
            unlock = f"if that run is gone: pulumi cancel --yes --stack {name}; then python -m automation expire {name}"
            return Lifetime(stack=name, expires=text, fate=Fate.FAILED, reason=f"{error.what}. Fix: {unlock}")
        except AutomationError as error:
            return Lifetime(stack=name, expires=text, fate=Fate.FAILED, reason=str(error))
        return Lifetime(stack=name, expires=text, fate=Fate.REMOVED if removed else Fate.KEPT)

    def _removed(self, name: str, text: str, *, cluster_gone: bool) -> bool:
        """Remove a stack, unless its time was changed meanwhile. Raises AutomationError."""
        with as_deployed(self.place, name, self.find_engine) as place:
            if place is None:
                self._remove_unfinished(name)
                self._forget_file(name)
                return True
            environment = self.opened(name, place)
            with environment.session.busy():
                if environment.session.config().protect or self._is_protected_here(name):
                    raise Protected(
                        f"airflow:protect: expected false in a stack with a time to live, found true in {name}",
                        f"pulumi stack tag rm {TAG} --stack {name}, if it should stay",
                    )
                if environment.expires() != text:
                    return False
                environment.destroy(remove=True, cluster_gone=cluster_gone, on_event=self.on_event)
        self._forget_file(name)
        return True

    def _remove_unfinished(self, name: str) -> None:
        """Remove a stack of which no update has come to an end, and which has no config of a last one."""
        try:
            remove_empty(self.place, name, self.find_engine)
        except UpdateFailed as error:
            end = f"python -m automation spawn {name} --like OTHER ends its first update; then expire it"
            raise UpdateFailed(error.what, end) from None

    def _is_protected_here(self, name: str) -> bool:
        """Return whether a file of the stack in this checkout says so, which need not be deployed yet."""
        path = stack_file(self.place.project_dir, name)
        return path.is_file() and read_stack_config(self.place.project_dir, short_name(name)).protect

    def _forget_file(self, name: str) -> None:
        """Delete the file that `spawn` left in this checkout, if it did."""
        path = stack_file(self.place.project_dir, name)
        if path.is_file() and path.read_text(encoding="utf-8").startswith(HEADER):
            path.unlink()
