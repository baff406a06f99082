"""The stages of each rotation. Pure: a stage says what it changes, and what must hold when it is done.

Nothing remembers how far a rotation is. The next stage is the first that lacks something, so a rotation that was killed
is resumed by beginning it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final, Protocol

API_SERVER: Final = "api-server"
"""The component that accepts tokens."""
REDIS: Final = "redis"
"""The component of Redis' own pod."""


@unique
class Doing(StrEnum):
    """How a stage is done."""

    UPDATE = "update"
    """The config gets another value, and an update follows."""
    RENEW = "renew"
    """The values in the database are encrypted again."""
    ASK = "ask"
    """A person is told what to do elsewhere."""
    WAIT = "wait"
    """Until what the old key signed is not valid any more."""
    ADMIT = "admit"
    """Redis is told to accept the new password too, until it restarts."""


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
    """What the database holds under Fernet keys."""

    read: dict[str, int] = field(repr=False)
    """Number of values by the key that reads them."""
    unread: tuple[str, ...] = ()
    """Names of those that another key encrypted."""
    broken: tuple[str, ...] = ()
    """Names of those that no key ever encrypted."""


class Facts(Protocol):
    """What there is. Each fact is looked up when it is asked for."""

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
        """Airflow accepts the deployed admin password, Redis the new one, or the Git host the new key."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage."""

    text: str
    """What is so when it is done."""
    lacks: Callable[[Facts], str]
    """Returns what its postcondition lacks, "" where it holds."""
    value: str = field(default="", repr=False)
    """What the config says from its beginning on; "" if it changes nothing there."""
    beside: str | None = field(default=None, repr=False)
    """What the config keeps beside the new value from its beginning on; "" takes it out, None leaves it as it is."""
    doing: Doing = Doing.UPDATE
    rolls: tuple[str, ...] | None = None
    """The components whose pods an update replaces; None for all that have the key."""


def next_stage(stages: Sequence[Stage], facts: Facts) -> tuple[int, Stage] | None:
    """Return number, from 1, and stage of the first that lacks something; None if the rotation is done."""
    return next(((number, stage) for number, stage in enumerate(stages, 1) if stage.lacks(facts)), None)


def fernet_stages(old: Sequence[str], new: str) -> tuple[Stage, ...]:
    """Return the stages without a gap: no pod encrypts with a key that another one does not have.

    Args:
        old: The keys in use, without the new one. Empty in a rotation whose last stage has begun.
        new: The new key.
    """

    def keys(value: str) -> list[str]:
        return value.split(",")

    return (
        Stage(
            text="every pod can read with the new key",
            value=",".join((*old, new)),
            lacks=lambda facts: _without(facts, lambda value: new in keys(value)),
        ),
        Stage(
            text="the new key encrypts",
            value=",".join((new, *old)),
            lacks=lambda facts: _without(facts, lambda value: keys(value)[0] == new),
        ),
        Stage(
            text="the new key alone reads all that is encrypted in the database",
            doing=Doing.RENEW,
            lacks=lambda facts: _unrenewed(facts.encrypted, new),
        ),
        Stage(
            text="no pod has the old key",
            value=new,
            lacks=lambda facts: _without(facts, lambda value: value == new),
        ),
    )


def jwt_stages(old: Sequence[str], new: str) -> tuple[Stage, ...]:
    """Return the stages in which every API server accepts what any pod signs.

    Args:
        old: The secrets in use, without the new one. Empty in a rotation whose last stage has begun.
        new: The new secret.
    """

    def servers(facts: Facts, holds: Callable[[list[str]], bool]) -> str:
        accepted = {pod.name: (pod.value or "").split(",") for pod in facts.pods if pod.accepts}
        # One that a version without a set of secrets started accepts only what it signs with.
        all_ = {pod.name for pod in facts.pods if pod.component == API_SERVER}
        names = sorted(name for name in all_ if not holds(accepted.get(name, [])))
        return _listed("API servers that accept other secrets", names)

    def signers(facts: Facts) -> str:
        names = (pod.name for pod in facts.pods if not pod.accepts and pod.value != new)
        return _listed("pods that sign with another secret", names)

    def dropped(facts: Facts) -> str:
        return servers(facts, lambda accepted: accepted == [new])

    return (
        Stage(
            text="every API server accepts what the new secret signs",
            beside=new,
            rolls=(API_SERVER,),
            lacks=lambda facts: servers(facts, lambda accepted: new in accepted),
        ),
        Stage(text="every pod signs with the new secret", value=",".join((new, *old)), lacks=signers),
        Stage(
            text="no token that the old secret signed is valid any more, but for those of people and of API clients",
            doing=Doing.WAIT,
            lacks=lambda facts: facts.signed_until if dropped(facts) else "",
        ),
        Stage(
            text="no API server accepts the old secret",
            value=new,
            beside="",
            rolls=(API_SERVER,),
            lacks=dropped,
        ),
    )


