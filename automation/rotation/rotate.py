"""Rotates a key in stages: finds the next stage, does it and proves it, until all are done.

To resume a rotation that was killed, begin it again: the mark in the config identifies the new value, and the facts say
how far it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from automation.cluster import client, objects
from automation.cluster.deployment import Deployment
from automation.engine import operations
from automation.engine.events import OnEvent, ignore
from automation.engine.operations import OpenedStack
from automation.errors import RotationRefused
from automation.folder import short_name
from automation.recovery.recover import resumed_update, wait_until_healthy
from automation.results import Changes
from automation.rotation import kept_values, token_wait
from automation.rotation.cluster_facts import ClusterFacts
from automation.rotation.kept_values import Kept
from automation.rotation.keys import KEYS, Key
from automation.rotation.result import Rotation, RotationPlan
from automation.rotation.stages import Doing, Stage
from automation.stacks import updates
from automation.stacks.config import Keep
from automation.stacks.session import Session
from automation.stages import decisions
from automation.stages.result import PlannedStage
from automation.stages.run import StagedRun
from automation.stages.stage import next_stage
from components.kube.secret import Secret
from settings.rotation import Mark, fingerprint

VERB: Final = "rotate"
_UPDATES: Final = 5
"""How many of the last updates an estimate is made of."""


@dataclass(frozen=True, kw_only=True)
class _Target:
    """What a rotation is to bring about."""

    new: str = field(repr=False)
    old: tuple[str, ...] = field(repr=False)
    stages: tuple[Stage, ...]
    resumed: bool


def rotation_plan(session: Session, name: str, given: Secret | None) -> RotationPlan:
    """See `Environment.rotation`."""
    return _plan(session, KEYS[name], given)[0]


def rotate(
    session: Session, name: str, given: Secret | None, timeout_seconds: float, keep: Keep, on_event: OnEvent
) -> Rotation:
    """See `Environment.rotate`."""
    key, started = KEYS[name], time.monotonic()
    teller = session.events(VERB, on_event)
    plan, target = _plan(session, key, given)
    if plan.refusals:
        raise RotationRefused(plan.stack, name, plan.refusals)
    for note in plan.notes:
        teller.note(note)
    if key.secret:
        session.masker = session.masker.knowing([target.new, *target.old])
    run = StagedRun(
        session=session,
        verb=VERB,
        what="rotation",
        again=_again(session, name),
        stages=target.stages,
        on_event=on_event,
    )
    done = run.done(
        lambda: _facts(session, key, target.new),
        lambda number, stage: _do(run, key, target, number, timeout_seconds, keep),
    )
    with session.open_for_update(VERB, on_event) as opened:
        kept_values.remove_mark(session, opened)
        session.keep_settings(keep)
    return Rotation(plan=plan, stages=done, seconds=round(time.monotonic() - started, 1))


def _plan(session: Session, key: Key, given: Secret | None) -> tuple[RotationPlan, _Target]:
    """Raises StackUnknown, and what cluster and engine raise."""
    stack = short_name(session.name)
    if given is not None and key.secret:
        session.masker = session.masker.knowing([given.reveal()])
    with session.open_for_update(VERB, ignore, create=False) as opened:
        kept = kept_values.read(session, opened, key)
        history = [updates.history_entry(record) for record in operations.history(opened, _UPDATES)]
    target = _target(key, kept, _facts(session, key, "").deployed, given)
    facts = _facts(session, key, target.new)
    refusals = tuple(
        _given_refusals(stack, key, given, target) or _refusals(stack, key, kept, facts, resumed=target.resumed)
    )
    rolls = tuple(sorted({pod.component for pod in facts.pods if not pod.ending}))
    seconds = updates.usual_seconds(history)
    nxt = None if refusals else next_stage(target.stages, facts)
    first = nxt[0] if nxt else len(target.stages) + 1
    stages = tuple(
        PlannedStage(
            text=stage.text,
            rolls=(rolls if stage.rolls is None else stage.rolls) if stage.doing is Doing.UPDATE else (),
            seconds=None if refusals else _stage_seconds(_mark(session, key, target.new), stage, facts, seconds),
            done=target.resumed and not refusals and number < first,
        )
        for number, stage in enumerate(target.stages, 1)
    )
    notes = () if refusals or key.name != "fernet" or target.resumed else tuple(_notes(facts))
    plan = RotationPlan(
        stack=stack, key=key.name, resumed=target.resumed, stages=stages, notes=notes, refusals=refusals
    )
    return plan, target


def _target(key: Key, kept: Kept, deployed: str | None, given: Secret | None) -> _Target:
    """Return the rotation that is under way, or a new one. A new value that was never written is forgotten."""
    present = kept.value or deployed
    values = key.values(present) if present else ()
    if kept.mark is not None and kept.mark.key == key.name:
        known = (*values, *([key.normal(kept.beside)] if kept.beside else []))
        new = next((value for value in known if fingerprint(value) == kept.mark.fingerprint), None)
        if new is not None:
            old = tuple(value for value in values if value != new)
            return _Target(new=new, old=old, stages=key.stages(old, new), resumed=True)
    if key.given:
        new = next(iter(key.values(given.reveal())), "") if given is not None else ""
        old = tuple(value for value in values if value != new)
        return _Target(new=new, old=old, stages=key.stages(old, new), resumed=False)
    new = key.make()
    while not key.fits((*values, new)):
        new = key.make()
    return _Target(new=new, old=values, stages=key.stages(values, new), resumed=False)


def _given_refusals(stack: str, key: Key, given: Secret | None, target: _Target) -> list[str]:
    """Return what is wrong with a value that was given, or with none."""
    fix = f"python -m automation rotate {key.name} {stack}"
    if not key.given:
        return [] if given is None else [f"--from: expected no value, because the verb makes one. Fix: {fix}"]
    if given is None:
        return (
            []
            if target.resumed
            else [f"--from: expected a file with the new value, found none. Fix: {fix} --from FILE"]
        )
    try:
        key.check(given.reveal())
    except ValueError as error:
        return [f"--from: {error}. Fix: {fix} --from FILE"]
    values = key.values(given.reveal())
    if len(values) != 1:
        return [f"--from: expected one certificate, the new authority's, found {len(values)}. Fix: {fix} --from FILE"]
    if target.resumed and values[0] != target.new:
        return [f"--from: expected the value that the rotation began with, found another one. Fix: {fix}"]
    return []


def _refusals(stack: str, key: Key, kept: Kept, facts: ClusterFacts, *, resumed: bool) -> list[str]:
    if kept.mark is not None and kept.mark.key != key.name:
        return [f"another rotation is under way. Fix: finish it, python -m automation rotate {kept.mark.key} {stack}"]
    if kept.secret:
        return [
            f"airflow:keySource: expected that the stack makes the key, found it in Secret {kept.secret}, which "
            f"something else makes. Fix: put another Secret with the new value beside it, pulumi config set --stack "
            f"{stack} --path 'airflow:keySecrets.{key.config_key}' NAME, and python -m automation up {stack}; first "
            "see docs/runbooks/rotate-keys.md#keys-in-secrets-of-your-own"
        ]
    if resumed:
        return []
    if key.name == "database-password" and not facts.container_database:
        return [
            "database-password: expected a container database, found one whose roles the program does not make. Fix: "
            f"pulumi config set --stack {stack} --secret airflow:databaseLogin, as docs/runbooks/rotate-keys.md says"
        ]
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


def _notes(facts: ClusterFacts) -> list[str]:
    return [f"{name} is no encrypted text: Airflow cannot read it, before or after" for name in facts.encrypted.broken]


def _do(run: StagedRun[Stage], key: Key, target: _Target, number: int, timeout_seconds: float, keep: Keep) -> Changes:
    """Do a stage and prove it. Raises NotHealthy if its postcondition does not come to hold in time."""
    session, on_event, stage = run.session, run.on_event, target.stages[number - 1]
    mark = Mark(
        key=key.name,
        stage=number,
        stages=len(target.stages),
        fingerprint=fingerprint(target.new),
        until=token_wait.until(
            _mark(session, key, target.new),
            number,
            stage,
            lambda: _facts(session, key, target.new).token_seconds,
        ),
    )
    with session.open_for_update(VERB, on_event) as opened:
        _write(session, opened, key, mark, stage, keep)
    changes = Changes({})
    if stage.doing is Doing.UPDATE:
        changes = resumed_update(session, VERB, timeout_seconds, on_event).changes
    elif stage.doing is Doing.RENEW:
        _facts(session, key, target.new).renew()
    elif stage.doing is Doing.ASK:
        session.events(VERB, on_event).note(key.told(target.new))
    elif stage.doing is Doing.ADMIT:
        _facts(session, key, target.new).admit()
    elif stage.doing is Doing.RETIRE:
        _facts(session, key, target.new).retire()
    waits = (token_wait.seconds_left(mark) or 0) if stage.doing is Doing.WAIT else 0
    run.until_it_holds(number, _looking(session, key, target.new), timeout_seconds + waits)
    wait_until_healthy(session, timeout_seconds)
    return changes


def _write(session: Session, opened: OpenedStack, key: Key, mark: Mark, stage: Stage, keep: Keep) -> None:
    """Write down what the stage needs, before anything uses it."""
    if key.resource and session.place.settings is None and session.config().protect:
        decisions.decide(session.place.project_dir, short_name(session.name), key.resource, f"rotate {key.name}")
    kept = kept_values.read(session, opened, key)
    kept_values.write(session, opened, key, kept, mark, stage)
    session.keep_settings(keep)
    session.cancellation.record("the config was changed", _again(session, key.name))


def _facts(session: Session, key: Key, new: str) -> ClusterFacts:
    """Return the facts as they are now."""
    return _looking(session, key, new)()


def _looking(session: Session, key: Key, new: str) -> Callable[[], ClusterFacts]:
    """Return what looks at the facts again and again, until another update."""
    config = session.reached_config()
    with session.open_for_reading(VERB) as opened:
        outputs = operations.stack_outputs(opened)
    Deployment.of(outputs)  # raises StackUnknown for a stack that was never deployed
    path = config.kubeconfig
    kube = client.KubeClient(config.kube_context, config.namespace, kubeconfig_path=path)
    stored = objects.ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=path)
    mark = _mark(session, key, new)
    sleep = session.cancellation.clock(session.cancellation.raise_if_cancelled).sleep
    return lambda: ClusterFacts(
        key, outputs, kube, stored.secret, new, token_wait.signed_until(mark), session.cluster, sleep
    )


def _mark(session: Session, key: Key, new: str) -> Mark | None:
    return token_wait.mark_to(session.config().rotation, key, new)


def _stage_seconds(mark: Mark | None, stage: Stage, facts: ClusterFacts, update: float | None) -> float | None:
    """Return about how long a stage takes. update: the same for an update."""
    if stage.doing is Doing.WAIT:
        left = token_wait.seconds_left(mark)
        return facts.token_seconds if left is None else round(left)
    return update if stage.doing is Doing.UPDATE else None


def _again(session: Session, name: str) -> str:
    return f"python -m automation rotate {name} {session.name} continues it"
