"""Linear programmes, and lower bounds of them that hold whatever a solver said.

A solver's answer is never the proof. It hands over multipliers y; for any y ≥ 0, every x with 0 ≤ x ≤ u and
A·x ≤ b has c·x ≥ (c + Aᵀy)·x − y·b ≥ Σ u·min(0, c + Aᵀy) − y·b (weak duality), and this is computed here.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from flagbench.market.price_file import FloatArray
from flagbench.trading.portfolio import BoolArray

MARGIN = 1e-6
"""In tolerances of what was printed; a miss must be larger than this to count."""

LONGEST = 20.0
"""Seconds for one programme; ours: 150 days take a tenth of one, and 2,000 days some seconds."""

RELATIVE_MARGIN = 1e-12
"""Of the sum of all magnitudes that went into a bound: thousands of times the rounding of float64."""


class Programme(NamedTuple):
    """rows · x ≤ limits and 0 ≤ x ≤ upper, which every path that has what was printed fulfils.

    Attributes:
        rows: (R, V) sparse.
        limits: (R,).
        upper: (V,), finite.
        printed: (R,) the rows that say what was printed, in units of half its interval; all others hold
            for every path.
    """

    rows: Any
    limits: FloatArray
    upper: FloatArray
    printed: BoolArray


def least_miss(programme: Programme) -> float:
    """By how much every path misses what was printed: a sound lower bound, in tolerances; 0 if none is found.

    The rows that say what was printed may be missed by e ≥ 0 each, and Σ e is made small.
    """
    count = int(programme.printed.sum())
    slack = csr_array(
        (np.full(count, -1.0), (np.flatnonzero(programme.printed), np.arange(count))),
        shape=(len(programme.limits), count),
    )
    rows = csr_array(hstack([programme.rows, slack]))
    cost = np.concatenate([np.zeros(len(programme.upper)), np.ones(count)])
    # No path misses by more: |terms| are bounded, and so is the slack that a solution needs.
    most = np.abs(programme.rows) @ programme.upper + np.abs(programme.limits)
    upper = np.concatenate([programme.upper, most[programme.printed]])
    bound = least_cost(Programme(rows, programme.limits, upper, programme.printed), cost)
    return bound if bound > MARGIN else 0.0


def least_cost(programme: Programme, cost: FloatArray) -> float:
    """A sound lower bound of cost · x over the programme; −inf where the solver came to no multipliers.

    Args:
        programme: the constraints.
        cost: (V,).
    """
    solved = solve(programme, cost)
    if solved.ineqlin.marginals is None:
        return -math.inf
    multipliers = np.maximum(-np.asarray(solved.ineqlin.marginals, dtype=np.float64), 0)
    reduced = cost + programme.rows.T @ multipliers
    bound = programme.upper @ np.minimum(reduced, 0) - multipliers @ programme.limits
    magnitude = programme.upper @ (np.abs(cost) + np.abs(programme.rows).T @ multipliers)
    magnitude += multipliers @ np.abs(programme.limits)
    sound = float(bound - RELATIVE_MARGIN * magnitude)
    return sound if math.isfinite(sound) else -math.inf


def solve(programme: Programme, cost: FloatArray) -> Any:
    """HiGHS' answer, by scipy; a solver that was stopped has none."""
    return linprog(
        cost,
        A_ub=programme.rows,
        b_ub=programme.limits,
        bounds=np.column_stack([np.zeros_like(programme.upper), programme.upper]),
        method="highs",
        options={"time_limit": LONGEST},
    )
