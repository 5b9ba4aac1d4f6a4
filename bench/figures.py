"""Medians and their spread."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of some measurements, with their quartiles."""

    median: float
    low: float
    high: float
    count: int

    def __truediv__(self, floor: Figure) -> float:
        """How many times the floor's median this is."""
        return self.median / floor.median if floor.median else float("nan")

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 1 if self.median >= 10 else 2
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def figure(values: Sequence[float]) -> Figure:
    if len(values) == 1:
        return Figure(values[0], values[0], values[0], 1)
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Figure(median, low, high, len(values))
