"""Intervals of numbers."""

import math
from typing import NamedTuple


class Interval(NamedTuple):
    """All numbers from `low` to `high`, both among them; none if `high` is below `low`."""

    low: float
    high: float

    @property
    def is_empty(self) -> bool:
        """Whether no number lies in it."""
        return self.high < self.low

    @property
    def middle(self) -> float:
        """Half way."""
        return (self.low + self.high) / 2

    def contains(self, value: float) -> bool:
        """Whether a number lies in it; nan lies nowhere."""
        return self.low <= value <= self.high

    def meet(self, other: "Interval") -> "Interval":
        """What lies in both."""
        return Interval(max(self.low, other.low), min(self.high, other.high))

    def plus(self, other: "Interval") -> "Interval":
        """All sums of a number of each."""
        return Interval(self.low + other.low, self.high + other.high)

    def times(self, other: "Interval") -> "Interval":
        """All products of a number of each; both bounded."""
        products = [one * two for one in self for two in other]
        return Interval(min(products), max(products))

    def shifted(self, by: float) -> "Interval":
        """The same further up."""
        return Interval(self.low + by, self.high + by)

    def widened(self, by: float) -> "Interval":
        """The same with both ends further out."""
        return Interval(self.low - by, self.high + by)


EVERYTHING = Interval(-math.inf, math.inf)
