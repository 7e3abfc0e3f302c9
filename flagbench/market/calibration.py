"""Measures what a replica of an asset is drawn with, on the asset's own bars before its training window.

`measured_params` gave every figure of the `replica:` blocks in tasks/assets, and a test measures them again.
Prices are adjusted, returns simple, deviations those of the whole sample. In order:

1. Volatility, overnight share, last price and median volume are plain statistics.
2. Jumps: returns above 6 robust deviations (median absolute return / 0.6745) of their block of 63 bars.
   Their size is their root mean square in deviations of their block's other returns, less the 1 that a
   bar without a jump would have had.
3. Regimes: a block is turbulent if its variance without jumps is above the mean of all blocks'. The ratio of
   variances is that of the two groups, the mean length of a regime that of unbroken runs of blocks.
4. GARCH(1,1) with unit mean and Student's t (Bollerslev 1987): returns cut at the jump threshold and divided
   by their regime's deviation, by maximum likelihood on a grid, among params whose kurtosis is finite and
   degrees of freedom of at least 5. Those of both legs are taken to be those of the bar.
5. Volume: its logarithm relative to the block's median, regressed on the absolute return in deviations of
   the block.
"""

import math
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.errors import MarketDataError
from flagbench.market.market import Market
from flagbench.market.price_file import FloatArray
from flagbench.market.replica_params import ReplicaParams

BLOCK = 63  # bars, about a quarter of trading days
FEWEST_BLOCKS = 8
JUMP_THRESHOLD = 6.0
# Median absolute deviation of a standard normal.
NORMAL_MEDIAN = 0.6745
ALPHAS = np.arange(1, 16) / 100
BETAS = np.arange(25, 50) / 50
DEGREES_OF_FREEDOM = (5.0, 5.5, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0)
# Of `ReplicaParams.garch_kurtosis_decay`: at 1 the kurtosis is infinite.
LARGEST_DECAY = 0.95
DIGITS = 3


class _Blocks(NamedTuple):
    """The last bars before the training window in blocks; arrays are (blocks, 63) or (blocks,)."""

    returns: FloatArray
    is_jump: npt.NDArray[np.bool_]
    thresholds: FloatArray  # of each block
    deviations: FloatArray  # of each block, without jumps


def measured_params(market: Market) -> ReplicaParams:
    """The params of an asset's replica, to three significant digits.

    Raises:
        MarketDataError: fewer than 8 blocks of 63 bars lie before the training window.
    """
    end = market.bar_range(market.asset.windows.train).start
    if end <= FEWEST_BLOCKS * BLOCK:
        raise MarketDataError(
            f"{market.asset.id}: {end} bars lie before {market.asset.windows.train.first}, "
            f"more than {FEWEST_BLOCKS * BLOCK} are needed to measure a replica's params"
        )
    opens, _, _, closes, volume = market.adjusted_bars[:end].T
    overnight, intraday = opens[1:] / closes[:-1] - 1, closes[1:] / opens[1:] - 1
    returns = closes[1:] / closes[:-1] - 1
    periods = market.asset.calendar.periods_per_year
    blocks = _in_blocks(returns - returns.mean())
    share = overnight.var() / (overnight.var() + intraday.var())
    slope, spread = _volume(blocks, volume)
    values = {
        "volatility": returns.std() * math.sqrt(periods),
        "overnight_share": share,
        "jump_rate": blocks.is_jump.mean(),
        "jump_size": _jump_size(blocks),
        **_regimes(blocks.deviations**2),
        "volume": np.nanmedian(volume[-periods:]),
        "volume_slope": max(0.0, slope),
        "volume_spread": spread,
    }
    known = {name: _rounded(float(value)) for name, value in values.items()}
    return _with_garch(blocks, {**known, "first_price": _rounded(float(market.bars[end - 1, 3]), digits=6)})


def _in_blocks(returns: FloatArray) -> _Blocks:
    count = len(returns) // BLOCK
    rows = returns[len(returns) - count * BLOCK :].reshape(count, BLOCK)
    thresholds = JUMP_THRESHOLD * np.median(np.abs(rows), axis=1) / NORMAL_MEDIAN
    is_jump = np.abs(rows) > thresholds[:, None]
    squares = np.where(is_jump, 0.0, rows**2).sum(axis=1)
    return _Blocks(rows, is_jump, thresholds, np.sqrt(squares / (~is_jump).sum(axis=1)))


