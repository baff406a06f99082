"""The results of a benchmark: series of numbers, ratios of their medians, and whether aims are met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


class UnavailableError(Exception):
    """A tool of a benchmark is missing; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Measurements of one thing."""

    name: str
    """What was measured."""
    unit: str
    """The values' unit, such as `s` or `MiB`."""
    values: tuple[float, ...]
    """In the order of the runs."""

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name}: expected at least one value, found none")

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The median of one series divided by that of another."""

    name: str
    of: Series
    to: Series
    aim: float | None = None
    """The largest ratio wanted, or None where the ratio only explains."""

    def __post_init__(self) -> None:
        if self.of.unit != self.to.unit:
            raise ValueError(f"{self.name}: expected one unit, found {self.of.unit} and {self.to.unit}")

    @property
    def value(self) -> float:
        return self.of.median / self.to.median

    @property
    def met(self) -> bool | None:
        """Whether the ratio, rounded to two decimals as shown, meets its aim; None without an aim."""
        return None if self.aim is None else round(self.value, 2) <= self.aim


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A statement that is true or not."""

    name: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Results:
    """The results of one benchmark, in the order of the report."""

    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...]
    facts: tuple[Fact, ...] = ()
