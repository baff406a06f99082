"""Waiting, while what is waited for stops to answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from automation.errors import AirflowRequestFailed, AutomationError, ClusterRequestFailed, ClusterUnreachable
from automation.wait import LOST_SECONDS, Clock, reminding, wait_for, while_waiting

LOST = (ClusterUnreachable("no answer", "look"), AirflowRequestFailed("no answer", "look"))
REFUSED = (ClusterRequestFailed("403", "look"), AirflowRequestFailed("403", "look", 403))


@dataclass
class Time:
    """A clock that only its own sleep moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: self.now, sleep=self.sleep)


def waited(answers: Iterator[object], seconds: float = 300) -> tuple[object, float]:
    time = Time()

    def attempt() -> object:
        answer = next(answers)
        if isinstance(answer, AutomationError):
            raise answer
        return answer

    return wait_for(attempt, bool, seconds=seconds, interval=2, clock=time.clock), time.now


def test_answer_that_fails_once_in_a_long_wait_does_not_end_it() -> None:
    for error in LOST:
        assert waited(iter([0, error, error, 0, error, 7])) == (7, 10)


def test_silence_ends_it_at_last() -> None:
    for error in LOST:
        asked = [0, *[error] * 100]
        with pytest.raises(type(error)):
            waited(answers := iter(asked))
        assert (len(asked) - len(list(answers)) - 1) * 2 == pytest.approx(LOST_SECONDS, abs=2)


def test_what_never_answered_is_told_at_once() -> None:
    for error in LOST:
        with pytest.raises(type(error)):
            waited(iter([error]))


def test_refusal_is_an_answer_and_ends_it() -> None:
    for error in REFUSED:
        with pytest.raises(type(error)):
            waited(iter([0, error]))


def test_its_own_time_ends_it_too() -> None:
    with pytest.raises(ClusterUnreachable):
        waited(iter([0, *[LOST[0]] * 3]), seconds=4)


def test_long_wait_says_what_it_waits_for_every_half_minute_and_a_short_one_nothing() -> None:
    time, told = Time(), list[str]()
    sleep = reminding(time.clock, told.append, "the pod of the backup has not ended")
    for _ in range(14):
        sleep(2)
    assert told == []
    for _ in range(17):
        sleep(2)
    assert told == [f"waiting: the pod of the backup has not ended ({seconds} s)" for seconds in (30, 60)]


def test_work_that_says_nothing_is_waited_for_aloud() -> None:
    ends, slept = threading.Event(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        ends.set()

    def work() -> str:
        assert ends.wait(30)
        return "done"

    assert while_waiting(work, sleep) == "done"
    assert slept, "while it went on"
    for error in (ClusterUnreachable("no answer", "look"), KeyboardInterrupt()):

        def fails(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)):
            while_waiting(fails, sleep)


def test_wait_that_is_cancelled_leaves_the_work_alone() -> None:
    ends = threading.Event()

    def cancelled(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        while_waiting(lambda: ends.wait(30), cancelled)
    ends.set()
