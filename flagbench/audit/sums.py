"""What a claim says of a path, as intervals of sums that are linear in the path.

Whether day t is held long (or short) is a number 0 or 1. The total, the sum of returns r, and the sum of
their squares are linear in these numbers, since (a·x)² = |a|·x² for a position a of −1, 0 or 1. The variance
is not: (m − 1)·v = Σ r² − R²/m with R = Σ r. But R is known to within the rounding of what was printed,
[R₁, R₂], and there R² lies between its tangent at the middle and its chord, which are parallel. So the
centred sum of squares
Z = Σ r² − (R₁ + R₂)/m · R is linear too, and

    (m − 1)·v₁ − ((R₁ + R₂)/2)²/m  ≤  Z  ≤  (m − 1)·v₂ − R₁·R₂/m.

Every path that has the printed figures has its sums in these intervals. The converse need not hold.
"""

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from flagbench.audit.claim import ROUNDING, Claim
from flagbench.audit.convention import Convention, Curve
from flagbench.audit.interval import EVERYTHING, Interval
from flagbench.market.price_file import FloatArray

FigureSet = frozenset[str]

RETURN: FigureSet = frozenset({"cumulative_return"})
VOLATILITY = frozenset({"annualized_volatility"})
RETURN_AND_VOLATILITY = RETURN | VOLATILITY
ALL_BUT_DRAWDOWN = RETURN_AND_VOLATILITY | {"sharpe_ratio"}
ALL = ALL_BUT_DRAWDOWN | {"max_drawdown"}

FIGURE_SETS = (RETURN, VOLATILITY, RETURN_AND_VOLATILITY, ALL_BUT_DRAWDOWN, ALL)
"""Figures of a claim that are held against the prices together, the fewest first."""


class Terms(NamedTuple):
    """What each of K positions adds on each of m days; each (K, m)."""

    totals: FloatArray
    """To the total; to ln(1 + total) where returns are compounded."""
    returns: FloatArray
    squares: FloatArray
    steps: FloatArray
    """To the logarithm of the path that the drawdown is measured on."""

    @property
    def can_ruin(self) -> bool:
        """Whether a day can lose all there is, which has no logarithm: a short in what doubles."""
        return not bool(np.isfinite(self.totals).all() and np.isfinite(self.steps).all())


def terms_of(convention: Convention, options: tuple[float, ...], *, curve: Curve = "compounded") -> Terms:
    """What the positions `options` add on each day, and what entering and leaving one does."""
    returns = convention.moves(options)
    grown = np.log1p(returns, out=np.full_like(returns, -np.inf), where=returns > -1)
    is_linear = convention.total == "sum" or convention.returns == "log"
    return Terms(
        totals=returns if is_linear else grown,
        returns=returns,
        squares=returns**2,
        steps=grown if curve == "compounded" else returns,
    )


class SumBounds(NamedTuple):
    """The intervals that a claim leaves to sums of a path; a figure that is not asked for bounds nothing."""

    total: Interval
    returns: Interval
    slope: float
    """(R₁ + R₂) / m."""
    spread: Interval
    """Of Z."""
    depth: Interval
    """Of −ln(1 − drawdown)."""

    @property
    def is_empty(self) -> bool:
        """Whether the figures contradict each other."""
        return any(part.is_empty for part in (self.total, self.returns, self.spread, self.depth))


def sum_bounds(
    claim: Claim, convention: Convention, terms: Terms, *, figures: Collection[str] = ALL
) -> SumBounds:
    """The intervals that the named figures of a claim leave to a path.

    Args:
        claim: what was printed.
        convention: how it was computed.
        terms: what the claim's positions add.
        figures: names of metrics; the Sharpe ratio counts only beside the volatility.
    """
    days = terms.returns.shape[1]
    total, variance, depth = EVERYTHING, EVERYTHING, EVERYTHING
    if "cumulative_return" in figures:
        total = _total(claim.cumulative_return.interval.widened(ROUNDING), convention)
    if "annualized_volatility" in figures:
        variance = _variance(claim, convention, with_ratio="sharpe_ratio" in figures)
    if "max_drawdown" in figures:
        depth = _depth(claim.max_drawdown.interval.widened(ROUNDING))
    returns = _sum_of_returns(total, terms)
    if {"sharpe_ratio", "annualized_volatility"} <= set(figures) and not claim.sharpe_ratio.is_undefined:
        yearly = claim.sharpe_ratio.interval.times(claim.annualized_volatility.interval)
        share = convention.day_count / convention.return_periods
        returns = returns.meet(yearly.times(Interval(share, share)).widened(ROUNDING))
    low, high = returns
    return SumBounds(
        total=total,
        returns=returns,
        slope=(low + high) / days,
        spread=_spread(variance, returns, days),
        depth=depth,
    )


def _spread(variance: Interval, returns: Interval, days: int) -> Interval:
    """Of Z, with room for the rounding of what it is the difference of.

    Where nothing varies and figures have many digits, both ends are as good as equal, and rounding alone
    would put the lower above the upper: a path that exists would be proved not to.
    """
    low, high = (days - 1) * variance.low, (days - 1) * variance.high
    room = max(abs(end) for end in (low, *(end**2 / days for end in returns)) if math.isfinite(end))
    return Interval(low - returns.middle**2 / days, high - returns.low * returns.high / days).widened(
        ROUNDING * room
    )


def _total(printed: Interval, convention: Convention) -> Interval:
    if convention.total == "sum":
        return printed
    # Nobody has lost more than everything.
    return Interval(*(math.log1p(value) if value > -1 else -math.inf for value in printed))


def _variance(claim: Claim, convention: Convention, *, with_ratio: bool) -> Interval:
    """Of a day; a Sharpe ratio that was printed as undefined is one of returns that do not vary."""
    low, high = claim.annualized_volatility.interval.widened(ROUNDING)
    variance = Interval(*(max(end, 0.0) ** 2 / convention.volatility_periods for end in (low, high)))
    if with_ratio and claim.sharpe_ratio.is_undefined:
        return variance.meet(Interval(0.0, 0.0))
    return variance


def _depth(printed: Interval) -> Interval:
    return Interval(
        *(-math.log1p(-end) if end < 1 else math.inf for end in (max(printed.low, 0.0), printed.high))
    )


def _sum_of_returns(total: Interval, terms: Terms) -> Interval:
    """Where Σ r can lie: anywhere on the prices, and no further from the total than r from what it adds."""
    anywhere = attainable(terms.returns)
    if terms.totals is terms.returns:
        return total.meet(anywhere.widened(ROUNDING))
    return total.plus(attainable(terms.returns - terms.totals)).meet(anywhere).widened(ROUNDING)


def attainable(terms: FloatArray) -> Interval:
    """From the least to the largest sum over any path; terms are (K, m), and flat adds nothing."""
    return Interval(
        float(np.minimum(terms, 0).min(axis=0).sum()), float(np.maximum(terms, 0).max(axis=0).sum())
    )
