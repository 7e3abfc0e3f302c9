"""Circular blocks of days: how long they should be, and which days a resample holds."""

import math

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.metrics import is_constant
from flagbench.trading.portfolio import IntArray

RESAMPLES = 5_000
"""Of every interval and paired test. The order that Ledoit and Wolf (2008) use, 4,999 there."""

LEVEL = 0.95
"""Of intervals; one minus it is the level of the tests. The convention."""

MIN_RETURNS = 11
"""Politis and White's rule reads autocorrelations up to the lag ⌈√m⌉ + 5, which fewer returns do not have."""

FEW_BLOCKS = 10
"""Below so many effective blocks an interval comes with a warning: its resamples hold too few pieces."""

CELLS = 100_000
"""Of one chunk of resamples in memory, 0.8 MB, which a processor's second cache holds: with twenty times as
many counting takes more than twice as long."""


def unusable(returns: FloatArray) -> str | None:
    """Why a series has no bootstrap, or None.

    Args:
        returns: (m,).
    """
    if not np.isfinite(returns).all():
        return "not every return is a number"
    if len(returns) < MIN_RETURNS:
        return f"fewer than {MIN_RETURNS} returns"
    return "the returns do not vary" if is_constant(returns) else None


def circular_block_indices(
    length: int, block_length: int, *, resamples: int, rng: np.random.Generator
) -> IntArray:
    """Days of every resample: blocks of consecutive days, the last before the first, from random first days.

    The last block is cut where the length is no multiple of its own.

    Source: Politis and Romano (1992). The same days as `arch.bootstrap.CircularBlockBootstrap`.

    Args:
        length: m, days.
        block_length: b, from 1 to m.
        resamples: how many.
        rng: of the first days.

    Returns:
        (resamples, length).
    """
    starts = rng.integers(0, length, (resamples, -(-length // block_length)))
    days: IntArray = (starts[..., np.newaxis] + np.arange(block_length)) % length
    return days.reshape(resamples, -1)[:, :length]


def resampled_means(
    features: FloatArray, *, blocks: int, resamples: int, rng: np.random.Generator
) -> FloatArray:
    """Mean over the blocks of every resample of what belongs to a block's first day.

    No resample is ever written out day by day: features are made of `block_sums`, and blocks looked up there.

    Args:
        features: (m, k) a row for each first day.
        blocks: in a resample.
        resamples: how many.
        rng: of the first days, drawn as `circular_block_indices` draws them.

    Returns:
        (resamples, k).
    """
    days, columns = features.shape
    # Looking up takes blocks · k steps a resample, counting some 2 · m and then hardly more for each column.
    few = blocks * columns <= 2 * days
    add_up, width = (_looked_up, blocks) if few else (_counted, days)
    sums = np.empty((resamples, columns))
    size = max(CELLS // width, 1)
    for begin in range(0, resamples, size):
        part = sums[begin : begin + size]
        add_up(features, rng.integers(0, days, (len(part), blocks)), part)
    return sums / blocks


def _looked_up(features: FloatArray, starts: IntArray, sums: FloatArray) -> None:
    for column, total in zip(np.ascontiguousarray(features.T), sums.T, strict=True):
        column.take(starts).sum(axis=1, out=total)


def _counted(features: FloatArray, starts: IntArray, sums: FloatArray) -> None:
    """How often a resample holds each block is a row of counts; one product with them makes all sums."""
    count, days = len(starts), len(features)
    starts += days * np.arange(count)[:, np.newaxis]  # in place: they are not looked at again
    drawn = np.bincount(starts.ravel(), minlength=count * days)
    np.matmul(drawn.reshape(count, days), features, out=sums)


def block_sums(series: FloatArray, block_length: int) -> FloatArray:
    """Sum over the circular block that begins at each day; (…, m) from (…, m)."""
    circle = np.concatenate([series, series[..., : block_length - 1]], axis=-1)
    sums: FloatArray = np.lib.stride_tricks.sliding_window_view(circle, block_length, axis=-1).sum(axis=-1)
    return sums


def block_length(series: FloatArray) -> int:
    """Politis and White's block length for the mean of a series, rounded up; from 1 to m.

    b = (2·g² / (4/3·s²))^{1/3}·m^{1/3}, g = Σ_k λ(k/M)·|k|·R(k), s = Σ_k λ(k/M)·R(k), R the autocovariances,
    λ the flat-top window, M twice the first lag from which on max(5, log₁₀ m) autocorrelations stay within
    ±2·√(log₁₀ m / m); at most ⌈min(3·√m, m/3)⌉. 1 for a constant series and under `MIN_RETURNS` days.

    Source: Politis and White (2004) with the correction of Patton, Politis and White (2009). Equal to the
    circular column of `arch.bootstrap.optimal_block_length`, which a test pins; importing arch takes longer
    than a whole score.

    Args:
        series: (m,).
    """
    days = len(series)
    if days < MIN_RETURNS or is_constant(series):
        return 1
    covariances, last = _covariances(series - series.mean())
    lags = np.arange(1, last + 1)
    window = np.minimum(1.0, 2 * (1 - lags / last))
    slope = 2 * float(window * lags @ covariances[1 : last + 1])
    level = float(covariances[0]) + 2 * float(window @ covariances[1 : last + 1])
    if level == 0:
        return 1
    length: float = (1.5 * (slope / level) ** 2 * days) ** (1 / 3)
    longest = math.ceil(min(3 * math.sqrt(days), days / 3))
    return max(math.ceil(min(length, longest)), 1)


def _covariances(centred: FloatArray) -> tuple[FloatArray, int]:
    """Autocovariances from lag 0 on, and the last lag M that the rule reads."""
    days = len(centred)
    run = max(5, int(math.log10(days)))
    last = math.ceil(math.sqrt(days)) + run
    products = np.array([centred[lag:] @ centred[: days - lag] for lag in range(last + 1)])
    # The correlation of lag k has the squares of all but k + 1 days below it, as in arch.
    squares = np.cumsum(centred**2)
    early = squares[days - 2 - np.arange(last + 1)]
    late = squares[-1] - squares[: last + 1]
    below = np.sqrt(np.maximum(early * late, 0.0))
    small = np.abs(products) < 2 * math.sqrt(math.log10(days) / days) * below
    runs = np.lib.stride_tricks.sliding_window_view(small[:last], run).all(axis=1)
    begin = int(np.argmax(runs)) if runs.any() else last
    return products / days, min(2 * max(begin, 1), last)


def influence(returns: FloatArray) -> FloatArray:
    """Influence of each day on the Sharpe ratio of one bar: z − SR·(z² − 1)/2, of mean 0; (…, m).

    z are the returns less their mean over their deviation (ddof 0), SR the ratio of the two. The Sharpe ratio
    less its true value is the mean of it, up to terms of the order 1/m.

    Source: the delta method; Mertens (2002) has its variance for independent returns.

    Args:
        returns: (…, m), not constant.
    """
    mean = returns.mean(axis=-1, keepdims=True)
    deviation = returns.std(axis=-1, keepdims=True)
    z = (returns - mean) / deviation
    days: FloatArray = z - mean / deviation * (z**2 - 1) / 2
    return days


def sharpe_block_length(returns: FloatArray) -> int:
    """Block length for the Sharpe ratio of a series: that for the mean of its `influence`; 1 if constant.

    Args:
        returns: (m,).
    """
    return 1 if unusable(returns) else block_length(influence(returns))


def critical_value(deviations: FloatArray, level: float) -> float:
    """The deviation that a share of at least `level` of the resamples does not exceed; infinite is allowed.

    The ⌈level · (R + 1)⌉-th smallest, so that the interval leaves out what `p_value` rejects.

    Args:
        deviations: (R,) |t| of each resample.
        level: of the interval.
    """
    rank = min(math.ceil(level * (len(deviations) + 1)), len(deviations))
    return float(np.partition(deviations, rank - 1)[rank - 1])


def p_value(deviations: FloatArray, observed: float) -> float:
    """(1 + resamples that deviate at least as far as observed) / (1 + R), two-sided.

    Source: Ledoit and Wolf (2008), their equation for the p-value of the bootstrap.
    """
    return float((1 + np.sum(deviations >= observed)) / (1 + len(deviations)))
