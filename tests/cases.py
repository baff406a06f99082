"""Many cases in one test: a decorator that loops over them, and the pairwise choice from a product of dimensions."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

Test = Callable[..., None]


def each(
    names: str | Sequence[str], cases: Iterable[Any], ids: Iterable[object] | Callable[[Any], object] | None = None
) -> Callable[[Test], Test]:
    """Run a test for each case in a loop, with the arguments of `pytest.mark.parametrize`. A failure names its case.

    Only for tests that need no fixture anew for each case: all cases share the fixtures of the one test.
    """
    arguments = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    listed = list(cases)
    rows = [case if len(arguments) > 1 else (case,) for case in listed]
    label = ids if callable(ids) else repr
    labels = listed if ids is None or callable(ids) else list(ids)

    def decorate(test: Test) -> Test:
        signature = inspect.signature(test)

        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            assert rows, "expected cases, found none"
            for named, row in zip(labels, rows, strict=True):
                try:
                    test(**fixtures, **dict(zip(arguments, row, strict=True)))
                except BaseException as error:
                    error.add_note(f"case: {str(label(named))[:200]}")
                    raise

        others = [value for name, value in signature.parameters.items() if name not in arguments]
        run.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
        del run.__wrapped__
        return run

    return decorate


def pairwise(*dimensions: Iterable[Any], allowed: Callable[..., bool] = lambda *_: True) -> list[tuple[Any, ...]]:
    """Return few rows of the product of the dimensions in which each allowed pair of values occurs. Deterministic."""
    rows = [row for row in itertools.product(*map(list, dimensions)) if allowed(*row)]

    def pairs(row: tuple[Any, ...]) -> set[tuple[int, Any, int, Any]]:
        indexed = list(enumerate(map(repr, row)))
        return {(i, one, j, other) for (i, one), (j, other) in itertools.combinations(indexed, 2)}

    missing = set().union(*map(pairs, rows))
    chosen = []
    while missing:
        best = max(rows, key=lambda row: len(pairs(row) & missing))
        chosen.append(best)
        missing -= pairs(best)
    return chosen
