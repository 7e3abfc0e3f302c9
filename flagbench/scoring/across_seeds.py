"""Seeds of one agent: what they came to together, and how sure the days leave that."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.bootstrap import LEVEL, RESAMPLES, unusable
from flagbench.scoring.sharpe import Interval, sharpe_per_period
from flagbench.scoring.studentised import studentised_sharpe


class SeedSummary(NamedTuple):
    """Annualised Sharpe ratios of the seeds of one agent on one window.

    Attributes:
        values: one a seed, in their order; nan where undefined.
        iqm: interquartile mean of the defined ones; nan without any.
        low: lower end of the days' interval of the IQM.
        high: upper end.
        minimum: of the defined ones.
        maximum: of the defined ones.
        undefined: how many seeds have none.
        reason: why there is no interval.
        blocks: effective ones, nan without an interval.
    """

    values: tuple[float, ...]
    iqm: float
    low: float
    high: float
    minimum: float
    maximum: float
    undefined: int
    reason: str | None = None
    blocks: float = math.nan


def interquartile_weights(values: FloatArray) -> FloatArray:
    """Weights of the interquartile mean: equal for all but the ⌊k/4⌋ lowest and highest of k defined values.

    Args:
        values: (…, S); nan is undefined and weighs 0.

    Returns:
        (…, S), all 0 where nothing is defined.
    """
    ranks = np.argsort(np.argsort(values, axis=-1, kind="stable"), axis=-1)  # nan sorts last
    defined = np.sum(~np.isnan(values), axis=-1, keepdims=True)
    cut = defined // 4
    inside = (ranks >= cut) & (ranks < defined - cut)
    weights: FloatArray = inside / np.maximum(defined - 2 * cut, 1)
    return weights


def interquartile_mean(values: Sequence[float] | FloatArray) -> float:
    """Mean of the middle half: of k values the ⌊k/4⌋ lowest and highest are left out; of five, one each.

    Source: Agarwal et al. (2021), by `scipy.stats.trim_mean` with a quarter at each end.

    Args:
        values: nan ones are left out first.

    Returns:
        nan if nothing is left.
    """
    array = np.asarray(values, dtype=np.float64)
    known = array[~np.isnan(array)]
    return float(interquartile_weights(known) @ known) if known.size else math.nan


def seed_sharpe(
    returns: FloatArray,
    *,
    periods_per_year: int,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> SeedSummary:
    """Sharpe ratios of seeds and their IQM with the interval that the days leave it.

    The interval is `sharpe_interval`'s studentised bootstrap of the IQM: every resample takes the same days
    for all seeds and sorts their ratios anew. It speaks of the market's days with these seeds given; how
    seeds differ is what `minimum` and `maximum` say. Copies of one seed have the interval of that seed.

    Args:
        returns: (seeds, m), the same days.
        periods_per_year: P.
        level: of the interval.
        resamples: how many.
        seed: of the resamples.
    """
    unit = math.sqrt(periods_per_year)
    ratios = np.array([sharpe_per_period(series) for series in returns])
    known = returns[~np.isnan(ratios)]
    interval = _interval(known, level=level, resamples=resamples, seed=seed).scaled(unit)
    values = ratios * unit
    return SeedSummary(
        values=tuple(values.tolist()),
        iqm=interquartile_mean(values),
        low=interval.low,
        high=interval.high,
        minimum=float(np.nanmin(values)) if len(known) else math.nan,
        maximum=float(np.nanmax(values)) if len(known) else math.nan,
        undefined=int(np.isnan(values).sum()),
        reason=interval.reason,
        blocks=interval.blocks,
    )


def _interval(returns: FloatArray, *, level: float, resamples: int, seed: int) -> Interval:
    if not len(returns):
        return Interval.undefined("no seed has a Sharpe ratio", level=level)
    if reason := unusable(returns[0]):
        return Interval.undefined(reason, level=level)
    bootstrap = studentised_sharpe(returns, interquartile_weights, resamples=resamples, seed=seed)
    return Interval.of(bootstrap, level=level, bars=returns.shape[1])
