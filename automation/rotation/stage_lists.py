"""The stages of each rotation. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from automation.rotation.stages import Encrypted, RotationAction, RotationFacts, RotationStage, listed
from automation.rotation.stages import others as pods_with_others
from automation.stages.writers import AIRFLOW

API_SERVER: Final = "api-server"
"""The component that accepts tokens."""
REDIS: Final = "redis"
"""The component of Redis' own pod."""
_UNDEPLOYED: Final = "the last update deployed another value"


def fernet_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages without a gap: no pod encrypts with a key that another one does not have.

    Args:
        old: The keys in use, without the new one. Empty in a rotation whose last stage has begun.
        new: The new key.
    """

    def keys(value: str) -> list[str]:
        return value.split(",")

    return (
        RotationStage(
            text="every pod can read with the new key",
            value=",".join((*old, new)),
            lacks=lambda facts: _without(facts, lambda value: new in keys(value)),
        ),
        RotationStage(
            text="the new key encrypts",
            value=",".join((new, *old)),
            lacks=lambda facts: _without(facts, lambda value: keys(value)[0] == new),
        ),
        RotationStage(
            text="the new key alone reads all that is encrypted in the database",
            doing=RotationAction.RENEW,
            lacks=lambda facts: _unrenewed(facts.encrypted, new),
        ),
        RotationStage(
            text="no pod has the old key",
            value=new,
            lacks=lambda facts: _without(facts, lambda value: value == new),
        ),
    )


def jwt_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages in which every API server accepts what any pod signs.

    Args:
        old: The secrets in use, without the new one. Empty in a rotation whose last stage has begun.
        new: The new secret.
    """

    def servers(facts: RotationFacts, holds: Callable[[list[str]], bool]) -> str:
        accepted = {pod.name: (pod.value or "").split(",") for pod in facts.pods if pod.accepts}
        # One that a version without a set of secrets started accepts only what it signs with.
        all_ = {pod.name for pod in facts.pods if pod.component == API_SERVER}
        names = sorted(name for name in all_ if not holds(accepted.get(name, [])))
        return listed("API servers that accept other secrets", names) if all_ else "no API server runs"

    def signers(facts: RotationFacts) -> str:
        if facts.deployed != new:
            return _UNDEPLOYED
        pods = (pod for pod in facts.pods if not pod.accepts)
        return pods_with_others("pods that sign with another secret", pods, lambda value: value == new)

    def dropped(facts: RotationFacts) -> str:
        return servers(facts, lambda accepted: accepted == [new])

    return (
        RotationStage(
            text="every API server accepts what the new secret signs",
            beside=new,
            rolls=(API_SERVER,),
            lacks=lambda facts: servers(facts, lambda accepted: new in accepted),
        ),
        RotationStage(text="every pod signs with the new secret", value=",".join((new, *old)), lacks=signers),
        RotationStage(
            text="no token that the old secret signed is valid any more, but for those of people and of API clients",
            doing=RotationAction.WAIT,
            lacks=lambda facts: facts.signed_until if dropped(facts) else "",
        ),
        RotationStage(
            text="no API server accepts the old secret",
            value=new,
            beside="",
            rolls=(API_SERVER,),
            lacks=dropped,
        ),
    )


def replacement_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the only stage of a key that has no predecessor beside it: pods that are ending may keep the old one."""
    return (
        RotationStage(
            text="every pod has the new value",
            value=new,
            lacks=lambda facts: _without(facts, lambda value: value == new, ending=False),
        ),
    )


def login_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the only stage of a password that a Job sets in Airflow."""

    def lacks(facts: RotationFacts) -> str:
        if facts.deployed != new:
            return "the new password is not deployed"
        return "" if facts.accepted else "Airflow does not accept the new password"

    return (RotationStage(text="Airflow accepts the new password", value=new, lacks=lacks),)