def replacement_stages(old: Sequence[str], new: str) -> tuple[Stage, ...]:
    """Return the only stage of a key that has no predecessor beside it: pods that are ending may keep the old one."""
    return (
        Stage(
            text="every pod has the new value",
            value=new,
            lacks=lambda facts: _without(facts, lambda value: value == new, ending=False),
        ),
    )


def login_stages(old: Sequence[str], new: str) -> tuple[Stage, ...]:
    """Return the only stage of a password that a Job sets in Airflow."""

    def lacks(facts: Facts) -> str:
        if facts.deployed != new:
            return "the new password is not deployed"
        return "" if facts.accepted else "Airflow does not accept the new password"

    return (Stage(text="Airflow accepts the new password", value=new, lacks=lacks),)


def redis_stages(old: Sequence[str], new: str) -> tuple[Stage, ...]:
    """Return the stages in which Redis accepts both passwords until its clients have the new one.

    If Redis restarts meanwhile, it has forgotten the new one, and the first stage is the next again.

    Args:
        old: The password in use; empty if the config has the new one already.
        new: The new password.
    """

    def others(facts: Facts, *, server: bool) -> str:
        pods = (pod for pod in facts.pods if (pod.component == REDIS) is server)
        return _listed("pods that run with another password", (pod.name for pod in pods if pod.value != new))

    return (
        Stage(
            text="Redis accepts the new password beside the old one",
            value=new,
            beside=old[0] if old else None,
            doing=Doing.ADMIT,
            lacks=lambda facts: "" if facts.accepted else "Redis refuses the new password",
        ),
        Stage(
            text="every client of Redis has the new password",
            rolls=("api-server", "dag-processor", "scheduler", "triggerer", "worker"),
            lacks=lambda facts: others(facts, server=False),
        ),
        Stage(
            text="Redis accepts the new password alone",
            beside="",
            rolls=(REDIS,),
            lacks=lambda facts: others(facts, server=True),
        ),
    )


def git_stages(old: Sequence[str], new: str) -> tuple[Stage, ...]:
    """Return the stages of a deploy key: no pod gets one that the Git host refuses."""

    def others(facts: Facts) -> str:
        pods = (pod for pod in facts.pods if not pod.ending)
        return _listed("pods that fetch with another key", (pod.name for pod in pods if pod.value != new))

    return (
        Stage(
            text="the Git host accepts the new key",
            beside=new,
            doing=Doing.ASK,
            lacks=lambda facts: "" if facts.accepted else "the Git host refuses the new key",
        ),
        Stage(text="every pod fetches DAGs with the new key", value=new, beside="", lacks=others),
    )


def _without(facts: Facts, holds: Callable[[str], bool], *, ending: bool = True) -> str:
    """Return which pods, with or without those that are ending, have another value than they should."""
    if facts.deployed is None or not holds(facts.deployed):
        return "the last update deployed another value"
    pods = (pod for pod in facts.pods if ending or not pod.ending)
    return _listed("pods that run with another value", (p.name for p in pods if p.value is None or not holds(p.value)))


def _unrenewed(found: Encrypted, new: str) -> str:
    if found.unread:
        return _listed("values that no key reads", found.unread)
    others = sum(count for key, count in found.read.items() if key != new)
    return f"{others} values need the old key" if others else ""


def _listed(text: str, names: Iterable[str]) -> str:
    listed = list(names)
    return f"{text}: {', '.join(listed)}" if listed else ""
