"""How long steps usually take."""

from __future__ import annotations

from pathlib import Path

from automation.engine.usual_times import UsualTimes

STEP = {"operation": "create", "type": "kubernetes:helm.sh/v3:Release", "name": "airflow"}


def test_middle_of_the_last_times_is_usual_also_for_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "times" / "dev.json"
    times = UsualTimes(path)
    assert times.of(**STEP) is None
    for seconds in (500, 90, 100, 110, 900, 95):
        times.note(seconds, **STEP)
    assert times.of(**STEP) == 100
    assert UsualTimes(path).of(**STEP) == 100
    assert UsualTimes(path).of(**{**STEP, "operation": "update"}) is None


def test_quick_steps_are_not_remembered(tmp_path: Path) -> None:
    times = UsualTimes(tmp_path / "dev.json")
    times.note(1.0, **STEP)
    assert times.of(**STEP) is None
    assert list(tmp_path.iterdir()) == []


def test_file_that_cannot_be_used_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    for text in ("", "[]", '{"a": 1}', '{"a": ["x"]}'):
        path.write_text(text)
        assert UsualTimes(path).of(**STEP) is None
    folder = UsualTimes(tmp_path)
    folder.note(10, **STEP)
    assert folder.of(**STEP) == 10
    nowhere = UsualTimes()
    nowhere.note(10, **STEP)
    assert nowhere.of(**STEP) is None
