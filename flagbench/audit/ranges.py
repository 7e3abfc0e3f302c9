"""What paths can come to at all, to be read beside a claim."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flagbench.audit.claim import FLAGS, ROUNDING, Claim
from flagbench.audit.convention import CURVES, Convention, Figures
from flagbench.audit.days import implied_days
from flagbench.audit.interval import EVERYTHING, Interval
from flagbench.audit.paths import drawdown_range, volatility_limit, volatility_range
from flagbench.audit.sums import ALL_BUT_DRAWDOWN, RETURN, attainable, sum_bounds, terms_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranges:
    """Sound bounds of the figures of all paths; fractions. Each is computed when it is first asked for.

    Attributes:
        claim: what was printed.
        ways: all conventions.
        convention: the one of the figures below that are of one only.
        always_long: figures of holding the asset on every day, by it.
    """

    claim: Claim
    ways: Sequence[Convention]
    convention: Convention
    always_long: Figures

    @cached_property
    def cumulative_return(self) -> Interval:
        """The widest over all conventions."""
        ranges = []
        for way in {way._replace(return_periods=0, volatility_periods=0, days="prices") for way in self.ways}:
            terms = terms_of(way, self.claim.options)
            if terms.can_ruin:
                return EVERYTHING
            ends = attainable(terms.totals)
            ranges.append(ends if way.total == "sum" else Interval(*map(math.expm1, ends)))
        return _union(ranges)

    @cached_property
    def highest_volatility(self) -> Mapping[int, float]:
        """By days a year, the largest over all conventions."""
        kinds = {
            way._replace(return_periods=0, volatility_periods=0, days="prices", total="sum")
            for way in self.ways
        }
        limit = max(volatility_limit(terms_of(way, self.claim.options)) for way in kinds)
        years = dict.fromkeys(way.volatility_periods for way in self.ways)
        return {periods: limit * math.sqrt(periods) for periods in years}

    @cached_property
    def volatility_given_return(self) -> Interval | None:
        """Of paths with the claimed return; None if there is none."""
        way, terms = self.convention, terms_of(self.convention, self.claim.options)
        if terms.can_ruin:
            return EVERYTHING
        bounds = sum_bounds(self.claim, way, terms, figures=RETURN)
        if bounds.total.meet(attainable(terms.totals).widened(ROUNDING)).is_empty:
            return None
        year = math.sqrt(way.volatility_periods)
        return Interval(*(end * year for end in volatility_range(terms, bounds)))

    @cached_property
    def drawdown_given_rest(self) -> Interval | None:
        """Of paths with the claimed return, Sharpe ratio and volatility; None if these exclude each other."""
        ranges = []
        for curve in CURVES[self.convention.returns]:
            terms = terms_of(self.convention, self.claim.options, curve=curve)
            if terms.can_ruin:
                return EVERYTHING
            bounds = sum_bounds(self.claim, self.convention, terms, figures=ALL_BUT_DRAWDOWN)
            if bounds.is_empty:
                return None
            ranges.append(drawdown_range(terms, bounds))
        return _union(ranges)

    @cached_property
    def days(self) -> Mapping[int, Interval]:
        """P · CR / (SR · AV), by P."""
        years = dict.fromkeys(way.return_periods for way in self.ways)
        return {periods: implied_days(self.claim, periods) for periods in years}

    def to_json(self) -> dict[str, Any]:
        """Plain values; null for what is unbounded or does not exist."""
        return {
            "cumulative_return": _plain(self.cumulative_return),
            "annualized_volatility": {
                str(periods): [0.0, high] for periods, high in self.highest_volatility.items()
            },
            "convention": self.convention.to_json(),
            "always_long": {name: _finite(getattr(self.always_long, name)) for name in FLAGS.values()},
            "annualized_volatility_given_return": _plain(self.volatility_given_return),
            "max_drawdown_given_the_rest": _plain(self.drawdown_given_rest),
            "days": {str(periods): _plain(days) for periods, days in self.days.items()},
        }


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _plain(interval: Interval | None) -> list[float] | None:
    if interval is None or not all(map(math.isfinite, interval)):
        return None
    return [float(end) for end in interval]


def _union(ranges: Sequence[Interval]) -> Interval:
    return Interval(min(ends.low for ends in ranges), max(ends.high for ends in ranges))
