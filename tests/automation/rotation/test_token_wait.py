"""The wait for tokens of an old secret: as long as they live, and a rotation that is killed does not wait anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from automation.rotation import token_wait
from automation.rotation.keys import KEYS
from automation.rotation.stage_lists import jwt_stages
from settings.rotation import Mark, fingerprint

BEGIN = datetime(2026, 11, 29, 10, 0, 0, 400, UTC)
STAGES = jwt_stages(["old"], "new")
MARK = Mark(key="jwt", stage=2, stages=4, fingerprint=fingerprint("new"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    times = [BEGIN]
    monkeypatch.setattr(token_wait, "now", lambda: times[-1])
    return times


def test_end_is_found_when_the_wait_begins_and_kept_from_then_on(clock: list[datetime]) -> None:
    assert token_wait.until(MARK, 2, STAGES[1], lambda: 610) is None
    end = token_wait.until(MARK, 3, STAGES[2], lambda: 610)
    assert end is not None
    assert BEGIN + timedelta(seconds=610) < end < BEGIN + timedelta(seconds=612)
    clock.append(BEGIN + timedelta(seconds=300))
    waiting = replace(MARK, stage=3, until=end)
    for stage in (3, 4):
        mark = Mark.of(str(replace(waiting, stage=stage)))
        assert token_wait.until(mark, stage, STAGES[stage - 1], lambda: 1 / 0) == end


def test_earlier_stage_that_must_be_done_again_forgets_the_end(clock: list[datetime]) -> None:
    waiting = replace(MARK, stage=4, until=BEGIN)
    assert token_wait.until(waiting, 1, STAGES[0], lambda: 610) is None
    assert token_wait.until(waiting, 3, STAGES[2], lambda: 610) != BEGIN


def test_words_end_with_the_wait(clock: list[datetime]) -> None:
    mark = replace(MARK, stage=3, until=BEGIN.replace(microsecond=0) + timedelta(seconds=90))
    assert token_wait.signed_until(mark) == "tokens of the old secret are valid until 10:01:30 UTC"
    assert 89 < (token_wait.seconds_left(mark) or 0) < 90
    clock.append(BEGIN + timedelta(seconds=90))
    assert (token_wait.signed_until(mark), token_wait.seconds_left(mark)) == ("", 0)
    assert token_wait.signed_until(None) == token_wait.signed_until(MARK) != ""


def test_mark_of_another_rotation_does_not_count() -> None:
    assert token_wait.mark_to(str(MARK), KEYS["jwt"], "new") == MARK
    assert token_wait.mark_to(str(MARK), KEYS["jwt"], "other") is None
    assert token_wait.mark_to(str(MARK), KEYS["fernet"], "new") is None
    assert token_wait.mark_to("", KEYS["jwt"], "new") is None
