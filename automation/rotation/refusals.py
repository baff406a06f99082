"""Why a key cannot be rotated as things are, each reason with its remedy. Pure, but for what the facts look up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from automation.rotation.cluster_facts import ClusterFacts
from automation.rotation.kept_values import Kept
from automation.rotation.keys import Key
from components.kube.secret import Secret

_TABLES: Final = (
    "the first update gives workers a Fernet key of their own: a task after it cannot open a Delta or Iceberg table "
    "with storage options that a task before it passed on; if one fails, clear the task that passed the table on"
)


def given_refusals(stack: str, key: Key, given: Secret | None, *, begun: str | None, present: str | None) -> list[str]:
    """Return what is wrong with a value that was given, or with none.

    Args:
        stack: For commands.
        key: The key.
        given: The value.
        begun: The new value of a rotation that is under way, else None.
        present: The value that is in use, None if that is not known.
    """
    fix = f"python -m automation rotate {key.name} {stack}"
    if not key.given:
        return [] if given is None else [f"--from: expected no value, because the verb makes one. Fix: {fix}"]
    if given is None:
        return (
            []
            if begun is not None
            else [f"--from: expected a file with the new value, found none. Fix: {fix} --from FILE"]
        )
    try:
        key.check(given.reveal())
    except ValueError as error:
        return [f"--from: {error}. Fix: {fix} --from FILE"]
    values = key.values(given.reveal())
    if len(values) != 1:
        return [f"--from: expected one certificate, the new authority's, found {len(values)}. Fix: {fix} --from FILE"]
    if begun not in (None, values[0]):
        return [f"--from: expected the value that the rotation began with, found another one. Fix: {fix}"]
    if begun is None and present is not None and key.values(present) == values:
        return [f"--from: expected another value than the present one, found the same. Fix: {fix} --from FILE"]
    return []


def refusals(stack: str, key: Key, kept: Kept, facts: ClusterFacts, *, resumed: bool) -> list[str]:
    """Return why a rotation cannot begin or go on, each with its remedy. resumed: it was begun before."""
    if kept.mark is not None and kept.mark.key != key.name:
        return [f"another rotation is under way. Fix: finish it, python -m automation rotate {kept.mark.key} {stack}"]
    if kept.secret:
        return [
            f"airflow:keySource: expected that the stack makes the key, found it in Secret {kept.secret}, which "
            f"something else makes. Fix: put another Secret with the new value beside it, pulumi config set --stack "
            f"{stack} --path 'airflow:keySecrets.{key.config_key}' NAME, and python -m automation up {stack}; first "
            "see docs/runbooks/rotate-keys.md#keys-in-secrets-of-your-own"
        ]
    if key.name == "redis-password" and kept.broker:
        return [
            "redis-password: expected a stack that runs its own Redis, found airflow:brokerUrl, whose server has its "
            "own passwords. Fix: let that server accept a second password, then pulumi config set --stack "
            f"{stack} --secret airflow:brokerUrl, with the URL when it asks, and python -m automation up {stack}: "
            "every pod of Airflow rolls; then take the first password away"
        ]
    if resumed:
        return []
    if key.needs and not facts.pods:
        return [f"{key.name}: expected a stack with {key.needs}, found none. Fix: rotate another key of {stack}"]
    if facts.deployed is None or (kept.value is not None and not _same(key, kept.value, facts.deployed)):
        return [
            f"airflow:{key.config_key}: expected the value that is deployed, found another one. "
            f"Fix: python -m automation up {stack}"
        ]
    if key.name == "registry" and facts.refusal:
        return [
            f"registry: expected that the nodes pull Airflow's image with the new login, found: {facts.refusal}. Fix: "
            f"try it with docker login, then python -m automation rotate registry {stack} --from FILE"
        ]
    if key.database == "external" and facts.refusal:
        return [
            f"database-password: {facts.refusal}. Fix: see docs/day-2.md#the-role-of-an-external-database; then "
            f"python -m automation rotate database-password {stack} --from FILE"
        ]
    if key.name == "ca" and kept.value is None:
        return [
            "ca: expected airflow:databaseCaCertificate, found an authority that the program knows. Fix: none is needed"
        ]
    if key.name != "fernet":
        return []
    return [
        f"{name}: another Fernet key encrypted it, and the rotation would lose it. Fix: give the stack that key too, "
        f"pulumi config set --stack {stack} --secret airflow:fernetKey, and KEY,OTHER_KEY when it asks; or set the "
        "value anew, or delete it, in Airflow"
        for name in facts.encrypted.unread
    ]


def _same(key: Key, kept: str, deployed: str) -> bool:
    return key.normal(kept) == deployed if key.secret else key.values(kept) == key.values(deployed)


def notes(key: Key, old: Sequence[str], new: str, facts: ClusterFacts, *, resumed: bool) -> list[str]:
    """Return what is good to know before a key is rotated, a sentence each. old: the values in the config."""
    if key.database == "external":
        # A run that continues knows only what its pods have: the config has the new role already.
        logins = (*old, *(pod.value for pod in facts.pods if pod.value not in (None, new)))
        roles = " and ".join(dict.fromkeys(str(value).partition(":")[0] for value in logins))
        earlier = f"the role {roles}" if roles else "the earlier role"
        return [f"afterwards, give {earlier} another password at the server: no pod logs in with it any more"]
    if key.name != "fernet" or resumed:
        return []
    broken = [
        f"{name} is no encrypted text: Airflow cannot read it, before or after" for name in facts.encrypted.broken
    ]
    return [*broken, _TABLES] if facts.workers_share else broken
