"""The loop over cases runs all and names the one that fails; the pairwise choice misses no pair; cases are few."""

from __future__ import annotations

import itertools
from typing import Final

import pytest

from tests.cases import each, pairwise
from tests.chart.rendering import needs_chart

MOST_CASES: Final = 4_000


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


def test_suite_has_no_more_cases_than_it_may(request: pytest.FixtureRequest) -> None:
    """Without engine, Helm and cluster. A run of a part has fewer."""

    def needs_more(item: pytest.Item) -> bool:
        markers = list(item.iter_markers())
        return needs_chart.mark in markers or not {"engine", "cluster"}.isdisjoint(mark.name for mark in markers)

    cases = sum(not needs_more(item) for item in request.session.items)
    assert cases <= MOST_CASES, f"expected at most {MOST_CASES} cases (ADR 35). Fix: make one test of several by `each`"
