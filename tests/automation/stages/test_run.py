"""Stages are done in order, each is proved, and one that does not come to hold stops the verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from automation.engine.events import ignore
from automation.errors import ClusterRequestFailed, NotHealthy
from automation.results import Changes
from automation.stacks.session import Session
from automation.stages.run import StagedRun
from automation.stages.stage import next_stage
from tests.automation.fakes import FakeTime


@dataclass(frozen=True)
class Stage:
    text: str
    lacks: Callable[[set[str]], str]


def stage(text: str) -> Stage:
    return Stage(text, lambda done: "" if text in done else f"{text} lacks")


STAGES = tuple(map(stage, "abc"))


def run(lines: list[str]) -> StagedRun[Stage]:
    clock = FakeTime().clock
    teller = SimpleNamespace(note=lines.append, tell=lambda kind, line: lines.append(line))
    session = SimpleNamespace(
        events=lambda verb, on_event: teller,
        config=lambda: SimpleNamespace(worker_grace_seconds=10),
        cancellation=SimpleNamespace(
            clock=lambda: clock, raise_if_cancelled=lambda: None, record=lambda what, again: lines.append(what)
        ),
    )
    return StagedRun(
        session=cast("Session", session), verb="move", what="move", again="again", stages=STAGES, on_event=ignore
    )


def test_only_what_lacks_something_is_done() -> None:
    done, lines = {"a"}, list[str]()

    def do(number: int, stage: Stage) -> Changes:
        done.add(stage.text)
        return Changes({"update": number})

    found = run(lines).done(lambda: done, do)
    assert [(stage.number, stage.text, stage.changes.counts["update"]) for stage in found] == [(2, "b", 2), (3, "c", 3)]
    assert lines[0] == "stage 2 of 3: b"
    assert next_stage(STAGES, done) is None


def test_stage_that_does_not_hold_any_more_stops_the_verb() -> None:
    done: set[str] = set()

    def do(number: int, stage: Stage) -> Changes:
        done.symmetric_difference_update({"a", "b"} if number == 2 else {"a"})
        return Changes({})

    with pytest.raises(NotHealthy, match=r"stage 1 was done, and does not hold any more. Fix: again"):
        run([]).done(lambda: done, do)


def test_pod_that_ends_while_it_is_asked_does_not_end_the_verb() -> None:
    """The first pod that is asked is about to end and refuses; its successor answers."""
    refused = ClusterRequestFailed("cannot run a command in a-pod: Handshake status 500", "look")
    looks = iter([refused, set(), refused, {"b"}])

    def look() -> Any:
        found = next(looks)
        if isinstance(found, Exception):
            raise found
        return found

    lines = list[str]()
    run(lines).until_it_holds(2, look, 60)
    assert lines == ["waiting: b lacks"]
    looks = iter([refused, {"a", "b", "c"}])
    assert run([]).done(look, lambda number, stage: Changes({})) == ()

    def always() -> Any:
        raise refused

    with pytest.raises(ClusterRequestFailed, match="Handshake"):
        run([]).until_it_holds(2, always, 60)


def test_wait_for_a_stage_ends_when_it_holds_or_says_what_it_lacks() -> None:
    lines, looks = list[str](), iter([set(), set(), {"b"}])
    run(lines).until_it_holds(2, lambda: next(looks), 60)
    assert lines == ["waiting: b lacks"] * 2

    def never() -> Any:
        return set()

    with pytest.raises(NotHealthy, match=r"stage 2 of the move is not done: b lacks. Fix: again"):
        run([]).until_it_holds(2, never, 60)
