"""Returns of a replica: regimes, volatility clustering, fat tails and jumps, and no drift.

A bar has two legs, overnight (close before to open) and intraday (open to close). Each leg's simple return
is a standard deviation known before the bar opens, times an innovation that is symmetric about zero. So
the mean of each leg is exactly zero whatever came before: prices are a martingale.

Sources: Hamilton 1989 (regimes), Bollerslev 1986 and 1987 (GARCH, with Student's t), Merton 1976 (jumps).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.market.draws import stream, to_normals, to_student, uniforms
from flagbench.market.price_file import FloatArray
from flagbench.market.replica_params import ReplicaParams

# Bars drawn and dropped before the first one shown, so that volatility does not begin at its mean.
BURN_IN = 250
# A leg's return is cut at ± this, so that prices stay positive. Of the installed assets it touches ETH most:
# one bar in fourteen thousand, which takes 1 % off its volatility.
LARGEST_RETURN = 0.75


class ReturnPath(NamedTuple):
    """Returns of n bars and what they were made of; each array is (n,)."""

    overnight: FloatArray  # simple returns from the close before to the open
    intraday: FloatArray  # simple returns from open to close
    overnight_normals: FloatArray  # standard normals behind the overnight returns
    intraday_normals: FloatArray
    variance: FloatArray  # of both legs together, known before the bar opens
    turbulent: npt.NDArray[np.bool_]  # the regime, known before the bar opens


class _Innovations(NamedTuple):
    """Innovations of the legs, in standard deviations of a bar, and the numbers behind them; each (n,)."""

    overnight: FloatArray
    intraday: FloatArray
    overnight_normals: FloatArray
    intraday_normals: FloatArray
    regime: FloatArray  # uniform


def draw_returns(
    params: ReplicaParams, bars: int, *, periods_per_year: int, seed: int, name: str
) -> ReturnPath:
    """Returns of `bars` bars; more bars with the same seed and name only add to the end.

    Args:
        params: of the asset.
        bars: how many.
        periods_per_year: bars in a year.
        seed: of the market.
        name: of the asset; two assets with one seed have independent returns.
    """
    innovations = _draw_innovations(params, BURN_IN + bars, stream(seed, name, "returns"))
    mean_variance = params.volatility**2 / periods_per_year
    alpha, beta = params.garch_alpha, params.garch_beta
    overnight, intraday, variances = (np.empty(BURN_IN + bars) for _ in range(3))
    turbulent = _regimes(params, innovations.regime)
    calm_variance, turbulent_variance = (mean_variance * multiplier for multiplier in params.multipliers)
    levels = np.where(turbulent, turbulent_variance, calm_variance).tolist()
    factor = 1.0  # the GARCH factor; its mean is 1
    for bar, level in enumerate(levels):
        variance = level * factor
        deviation = math.sqrt(variance)
        night, day = (_cut(deviation * leg[bar].item()) for leg in innovations[:2])
        factor = 1 - alpha - beta + factor * (alpha * (night + day) ** 2 / variance + beta)
        overnight[bar], intraday[bar], variances[bar] = night, day, variance
    shown = slice(BURN_IN, None)
    return ReturnPath(
        overnight=overnight[shown],
        intraday=intraday[shown],
        overnight_normals=innovations.overnight_normals[shown],
        intraday_normals=innovations.intraday_normals[shown],
        variance=variances[shown],
        turbulent=turbulent[shown],
    )


def _draw_innovations(params: ReplicaParams, bars: int, source: np.random.PCG64) -> _Innovations:
    """Student's t on both legs, weighted by their variance shares, and at most one jump a bar.

    A jump falls on a leg by the leg's share of the variance, so the shares stay what they are.
    """
    numbers = uniforms(source, bars, 6)
    normals = to_normals(numbers[:, :2])
    tails = to_student(normals, params.degrees_of_freedom)
    jumps = np.where(numbers[:, 2] < params.jump_rate, params.jump_size, 0.0)
    jumps *= np.where(numbers[:, 3] < 0.5, -1.0, 1.0)
    at_night = numbers[:, 4] < params.overnight_share
    scale = 1 / math.sqrt(1 + params.jump_rate * params.jump_size**2)  # back to unit variance
    share = params.overnight_share
    return _Innovations(
        overnight=scale * (math.sqrt(share) * tails[:, 0] + np.where(at_night, jumps, 0.0)),
        intraday=scale * (math.sqrt(1 - share) * tails[:, 1] + np.where(at_night, 0.0, jumps)),
        overnight_normals=normals[:, 0],
        intraday_normals=normals[:, 1],
        regime=numbers[:, 5],
    )


def _regimes(params: ReplicaParams, numbers: FloatArray) -> npt.NDArray[np.bool_]:
    """A two-state Markov chain that begins in its long-run distribution: (n,) whether a bar is turbulent."""
    turbulent = [bool(numbers[0] < params.turbulent_share)]
    for number in numbers[1:].tolist():
        leaves = number < 1 / (params.turbulent_bars if turbulent[-1] else params.calm_bars)
        turbulent.append(turbulent[-1] != leaves)
    return np.array(turbulent)


def _cut(value: float) -> float:
    return max(-LARGEST_RETURN, min(LARGEST_RETURN, value))
