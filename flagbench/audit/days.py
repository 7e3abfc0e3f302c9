"""The number of days that a row's own figures imply, without any price.

Where returns are added, SR · AV / CR is P / days, whatever path was taken: the yearly return is
CR · P / days, and the Sharpe ratio divides it by the volatility that stands beside it. So P · CR / (SR · AV)
is a whole number.
"""

import math
from collections.abc import Iterable

from flagbench.audit.claim import Claim
from flagbench.audit.interval import EVERYTHING, Interval


def implied_days(claim: Claim, periods_per_year: int) -> Interval:
    """P · CR / (SR · AV), as far as rounding leaves it open; everything where SR or AV may be 0."""
    below = claim.sharpe_ratio.interval.times(claim.annualized_volatility.interval)
    if math.isnan(below.low) or below.contains(0):
        return EVERYTHING
    shares = claim.cumulative_return.interval.times(Interval(1 / below.high, 1 / below.low))
    return shares.times(Interval(periods_per_year, periods_per_year))


def whole_days(days: Interval) -> range:
    """The whole numbers, from 1 on, in a bounded interval."""
    return range(max(math.ceil(days.low), 1), math.floor(days.high) + 1)


def days_flag(implied: Iterable[Interval], possible: Iterable[int]) -> str | None:
    """What is wrong with the number of days that figures imply, or None.

    Args:
        implied: `implied_days` for each year that may have been meant.
        possible: days that the windows have, as prices or as returns.
    """
    bounded = list(implied)
    if any(math.isinf(days.low) for days in bounded):
        return None
    counts = [whole_days(days) for days in bounded]
    if not any(counts):
        return "days-not-whole"
    if not any(day in count for count in counts for day in possible):
        return "days-outside-window"
    return None
