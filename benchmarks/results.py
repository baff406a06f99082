"""What a benchmark found: series of numbers, ratios of their medians, and whether aims are met."""

from __future__ import annotations

import statistics
from dataclasses import dataclass


class UnavailableError(Exception):
    """What a benchmark needs is not here; the text says what."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """What was measured, in order. name: what; unit: of the values, as `s` or `MiB`."""

    name: str
    unit: str
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError(f"{self.name}: expected at least one value, found none")

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Median of `of` to that of `to`. aim: the most that is wanted, or None where the ratio only explains."""

    name: str
    of: Series
    to: Series
    aim: float | None = None

    def __post_init__(self) -> None:
        if self.of.unit != self.to.unit:
            raise ValueError(f"{self.name}: expected one unit, found {self.of.unit} and {self.to.unit}")

    @property
    def value(self) -> float:
        return self.of.median / self.to.median

    @property
    def met(self) -> bool | None:
        """Judged on what is shown, two decimals. None without an aim."""
        return None if self.aim is None else round(self.value, 2) <= self.aim


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that is so or is not."""

    name: str
    met: bool


@dataclass(frozen=True, kw_only=True)
class Results:
    """Of one benchmark, each in the order of the report."""

    series: tuple[Series, ...]
    ratios: tuple[Ratio, ...]
    facts: tuple[Fact, ...] = ()
