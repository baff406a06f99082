"""Rotates a key in stages: finds the next stage, does it and proves it, until all are done.

To resume a rotation that was killed, begin it again: the mark in the config identifies the new value, and the facts say
how far it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from automation.cluster import client, objects
from automation.cluster.deployment import Deployment
from automation.decided import decide
from automation.engine import operations
from automation.engine.events import EventKind, OnEvent, ignore
from automation.engine.opened_stack import OpenedStack
from automation.errors import RotationRefused
from automation.folder import short_name
from automation.recovery.recover import resumed_update, stack_status, wait_until_healthy
from automation.results import Changes
from automation.rotation import kept_values, token_wait
from automation.rotation.cluster_facts import ClusterFacts
from automation.rotation.database_keys import rotated_key
from automation.rotation.kept_values import Kept
from automation.rotation.keys import Key
from automation.rotation.refusals import given_refusals
from automation.rotation.refusals import notes as kept_notes
from automation.rotation.refusals import refusals as kept_refusals
from automation.rotation.result import Rotation, RotationPlan
from automation.rotation.stages import RotationAction, RotationFacts, RotationStage
from automation.stacks import updates
from automation.stacks.cluster_tag import require_its_cluster
from automation.stacks.config import Keep
from automation.stacks.session import Session
from automation.stages.result import PlannedStage
from automation.stages.run import StagedRun
from automation.stages.stage import next_stage
from automation.stages.under_way import killed_update, not_running, others_under_way
from automation.wait import answered, reminding
from components.kube.secret import Secret
from settings.rotation import Mark, fingerprint

VERB: Final = "rotate"
_UPDATES: Final = 5
"""How many of the last updates an estimate is made of."""


@dataclass(kw_only=True)
class _Target:
    """What a rotation is to bring about."""

    new: str = field(repr=False)
    old: tuple[str, ...] = field(repr=False)
    stages: tuple[RotationStage, ...]
    resumed: bool
    kept: Kept
    """What was kept about the key when the run began."""
    mark: Mark | None = None
    """What this run has written last."""

    @property
    def beside(self) -> tuple[str, ...]:
        """The config keys of the marks beside which it goes on.

        A restore may wait for a rotation that was begun: Redis, which it restarts, refuses clients until that goes on.
        """
        return ("rotation", "restore") if self.resumed or self.mark is not None else ("rotation",)

    def is_alone(self, kept: Kept) -> bool:
        """Return whether nobody else has written since this run looked. kept: what is kept now."""
        return kept == self.kept if self.mark is None else kept.mark == self.mark


def rotation_plan(session: Session, name: str, given: Secret | None) -> RotationPlan:
    """See `Environment.rotation`."""
    return _plan(session, rotated_key(name, session.config().database), given, ignore)[0]


def rotate(
    session: Session, name: str, given: Secret | None, timeout_seconds: float, keep: Keep, on_event: OnEvent
) -> Rotation:
    """See `Environment.rotate`."""
    key, started = rotated_key(name, session.config().database), time.monotonic()
    teller = session.events(VERB, on_event)
    plan, target = _plan(session, key, given, on_event)
    if plan.refusals:
        raise RotationRefused(plan.stack, name, plan.refusals)
    for note in plan.notes:
        teller.note(note)
    if key.secret:
        session.masker = session.masker.knowing(
            [text for value in (target.new, *target.old) for text in key.hidden(value)]
        )
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
        kept_values.end(session, opened, key, target.stages)
        session.keep_settings(keep)
    return Rotation(plan=plan, stages=done, seconds=round(time.monotonic() - started, 1))


def _plan(session: Session, key: Key, given: Secret | None, on_event: OnEvent) -> tuple[RotationPlan, _Target]:
    """Raises StackUnknown, and what cluster and engine raise."""
    stack = short_name(session.name)
    if given is not None and key.secret:
        session.masker = session.masker.knowing(key.hidden(key.normal(given.reveal())))
    with session.open_for_update(VERB, on_event, create=False) as opened:
        require_its_cluster(session, opened)
        kept = kept_values.read(session, opened, key)
        history = [updates.history_entry(record) for record in operations.history(opened, _UPDATES)]
    deployed = _facts(session, key, "").deployed
    target = _target(key, kept, deployed, given)
    target.stages = tuple(_whole(session, key, target.new, *item) for item in enumerate(target.stages, 1))
    facts = _facts(session, key, target.new, on_event)
    config = session.config()
    refusals = (
        *others_under_way(stack, config, *target.beside),
        *not_running(stack, (config.running, facts.running), "a rotation looks at the pods that have the key"),
        *(() if target.resumed or not stack_status(session).killed else (killed_update(stack),)),
        *given_refusals(
            stack, key, given, begun=target.new if target.resumed else None, present=kept.value or deployed
        ),
    ) or tuple(kept_refusals(stack, key, kept, facts, resumed=target.resumed))
    rolls = tuple(sorted({pod.component for pod in facts.pods if not pod.ending}))
    seconds = updates.usual_seconds(history)
    clock = session.cancellation.clock()
    nxt = None if refusals else answered(lambda: next_stage(target.stages, facts), clock)
    first = nxt[0] if nxt else len(target.stages) + 1
    stages = tuple(
        PlannedStage(
            text=stage.text,
            rolls=(rolls if stage.rolls is None else stage.rolls) if stage.doing is RotationAction.UPDATE else (),
            seconds=None if refusals else _stage_seconds(_mark(session, key, target.new), stage, facts, seconds),
            done=target.resumed and not refusals and number < first,
        )
        for number, stage in enumerate(target.stages, 1)
    )
    notes = () if refusals else tuple(kept_notes(key, target.old, target.new, facts, resumed=target.resumed))
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
            return _Target(new=new, old=old, stages=key.stages(old, new), resumed=True, kept=kept)
    if key.given:
        new = next(iter(key.values(given.reveal())), "") if given is not None else ""
        old = tuple(value for value in values if value != new)
        return _Target(new=new, old=old, stages=key.stages(old, new), resumed=False, kept=kept)
    new = key.make()
    while not key.fits((*values, new)):
        new = key.make()
    return _Target(new=new, old=values, stages=key.stages(values, new), resumed=False, kept=kept)


def _whole(session: Session, key: Key, new: str, number: int, stage: RotationStage) -> RotationStage:
    """Return a stage that is not done before its own update has come to its end: a kill may follow the last pod."""

    def lacks(facts: RotationFacts) -> str:
        lacking, mark = stage.lacks(facts), _mark(session, key, new)
        own = not lacking and mark is not None and mark.stage == number
        return "its update was killed" if own and stack_status(session).killed else lacking

    return replace(stage, lacks=lacks) if stage.doing is RotationAction.UPDATE else stage


def _do(
    run: StagedRun[RotationStage], key: Key, target: _Target, number: int, timeout_seconds: float, keep: Keep
) -> Changes:
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
        _write(session, opened, key, target, mark, stage, keep)
    changes = Changes({})
    if stage.doing is RotationAction.UPDATE:
        changes = resumed_update(session, VERB, timeout_seconds, on_event).changes
    elif stage.doing is RotationAction.RENEW:
        _facts(session, key, target.new).renew()
    elif stage.doing is RotationAction.ASK:
        session.events(VERB, on_event).note(key.told(target.new))
    elif stage.doing is RotationAction.ADMIT:
        _facts(session, key, target.new).admit()
    elif stage.doing is RotationAction.RETIRE:
        _facts(session, key, target.new).retire()
    waits = (token_wait.seconds_left(mark) or 0) if stage.doing is RotationAction.WAIT else 0
    run.until_it_holds(number, _looking(session, key, target.new, on_event), timeout_seconds + waits)
    wait_until_healthy(session, timeout_seconds)
    return changes


def _write(
    session: Session, opened: OpenedStack, key: Key, target: _Target, mark: Mark, stage: RotationStage, keep: Keep
) -> None:
    """Write down what the stage needs, before anything uses it. Raises RotationRefused if somebody else has written."""
    stack = short_name(session.name)
    kept = kept_values.read(session, opened, key)
    if not target.is_alone(kept):
        found = kept.mark.told(stack) if kept.mark else "another value, and no rotation under way"
        raise RotationRefused(
            stack,
            key.name,
            (
                f"airflow:{key.config_key}: expected what this run found or wrote, found {found}: somebody else "
                f"rotates or has rotated it. Fix: let the other run end; then python -m automation status {stack}",
            ),
        )
    others = others_under_way(stack, session.config(), *target.beside)
    if others:
        raise RotationRefused(stack, key.name, others)
    if key.resource and session.place.settings is None and session.config().protect:
        decide(session.place.project_dir, stack, key.resource, f"rotate {key.name}")
    kept_values.write(session, opened, key, kept, mark, stage)
    target.mark = mark
    session.keep_settings(keep)
    kept_values.write_escrowed(key, kept, stage)
    session.cancellation.record("the config was changed", _again(session, key.name))


def _facts(session: Session, key: Key, new: str, on_event: OnEvent = ignore) -> ClusterFacts:
    """Return the facts as they are now."""
    return _looking(session, key, new, on_event)()


def _looking(session: Session, key: Key, new: str, on_event: OnEvent) -> Callable[[], ClusterFacts]:
    """Return what looks at the facts again and again, until another update."""
    config = session.reached_config()
    with session.open_for_reading(VERB) as opened:
        outputs = operations.stack_outputs(opened)
    Deployment.of(outputs)  # raises StackUnknown for a stack that was never deployed
    path = config.kubeconfig
    kube = client.KubeClient(config.kube_context, config.namespace, kubeconfig_path=path)
    stored = objects.ClusterObjects(config.kube_context, config.namespace, kubeconfig_path=path)
    mark = _mark(session, key, new)
    clock, teller = session.cancellation.clock(session.cancellation.raise_if_cancelled), session.events(VERB, on_event)

    told = set[str]()

    def waiting(what: str, doing: str) -> Callable[[float], None]:
        if doing and doing not in told:
            told.add(doing)
            teller.note(doing)
        return reminding(clock, lambda line: teller.tell(EventKind.WAITING, line), what)

    return lambda: ClusterFacts(
        key, outputs, kube, stored.secret, new, token_wait.signed_until(mark), session.cluster, waiting
    )


def _mark(session: Session, key: Key, new: str) -> Mark | None:
    return token_wait.mark_to(session.config().rotation, key, new)


def _stage_seconds(mark: Mark | None, stage: RotationStage, facts: ClusterFacts, update: float | None) -> float | None:
    """Return about how long a stage takes. update: the same for an update."""
    if stage.doing is RotationAction.WAIT:
        left = token_wait.seconds_left(mark)
        return facts.token_seconds if left is None else round(left)
    return update if stage.doing is RotationAction.UPDATE else None


def _again(session: Session, name: str) -> str:
    return f"python -m automation rotate {name} {session.name} continues it"
