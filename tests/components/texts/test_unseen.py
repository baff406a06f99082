"""Characters that nobody sees are found, and written out."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from components.texts.unseen import hiding, written_out
from tests.cases import each


@each("text", ["", "a: b # c\n\td\r\n", "Zürich, 東京 🚀", "a\u00a0b"])
def test_what_everybody_sees_hides_nothing(text: str) -> None:
    assert hiding(text) is None


@each("sign", ["\x00", "\x0b", "\x0c", "\r", "\x1b", "\x7f", "\x85", "\xad", "\u200b", "\u200f", "\u2028", "\u202e"])
def test_first_character_that_hides_something_is_named_with_its_line(sign: str) -> None:
    assert hiding(f"a\r\nb{sign}c\u2029\n") == (2, f"U+{ord(sign):04X}")


def test_tags_and_marks_beyond_the_first_plane_are_found() -> None:
    assert hiding("\n\n\U000e0041") == (3, "U+E0041")


@given(st.text())
def test_what_is_written_out_is_seen_and_reads_back(text: str) -> None:
    shown = written_out(text)
    assert all(sign.isprintable() or sign.isspace() for sign in shown)
    assert hiding(shown) is None
    assert json.loads(f'"{written_out(json.dumps(text, ensure_ascii=False)[1:-1])}"') == text


def test_characters_that_are_kept_stay() -> None:
    assert written_out("a\tb\nc\x1bd", kept="\n\t") == "a\tb\nc\\u001bd"
