"""A stage of a rotation. Pure: a stage says what it changes, and what must hold then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Protocol


@unique
class RotationAction(StrEnum):
    """How a stage is done."""

    UPDATE = "update"
    """The config gets another value, and an update follows."""
    RENEW = "renew"
    """The values in the database are encrypted again."""
    ASK = "ask"
    """A person is told what to do elsewhere."""
    WAIT = "wait"
    """Waits until nothing that the old key signed is valid any more."""
    ADMIT = "admit"
    """Redis (until it restarts) or the database accepts the new password too."""
    RETIRE = "retire"
    """The database no longer accepts an earlier password."""


@dataclass(frozen=True, kw_only=True)
class PodKey:
    """A pod that was given the key."""

    name: str
    component: str
    value: str | None = field(repr=False)
    """The value; None if its Secret does not exist any more."""
    ending: bool = False
    """Whether the pod is being deleted."""
    accepts: bool = False
    """Whether the value is all that the pod accepts, with commas, and not the one that it uses itself."""


@dataclass(frozen=True, kw_only=True)
class Encrypted:
    """The values of the database that Fernet keys encrypt."""

    read: dict[str, int] = field(repr=False)
    """Number of values by the key that reads them."""
    unread: tuple[str, ...] = ()
    """Names of those that another key encrypted."""
    broken: tuple[str, ...] = ()
    """Names of those that no key ever encrypted."""


class RotationFacts(Protocol):
    """The facts that stages ask for. Each is looked up when it is asked for."""

    @property
    def deployed(self) -> str | None:
        """The value in the Secret that the last update deployed; None if the Secret does not exist."""

    @property
    def pods(self) -> Sequence[PodKey]:
        """The pods that were given the key."""

    @property
    def encrypted(self) -> Encrypted:
        """The values in the database."""

    @property
    def signed_until(self) -> str:
        """Until when a token that an earlier key signed may be valid, in words; "" if that time has passed."""

    @property
    def accepted(self) -> bool:
        """Airflow accepts the deployed admin password, or a server the new value: Redis, the database, the Git host."""

    @property
    def refusal(self) -> str:
        """Why a registry refuses the new login, or why a client of the new authority does not trust the database."""

    @property
    def alone(self) -> bool:
        """The database accepts no other password of the stack than the new one."""

    @property
    def apart(self) -> bool:
        """The master user of a managed database has a password that no pod of Airflow has."""


@dataclass(frozen=True, kw_only=True)
class RotationStage:
    """One stage."""

    text: str
    """The result of the stage, as a sentence."""
    lacks: Callable[[RotationFacts], str]
    """Returns what is missing for its postcondition; "" if it holds."""
    value: str = field(default="", repr=False)
    """The value in the config from the beginning of the stage; "" if the stage does not change it."""
    beside: str | None = field(default=None, repr=False)
    """What the config keeps beside the new value from its beginning on; "" takes it out, None leaves it as it is."""
    makes: tuple[str, Callable[[], str]] | None = field(default=None, repr=False)
    """A further secret config key, and what makes its value, unless the config has one."""
    doing: RotationAction = RotationAction.UPDATE
    rolls: tuple[str, ...] | None = None
    """The components whose pods an update replaces; None for all that have the key."""


def others(text: str, pods: Iterable[PodKey], holds: Callable[[str | None], bool]) -> str:
    """Return which pods have another value than they should. Where none runs, nothing is proved."""
    found = list(pods)
    return listed(text, (pod.name for pod in found if not holds(pod.value))) if found else "none of its pods runs"


def listed(text: str, names: Iterable[str]) -> str:
    """Return a text with names after it, "" if there are none."""
    found = list(names)
    return f"{text}: {', '.join(found)}" if found else ""
