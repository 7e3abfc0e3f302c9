"""The interquartile mean of Sharpe ratios over assets and seeds, with the interval that the days leave it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flagbench.comparison.comparison import LEVEL, RESAMPLES, Spread
from flagbench.comparison.differences import CELLS
from flagbench.comparison.intervals import spread
from flagbench.market.price_file import FloatArray
from flagbench.scoring.across_seeds import interquartile_weights
from flagbench.scoring.bootstrap import critical_value, unusable
from flagbench.scoring.sharpe import RARE, sharpe_per_period
from flagbench.scoring.studentised import Weigh, studentised_sharpe
from flagbench.trading.portfolio import IntArray


class Seeds(NamedTuple):
    """All seeds of an agent on one asset."""

    returns: FloatArray
    """(seeds, m)."""
    unit: float
    """What a ratio of one bar is multiplied with: √P, by the convention of the figures."""
    days: bytes
    """The dates; assets of equal ones are resampled together."""


class _Group(NamedTuple):
    """Assets on the same days."""

    cells: IntArray  # (k,) places of its pairs of asset and seed among all
    returns: FloatArray  # (k, m)
    units: FloatArray  # (k,)


def sharpe_level(assets: Sequence[Seeds], *, resamples: int = RESAMPLES) -> Spread:
    """IQM over assets and seeds of the yearly Sharpe ratio.

    Studentised circular-block bootstrap as `flagbench.comparison.differences.sharpe_difference`, without
    anything that is subtracted: assets of the same days are resampled together; those of other days count
    as independent, so that their variances add, and the widest of their critical values is taken. Over days
    of one kind every resample sorts its ratios anew; over several each ratio keeps the weight that it has in
    the whole series, since a resample of one asset's days alone often leaves the middle half with all seeds,
    and then varies with nothing.

    Args:
        assets: one each.
        resamples: for each group of days.

    Returns:
        no IQM where one seed has no Sharpe ratio.
    """
    values = np.array([sharpe_per_period(own) * asset.unit for asset in assets for own in asset.returns])
    for asset in assets:
        for own in asset.returns:
            if reason := unusable(own):
                return spread(values.tolist(), reasons=(f"no interval: {reason}",))
    variance, reach = 0.0, 0.0
    groups = _groups(assets)
    for group in groups:
        weigh = _weigh(group, values) if len(groups) == 1 else _held_weights(group, values)
        if not weigh(group.returns.mean(axis=1) / group.returns.std(axis=1)).any():
            continue  # none of its cells is in the middle half
        error, deviations = _bootstrap(group, weigh, resamples=resamples)
        variance += error**2
        reach = max(reach, critical_value(deviations, LEVEL))
    if not math.isfinite(reach):
        return spread(values.tolist(), reasons=(f"no interval: {RARE}",))
    plain = spread(values.tolist())
    wide = reach * math.sqrt(variance)
    return spread(values.tolist(), low=plain.iqm - wide, high=plain.iqm + wide)


def _groups(assets: Sequence[Seeds]) -> list[_Group]:
    by_days: dict[bytes, list[int]] = {}
    for index, asset in enumerate(assets):
        by_days.setdefault(asset.days, []).append(index)
    starts = np.cumsum([0, *(len(asset.returns) for asset in assets)])
    return [
        _Group(
            cells=np.concatenate([np.arange(starts[index], starts[index + 1]) for index in indices]),
            returns=np.concatenate([assets[index].returns for index in indices]),
            units=np.concatenate(
                [np.full(len(assets[index].returns), assets[index].unit) for index in indices]
            ),
        )
        for indices in by_days.values()
    ]


def _weigh(group: _Group, values: FloatArray) -> Weigh:
    """Weights of a group's ratios of one bar in the IQM over all cells, those of other groups held.

    Args:
        group: the group.
        values: (cells,) yearly ratios of all groups.
    """

    def weigh(ratios: FloatArray) -> FloatArray:
        every = np.broadcast_to(values, (*ratios.shape[:-1], len(values))).copy()
        every[..., group.cells] = ratios * group.units
        weights: FloatArray = interquartile_weights(every)[..., group.cells] * group.units
        return weights

    return weigh


def _held_weights(group: _Group, values: FloatArray) -> Weigh:
    """The weights of a group's ratios in the whole series, whatever a resample says."""
    weights = interquartile_weights(values)[group.cells] * group.units

    def weigh(ratios: FloatArray) -> FloatArray:
        return np.where(np.isnan(ratios), 0.0, weights)

    return weigh


def _bootstrap(group: _Group, weigh: Weigh, *, resamples: int) -> tuple[float, FloatArray]:
    """Standard error, and how far resamples stray, in pieces that fit into memory."""
    piece = max(CELLS // (4 * len(group.returns) ** 2), 1)
    parts = [
        studentised_sharpe(group.returns, weigh, resamples=min(piece, resamples - begin), seed=number)
        for number, begin in enumerate(range(0, resamples, piece))
    ]
    return parts[0].standard_error, np.concatenate([part.deviations for part in parts])
