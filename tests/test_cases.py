"""The loop over cases runs all of them and names the one that fails; the pairwise choice misses no pair."""

from __future__ import annotations

import itertools

import pytest

from tests.cases import each, pairwise


def test_every_case_is_run_and_the_failing_one_is_named() -> None:
    seen = []

    @each("number", [1, 2, 3])
    def check(number: int) -> None:
        seen.append(number)
        assert number < 3

    with pytest.raises(AssertionError) as caught:
        check()
    assert seen == [1, 2, 3]
    assert caught.value.__notes__ == ["case: 3"]


def test_test_without_cases_fails() -> None:
    @each(("one", "two"), [])
    def check(one: int, two: int) -> None: ...

    with pytest.raises(AssertionError, match="found none"):
        check()


def test_pairwise_rows_hold_every_allowed_pair() -> None:
    dimensions = ["abcd", "efg", "hi", "jkl"]

    def allowed(one: str, two: str, *_: str) -> bool:
        return (one, two) != ("a", "e")

    rows = pairwise(*dimensions, allowed=allowed)
    assert all(allowed(*row) for row in rows)
    assert len(rows) < 20 < 4 * 3 * 2 * 3
    for (i, ones), (j, others) in itertools.combinations(enumerate(dimensions), 2):
        for one, other in itertools.product(ones, others):
            if (one, other) != ("a", "e"):
                assert any(row[i] == one and row[j] == other for row in rows), (one, other)
