"""How far return and drawdown would have differed had the days come otherwise."""

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.bootstrap import (
    LEVEL,
    RESAMPLES,
    circular_block_indices,
    sharpe_block_length,
    unusable,
)
from flagbench.scoring.metrics import max_drawdown
from flagbench.scoring.sharpe import Interval
from flagbench.scoring.studentised import studentised_mean

PATHS = 2_000
"""Resampled paths of a drawdown range. Each has all its days in order, which takes longer than sums; the ends
of the range are quantiles of these, each known to about 0.35 percentage points of probability."""

CHUNK = 500
"""Paths in memory at once."""


def cumulative_return_interval(
    returns: FloatArray,
    *,
    log_returns: bool = False,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Interval of the cumulative return: studentised circular-block bootstrap of the sum of log returns.

    Simple returns are turned into ln(1 + r) and the ends back into exp(·) − 1, so that the lower end stays
    above −1.

    Args:
        returns: (m,).
        log_returns: whether they are logarithmic, and the cumulative return their sum.
        level: of the interval.
        resamples: how many.
        seed: of the resamples.

    Returns:
        nan with a reason as `sharpe_interval`, and for a simple return of −1 or less.
    """
    if reason := unusable(returns):
        return Interval.undefined(reason, level=level)
    if not log_returns and returns.min() <= -1:
        return Interval.undefined("everything was lost in one bar", level=level)
    series = returns if log_returns else np.log1p(returns)
    bars = len(series)
    days = sharpe_block_length(returns)
    bootstrap = studentised_mean(series, days=days, resamples=resamples, seed=seed)
    total = Interval.of(bootstrap, level=level, bars=bars).scaled(bars)
    if log_returns or total.reason:
        return total
    return total._replace(low=float(np.expm1(total.low)), high=float(np.expm1(total.high)))


def max_drawdown_range(
    returns: FloatArray, *, level: float = LEVEL, resamples: int = PATHS, seed: int = 0
) -> Interval:
    """Quantiles of the largest drawdown over resampled paths. No confidence interval.

    A drawdown is the worst stretch of a path, and every resampled path has a worst stretch of its own; the
    range says how much of the figure was the order of days, not where a true value lies.

    Args:
        returns: (m,), whose running product Π(1 + r) is the path.
        level: share of the paths inside, as many below as above.
        resamples: paths.
        seed: of them.

    Returns:
        nan with a reason as `sharpe_interval`.
    """
    if reason := unusable(returns):
        return Interval.undefined(reason, level=level)
    days = sharpe_block_length(returns)
    rng = np.random.default_rng(seed)
    growth = 1 + returns
    found = np.empty(resamples)
    for begin in range(0, resamples, CHUNK):
        part = found[begin : begin + CHUNK]
        drawn = circular_block_indices(len(returns), days, resamples=len(part), rng=rng)
        path = np.cumprod(growth[drawn], axis=1)
        part[:] = max_drawdown(np.concatenate([np.ones((len(part), 1)), path], axis=1))
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, len(returns) / days, None)
