"""Figures of several seeds with the intervals that the days leave them.

Every resample takes the same days for all seeds. So an interval speaks of the market's days with these seeds
given; how the seeds differ is what minimum and maximum say.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from flagbench.comparison.comparison import LEVEL, RESAMPLES, Spread
from flagbench.comparison.replaying import Play
from flagbench.market.price_file import FloatArray
from flagbench.scoring.across_seeds import interquartile_mean, interquartile_weights, seed_sharpe
from flagbench.scoring.bootstrap import circular_block_indices, sharpe_block_length, unusable
from flagbench.scoring.metrics import max_drawdown
from flagbench.scoring.resampled import CHUNK, PATHS, cumulative_return_interval
from flagbench.scoring.sharpe import Interval
from flagbench.trading.portfolio import IntArray


class SharpeSpread(NamedTuple):
    """Sharpe ratios of the seeds, a year."""

    spread: Spread
    blocks: float
    """Effective ones of the interval; nan without one."""


def metric_spread(plays: Sequence[Play], name: str) -> Spread:
    """A metric of all seeds, without an interval."""
    reasons = dict.fromkeys(play.undefined[name] for play in plays if name in play.undefined)
    return spread([play.values[name] for play in plays], reasons=tuple(reasons))


def spread(
    values: Sequence[float], *, low: float = math.nan, high: float = math.nan, reasons: tuple[str, ...] = ()
) -> Spread:
    """One figure of all seeds; its IQM and interval are nan if one seed has no figure."""
    known = not any(math.isnan(value) for value in values)
    return Spread(
        values=tuple(float(value) for value in values),
        iqm=interquartile_mean(values) if known else math.nan,
        low=low if known else math.nan,
        high=high if known else math.nan,
        reasons=reasons,
    )


def returns_of(plays: Sequence[Play]) -> FloatArray:
    """(seeds, m)."""
    return np.stack([play.returns for play in plays])


def published_factor(play: Play) -> float:
    """What a Sharpe ratio mean / sd · √P is multiplied with by the play's convention: m / (m + 1), or 1."""
    bars = len(play.returns)
    return bars / (bars + 1) if play.performance.log_returns else 1.0


def sharpe_spread(plays: Sequence[Play], *, resamples: int = RESAMPLES) -> SharpeSpread:
    """Sharpe ratios by the play's convention, with `seed_sharpe`'s interval of their IQM."""
    plain = metric_spread(plays, "sharpe_ratio")
    if plain.undefined:
        return SharpeSpread(plain, math.nan)
    summary = seed_sharpe(
        returns_of(plays),
        periods_per_year=plays[0].performance.periods_per_year,
        level=LEVEL,
        resamples=resamples,
    )
    factor = published_factor(plays[0])
    reasons = (f"no interval: {summary.reason}",) if summary.reason else ()
    ends = spread(plain.values, low=summary.low * factor, high=summary.high * factor, reasons=reasons)
    return SharpeSpread(ends, summary.blocks)


def return_spread(plays: Sequence[Play], *, resamples: int = RESAMPLES) -> Spread:
    """Cumulative returns, with the interval of their IQM.

    Of one seed, or copies of one, it is `cumulative_return_interval`. Of several it is that of one series of
    log returns, in which each day counts the seeds as the IQM of their totals does.
    """
    plain = metric_spread(plays, "cumulative_return")
    returns, log_returns = returns_of(plays), plays[0].performance.log_returns
    if np.all(returns == returns[0]):
        found = cumulative_return_interval(
            returns[0], log_returns=log_returns, level=LEVEL, resamples=resamples
        )
        return spread(plain.values, low=found.low, high=found.high)
    if not log_returns and returns.min() <= -1:
        return plain
    logs = returns if log_returns else np.log1p(returns)
    series = interquartile_weights(logs.sum(axis=1)) @ logs
    found = cumulative_return_interval(series, log_returns=True, level=LEVEL, resamples=resamples)
    ends: Callable[[float], float] = (lambda end: end) if log_returns else math.expm1
    return spread(plain.values, low=ends(found.low), high=ends(found.high))


def drawdown_spread(plays: Sequence[Play]) -> Spread:
    """Largest drawdowns, with quantiles of their IQM over resampled paths: no confidence interval."""
    plain = metric_spread(plays, "max_drawdown")
    found = drawdown_range(returns_of(plays))
    return spread(plain.values, low=found.low, high=found.high)


def drawdown_range(returns: FloatArray, *, paths: int = PATHS, seed: int = 0) -> Interval:
    """`flagbench.scoring.resampled.max_drawdown_range` of the IQM over seeds.

    Args:
        returns: (seeds, m), whose running products Π(1 + r) are the paths.
        paths: resampled ones.
        seed: of them.

    Returns:
        nan with a reason where no seed's returns vary.
    """
    usable = [series for series in returns if not unusable(series)]
    if not usable:
        return Interval.undefined(str(unusable(returns[0])), level=LEVEL)
    days = max(sharpe_block_length(series) for series in usable)
    rng = np.random.default_rng(seed)
    found: list[FloatArray] = []
    for begin in range(0, paths, CHUNK):
        count = min(CHUNK, paths - begin)
        drawn = circular_block_indices(returns.shape[1], days, resamples=count, rng=rng)
        falls = np.stack([_falls(series, drawn) for series in returns], axis=-1)
        found.append((interquartile_weights(falls) * falls).sum(axis=-1))
    low, high = np.quantile(np.concatenate(found), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), LEVEL, returns.shape[1] / days, None)


def _falls(series: FloatArray, drawn: IntArray) -> FloatArray:
    path = np.cumprod((1 + series)[drawn], axis=1)
    return max_drawdown(np.concatenate([np.ones((len(path), 1)), path], axis=1))