def redis_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages in which Redis accepts both passwords until its clients have the new one.

    If Redis restarts meanwhile, it has forgotten the new one, and the first stage is the next again.

    Args:
        old: The password in use; empty if the config has the new one already.
        new: The new password.
    """

    def others(facts: RotationFacts, *, server: bool) -> str:
        if server and facts.deployed != new:
            return _UNDEPLOYED
        pods = (pod for pod in facts.pods if (pod.component == REDIS) is server)
        return pods_with_others("pods that run with another password", pods, lambda value: value == new)

    return (
        RotationStage(
            text="Redis accepts the new password beside the old one",
            value=new,
            beside=old[0] if old else None,
            doing=RotationAction.ADMIT,
            lacks=lambda facts: "" if facts.accepted else "Redis refuses the new password",
        ),
        RotationStage(
            text="every client of Redis has the new password",
            rolls=AIRFLOW,
            lacks=lambda facts: others(facts, server=False),
        ),
        RotationStage(
            text="Redis accepts the new password alone",
            beside="",
            rolls=(REDIS,),
            lacks=lambda facts: others(facts, server=True),
        ),
    )


def git_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages of a deploy key: no pod gets one that the Git host refuses."""

    def others(facts: RotationFacts) -> str:
        # A pod of a single task has fetched its DAGs. The Secret that it names may be gone.
        pods = (pod for pod in facts.pods if not pod.ending and pod.value is not None)
        return pods_with_others("pods that fetch with another key", pods, lambda value: value == new)

    return (
        RotationStage(
            text="the Git host accepts the new key",
            beside=new,
            doing=RotationAction.ASK,
            lacks=lambda facts: "" if facts.accepted else "the Git host refuses the new key",
        ),
        RotationStage(text="every pod fetches DAGs with the new key", value=new, beside="", lacks=others),
    )


def pull_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the only stage of a login for registries, which has been tried before. Both are valid there meanwhile."""

    def lacks(facts: RotationFacts) -> str:
        if facts.deployed != new:
            return "the last update deployed another login"
        # A pod of a single task has pulled its images. The Secret that it names may be gone.
        pods = (pod for pod in facts.pods if not pod.ending and pod.value is not None)
        return pods_with_others("pods that pull with another login", pods, lambda value: value == new)

    return (RotationStage(text="every pod pulls with the new login", value=new, lacks=lacks),)


def authority_stages(old: Sequence[str], new: str) -> tuple[RotationStage, ...]:
    """Return the stages in which pods trust both authorities of a database until its certificate is of the new one.

    Args:
        old: The certificates in use, without the new one. Empty in a rotation whose last stage has begun.
        new: The new authority's.
    """

    def others(facts: RotationFacts, holds: Callable[[str], bool]) -> str:
        pods = (pod for pod in facts.pods if not pod.ending)
        return pods_with_others("pods that trust other authorities", pods, lambda value: holds(value or ""))

    return (
        RotationStage(
            text="every pod trusts both authorities",
            value="".join((*old, new)),
            lacks=lambda facts: others(facts, lambda value: new in value),
        ),
        RotationStage(
            text="the new authority has signed the database's certificate",
            doing=RotationAction.ASK,
            lacks=lambda facts: f"the database is not trusted by it: {facts.refusal}" if facts.refusal else "",
        ),
        RotationStage(
            text="no pod trusts the old authority",
            value=new,
            lacks=lambda facts: others(facts, lambda value: value == new),
        ),
    )


def _without(facts: RotationFacts, holds: Callable[[str], bool], *, ending: bool = True) -> str:
    """Return which pods, with or without those that are ending, have another value than they should."""
    if facts.deployed is None or not holds(facts.deployed):
        return _UNDEPLOYED
    pods = (pod for pod in facts.pods if ending or not pod.ending)
    return listed("pods that run with another value", (p.name for p in pods if p.value is None or not holds(p.value)))


def _unrenewed(found: Encrypted, new: str) -> str:
    if found.unread:
        return listed("values that no key reads", found.unread)
    others = sum(count for key, count in found.read.items() if key != new)
    return f"{others} values need the old key" if others else ""
