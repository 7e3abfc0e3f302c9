"""Studentised circular-block bootstrap of means and of combinations of Sharpe ratios.

A resample is judged by its own standard error, which its blocks give; the series by one that allows for
dependence of any length. So the interval is right to a higher order than quantiles of resampled figures.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.bootstrap import block_length, block_sums, critical_value, influence, resampled_means
from flagbench.scoring.long_run import long_run_variance

Weigh = Callable[[FloatArray], FloatArray]
"""Weights of Sharpe ratios in a combination of them, (…, S) from (…, S); 0 for one that is nan."""

TINY = 1e-10
"""A variance, relative to the whole series', that is rounding: such a resample repeats one day."""


class Studentised(NamedTuple):
    """A figure, its standard error, and how far resamples strayed from it in units of their own.

    With ψ the influence of each day on the figure, b the block length and T* the days of a resample:

    - standard error = √(long-run variance of ψ / m);
    - a resample's standard error* = √((1/l)·Σ_j ζ_j² / T*), ζ_j the sum of its own ψ over its j-th of l whole
      blocks, divided by √b;
    - deviation = |figure* − figure| / standard error*, infinite where a resample does not vary.

    Source: Ledoit and Wolf (2008), section 3.2.2, equations 8 and 9; Götze and Künsch (1996) for the blocks.
    """

    estimate: float
    standard_error: float
    deviations: FloatArray
    block_length: int

    def ends(self, level: float) -> tuple[float, float]:
        """Symmetric interval; infinite where more resamples than one minus the level do not vary."""
        reach = critical_value(self.deviations, level) * self.standard_error
        return self.estimate - reach, self.estimate + reach


def studentised_mean(series: FloatArray, *, days: int, resamples: int, seed: int) -> Studentised:
    """Bootstrap of the mean of a series.

    Args:
        series: (m,), not constant.
        days: b, the block length.
        resamples: how many.
        seed: of the resamples.
    """
    mean, deviation = float(series.mean()), float(series.std())
    z = (series - mean) / deviation
    sums = block_sums(z, days)
    blocks = len(series) // days
    rng = np.random.default_rng(seed)
    first, second = resampled_means(
        np.column_stack([sums, sums**2]), blocks=blocks, resamples=resamples, rng=rng
    ).T
    spread = (second - first**2) / days
    return Studentised(
        estimate=mean,
        standard_error=float(np.sqrt(long_run_variance(z) / len(series))) * deviation,
        deviations=_deviations(first / days, spread, drawn=blocks * days),
        block_length=days,
    )


def studentised_sharpe(
    returns: FloatArray, weigh: Weigh, *, resamples: int, seed: int, days: int | None = None
) -> Studentised:
    """Bootstrap of Σ_s w_s·SR_s of one bar, all series on the same days; SR = mean / sd, ddof 1.

    Args:
        returns: (S, m), none constant.
        weigh: the weights, of the whole series and of every resample.
        resamples: how many.
        seed: of the resamples.
        days: b; by default that of the combination's influence.
    """
    bars = returns.shape[1]
    mean, deviation = returns.mean(axis=1), returns.std(axis=1)
    sharpe = mean / deviation
    weights = weigh(sharpe)
    felt = weights @ influence(returns)
    length = block_length(felt) if days is None else days
    z = (returns - mean[:, np.newaxis]) / deviation[:, np.newaxis]
    sums = block_sums(np.concatenate([z, z**2]), length).T
    products = (sums[:, :, np.newaxis] * sums[:, np.newaxis, :]).reshape(bars, -1)
    blocks = bars // length
    means = resampled_means(
        np.concatenate([sums, products], axis=1),
        blocks=blocks,
        resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    combined, spread = _resampled(means, sharpe, weigh, days=length)
    estimate = float(weights @ sharpe)
    unit = float(np.sqrt((bars - 1) / bars))  # from ddof 0 to ddof 1
    return Studentised(
        estimate=estimate * unit,
        standard_error=float(np.sqrt(long_run_variance(felt) / bars)) * unit,
        deviations=_deviations(combined - estimate, spread, drawn=blocks * length),
        block_length=length,
    )


def _resampled(
    means: FloatArray, sharpe: FloatArray, weigh: Weigh, *, days: int
) -> tuple[FloatArray, FloatArray]:
    """The combination in every resample, nan where it has none, and the mean of ζ².

    Args:
        means: (R, 2S + 4S²) means over blocks of the sums of z and z², and of these sums' products.
        sharpe: (S,) of the whole series, ddof 0.
        weigh: the weights.
        days: b.
    """
    series = len(sharpe)
    sums, products = means[:, : 2 * series], means[:, 2 * series :].reshape(-1, 2 * series, 2 * series)
    first, second = sums[:, :series] / days, sums[:, series:] / days
    variance = second - first**2
    variance = np.where(variance > TINY, variance, np.nan)
    ratios = (sharpe + first) / np.sqrt(variance)
    weights = weigh(ratios)
    known = np.where(weights != 0, ratios, 0.0)
    # ψ* is, but for a constant, this times z plus that times z².
    slopes = weights * (1 / np.sqrt(variance) + ratios * first / variance)
    curves = -weights * ratios / (2 * variance)
    terms = np.where(np.tile(weights != 0, 2), np.concatenate([slopes, curves], axis=1), 0.0)
    squares = np.einsum("ra,rab,rb->r", terms, products, terms)
    spread = (squares - (terms * sums).sum(axis=1) ** 2) / days
    return (weights * known).sum(axis=1), spread


def _deviations(moved: FloatArray, spread: FloatArray, *, drawn: int) -> FloatArray:
    """|moved| / √(spread / drawn); infinite where a resample has no spread."""
    varies = (spread > TINY) & np.isfinite(moved)
    deviations: FloatArray = np.full(len(moved), np.inf)
    deviations[varies] = np.abs(moved[varies]) / np.sqrt(spread[varies] / drawn)
    return deviations
