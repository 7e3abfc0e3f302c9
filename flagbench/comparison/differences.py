"""By how much an agent's figure differs from buy-and-hold's on the same days, over seeds and over assets.

The test of a table is Ledoit and Wolf's for the difference that the table shows: the interquartile mean of
the seeds' Sharpe ratios less buy-and-hold's. A book that holds all seeds in equal parts would be the easier
series to test, but its ratio is not the seeds': averaging takes out what they disagree on, and an agent that
acts at random would gain by it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flagbench.comparison.comparison import LEVEL, RESAMPLES
from flagbench.market.price_file import FloatArray
from flagbench.scoring.across_seeds import interquartile_mean, interquartile_weights
from flagbench.scoring.bootstrap import (
    circular_block_indices,
    critical_value,
    influence,
    p_value,
    sharpe_block_length,
    unusable,
)
from flagbench.scoring.paired import SAME
from flagbench.scoring.sharpe import RARE, sharpe_per_period, smallest_detectable_difference
from flagbench.scoring.studentised import Weigh, studentised_sharpe
from flagbench.trading.portfolio import IntArray

CELLS = 20_000_000
"""Of one piece of the resamples in memory, 160 MB."""

CHUNK = 500
"""Resamples of returns in memory at once."""

IDENTICAL = "identical to buy-and-hold in every seed"
PROPORTIONAL = "proportional to buy-and-hold: the Sharpe ratios are the same"


class Pairs(NamedTuple):
    """Seeds on one asset, beside buy-and-hold."""

    ours: FloatArray
    """(seeds, m)."""
    held: FloatArray
    """(m,), the same days."""
    unit: float
    """What a ratio of one bar is multiplied with."""
    days: bytes
    """The dates; assets of equal ones are resampled together."""
    log_returns: bool
    """Whether returns are logarithmic, and the cumulative return their sum."""


class Difference(NamedTuple):
    """A difference, nan where there is a reason."""

    value: float
    low: float
    high: float
    p_value: float
    smallest_detectable: float
    reason: str


def undefined(reason: str, value: float = math.nan) -> Difference:
    """No test."""
    return Difference(value, math.nan, math.nan, math.nan, math.nan, reason)


class _Group(NamedTuple):
    """Assets on the same days, as rows that one resample takes together."""

    cells: IntArray  # (k,) places of its pairs of asset and seed among all
    returns: FloatArray  # (k + assets, m): the seeds of all its assets, then buy-and-hold of each
    owner: FloatArray  # (k, assets) 1 where a cell is of the asset
    units: FloatArray  # (k,)
    log_returns: bool


def sharpe_difference(pairs: Sequence[Pairs], *, resamples: int = RESAMPLES) -> Difference:
    """IQM over assets and seeds of the yearly Sharpe ratio less buy-and-hold's, with its test.

    Studentised circular-block bootstrap (Ledoit and Wolf, 2008) of that combination of Sharpe ratios; of one
    seed on one asset it is `flagbench.scoring.paired.sharpe_difference_test`. Assets of the same days are
    resampled together. Those of other days count as independent: variances add, and the widest of their
    critical values is taken; there is no p-value then.

    Args:
        pairs: one an asset.
        resamples: for each group of days.
    """
    for pair in pairs:
        for returns in (*pair.ours, pair.held):
            if reason := unusable(returns):
                return undefined(reason)
    values = np.concatenate([_sharpe_differences(pair) for pair in pairs])
    if all(np.array_equal(ours, pair.held) for pair in pairs for ours in pair.ours):
        return undefined(IDENTICAL, 0.0)
    value, variance, reach, p_values = interquartile_mean(values), 0.0, 0.0, []
    groups = _groups(pairs)
    for group in groups:
        weigh = _weigh(group, values) if len(groups) == 1 else _held_weights(group, values)
        if _is_nothing(group, weigh):
            continue
        estimate, error, deviations = _bootstrap(group, weigh, resamples=resamples)
        variance += error**2
        reach = max(reach, critical_value(deviations, LEVEL))
        p_values.append(p_value(deviations, abs(estimate) / error))
    if not p_values:
        return undefined(PROPORTIONAL, value)
    if not math.isfinite(reach):
        return undefined(RARE, value)
    error = math.sqrt(variance)
    return Difference(
        value=value,
        low=value - reach * error,
        high=value + reach * error,
        p_value=p_values[0] if len(groups) == 1 else math.nan,
        smallest_detectable=smallest_detectable_difference(error),
        reason="",
    )


def return_difference(pairs: Sequence[Pairs], *, resamples: int = RESAMPLES) -> Difference:
    """IQM over assets and seeds of the cumulative return less buy-and-hold's, with quantiles of resamples.

    Circular blocks of days, the same for all seeds and for all assets of the same days; block length by
    Politis and White on buy-and-hold, the longest of a group. No test.

    Args:
        pairs: one an asset.
        resamples: how many.
    """
    groups = _groups(pairs)
    cells = sum(len(pair.ours) for pair in pairs)
    drawn, seen = np.empty((resamples, cells)), np.empty(cells)
    for group in groups:
        logs = group.returns if group.log_returns else np.log1p(np.maximum(group.returns, -1 + 1e-12))
        seen[group.cells] = _return_differences(group, logs.sum(axis=1))
        days = max(sharpe_block_length(held) for held in group.returns[len(group.cells) :])
        rng = np.random.default_rng(0)
        for begin in range(0, resamples, CHUNK):
            count = min(CHUNK, resamples - begin)
            chosen = circular_block_indices(logs.shape[1], days, resamples=count, rng=rng)
            sums = np.stack([series[chosen].sum(axis=1) for series in logs], axis=-1)
            drawn[begin : begin + count, group.cells] = _return_differences(group, sums)
    means = (interquartile_weights(drawn) * drawn).sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Difference(interquartile_mean(seen), float(low), float(high), math.nan, math.nan, "")


def _return_differences(group: _Group, sums: FloatArray) -> FloatArray:
    """Of each cell, from sums of log returns of the rows; (…, k) from (…, rows)."""
    totals = sums if group.log_returns else np.expm1(sums)
    own, held = totals[..., : len(group.cells)], totals[..., len(group.cells) :]
    differences: FloatArray = own - held @ group.owner.T
    return differences


def _sharpe_differences(pair: Pairs) -> FloatArray:
    held = sharpe_per_period(pair.held)
    return np.array([(sharpe_per_period(ours) - held) * pair.unit for ours in pair.ours])


def _groups(pairs: Sequence[Pairs]) -> list[_Group]:
    by_days: dict[bytes, list[int]] = {}
    for index, pair in enumerate(pairs):
        by_days.setdefault(pair.days, []).append(index)
    starts = np.cumsum([0, *(len(pair.ours) for pair in pairs)])
    groups: list[_Group] = []
    for indices in by_days.values():
        own = [pairs[index] for index in indices]
        counts = [len(pair.ours) for pair in own]
        groups.append(
            _Group(
                cells=np.concatenate([np.arange(starts[index], starts[index + 1]) for index in indices]),
                returns=np.concatenate([*(pair.ours for pair in own), np.stack([pair.held for pair in own])]),
                owner=np.repeat(np.eye(len(own)), counts, axis=0),
                units=np.repeat([pair.unit for pair in own], counts),
                log_returns=own[0].log_returns,
            )
        )
    return groups


def _weigh(group: _Group, values: FloatArray) -> Weigh:
    """Weights of a group's rows in the IQM over all cells, those of other groups held where they are.

    Args:
        group: the group.
        values: (cells,) differences of all groups.
    """

    def weigh(ratios: FloatArray) -> FloatArray:
        own, held = ratios[..., : len(group.cells)], ratios[..., len(group.cells) :]
        every = np.broadcast_to(values, (*ratios.shape[:-1], len(values))).copy()
        every[..., group.cells] = (own - held @ group.owner.T) * group.units
        weights = interquartile_weights(every)[..., group.cells] * group.units
        return np.concatenate([weights, -weights @ group.owner], axis=-1)

    return weigh


def _held_weights(group: _Group, values: FloatArray) -> Weigh:
    """The weights of a group's rows in the whole series, whatever a resample says.

    A resample of one asset's days alone often takes all its seeds out of the middle half, and then varies
    with nothing: over many groups of days too many resamples would be of no use.
    """
    weights = interquartile_weights(values)[group.cells] * group.units
    whole = np.concatenate([weights, -weights @ group.owner])

    def weigh(ratios: FloatArray) -> FloatArray:
        return np.where(np.isnan(ratios), 0.0, whole)

    return weigh


def _is_nothing(group: _Group, weigh: Weigh) -> bool:
    """Whether the group's part of the difference is 0 whatever the days, but for rounding."""
    felt = influence(group.returns)
    ratios = group.returns.mean(axis=1) / group.returns.std(axis=1)
    weights = weigh(ratios)
    return bool(np.abs(weights @ felt).max() <= SAME * max(np.abs(weights).max(), SAME) * np.abs(felt).max())


def _bootstrap(group: _Group, weigh: Weigh, *, resamples: int) -> tuple[float, float, FloatArray]:
    """Estimate, its standard error, and how far resamples stray, in pieces that fit into memory."""
    piece = max(CELLS // (4 * len(group.returns) ** 2), 1)
    parts = [
        studentised_sharpe(group.returns, weigh, resamples=min(piece, resamples - begin), seed=number)
        for number, begin in enumerate(range(0, resamples, piece))
    ]
    first = parts[0]
    return first.estimate, first.standard_error, np.concatenate([part.deviations for part in parts])