def _jump_size(blocks: _Blocks) -> float:
    sizes = (blocks.returns / blocks.deviations[:, None])[blocks.is_jump]
    return math.sqrt(max(0.0, float(np.mean(sizes**2)) - 1)) if sizes.size else 0.0


def _is_turbulent(variances: FloatArray) -> npt.NDArray[np.bool_]:
    turbulent: npt.NDArray[np.bool_] = variances > variances.mean()
    return turbulent


def _regimes(variances: FloatArray) -> dict[str, float]:
    turbulent = _is_turbulent(variances)
    if not turbulent.any():
        return {"turbulence": 1.0, "calm_bars": float(variances.size * BLOCK), "turbulent_bars": float(BLOCK)}
    begins = np.flatnonzero(np.diff(turbulent, prepend=not turbulent[0]))
    runs = turbulent[begins]
    return {
        "turbulence": variances[turbulent].mean() / variances[~turbulent].mean(),
        "calm_bars": BLOCK * (~turbulent).sum() / max(1, (~runs).sum()),
        "turbulent_bars": BLOCK * turbulent.sum() / max(1, runs.sum()),
    }


def _with_garch(blocks: _Blocks, known: dict[str, float]) -> ReplicaParams:
    """The params with the likeliest α, β and degrees of freedom on the grid."""
    variances = blocks.deviations**2
    turbulent = _is_turbulent(variances)
    levels = np.array([variances[turbulent == regime].mean() for regime in turbulent])
    cut = np.clip(blocks.returns, -blocks.thresholds[:, None], blocks.thresholds[:, None])
    scaled = (cut / np.sqrt(levels)[:, None]).ravel()
    scaled /= scaled.std()
    without = ReplicaParams.model_validate(
        {**known, "garch_alpha": 0, "garch_beta": 0, "degrees_of_freedom": max(DEGREES_OF_FREEDOM)}
    )
    likeliest = -math.inf, without
    for alpha, beta in product(ALPHAS.tolist(), BETAS.tolist()):
        factors = _garch_factors(scaled, alpha, beta)
        for freedom in DEGREES_OF_FREEDOM:
            garch = {"garch_alpha": alpha, "garch_beta": beta, "degrees_of_freedom": freedom}
            params = without.model_copy(update=garch)
            if alpha + beta < 1 and params.garch_kurtosis_decay <= LARGEST_DECAY:
                fit = _student_likelihood(scaled, factors, freedom), params
                likeliest = max(likeliest, fit, key=lambda pair: pair[0])
    return likeliest[1]


def _garch_factors(returns: FloatArray, alpha: float, beta: float) -> FloatArray:
    """The variance factor of each bar, of unit mean, from the returns before it: (n,)."""
    factors = [1.0]
    for square in (returns[:-1] ** 2).tolist():
        factors.append(1 - alpha - beta + alpha * square + beta * factors[-1])
    return np.array(factors)


def _student_likelihood(returns: FloatArray, variances: FloatArray, freedom: float) -> float:
    """Log-likelihood of unit-variance Student innovations."""
    half = (freedom + 1) / 2
    constant = math.lgamma(half) - math.lgamma(freedom / 2) - math.log(math.pi * (freedom - 2)) / 2
    bars = np.log(variances) / 2 + half * np.log1p(returns**2 / (variances * (freedom - 2)))
    return float(returns.size * constant - bars.sum())


def _volume(blocks: _Blocks, volume: FloatArray) -> tuple[float, float]:
    """Slope and spread of the logarithm of volume; bars without volume are left out."""
    rows = volume[volume.size - blocks.returns.size :].reshape(blocks.returns.shape)
    traded = np.where(rows > 0, rows, np.nan)
    excess = np.log(traded / np.nanmedian(traded, axis=1)[:, None])
    sizes = np.abs(blocks.returns) / blocks.deviations[:, None]
    known = np.isfinite(excess) & ~blocks.is_jump
    slope, level = np.polyfit(sizes[known], excess[known], 1)
    return float(slope), float((excess[known] - level - slope * sizes[known]).std())


def _rounded(value: float, digits: int = DIGITS) -> float:
    return float(f"{value:.{digits}g}")
