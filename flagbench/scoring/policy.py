"""Degenerate policies called by their name, and whether the timing of positions earned anything."""

from typing import Literal, NamedTuple

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.trading.action import Action
from flagbench.trading.portfolio import IntArray


class Timing(NamedTuple):
    """The timing statistic of a path of positions and its place among the path's circular shifts."""

    statistic: float
    p_value: float
    """Share of all m shifts, the path itself among them, that do at least as well."""
    undefined: str | None


class PolicyShape(NamedTuple):
    """What a path of positions amounts to."""

    identical_to: Literal["buy-and-hold", "always-flat"] | None
    agreement_with_buy_and_hold: float
    """Share of bars with the position that buy-and-hold has."""
    timing: Timing


def timing_test(positions: FloatArray, returns: FloatArray) -> Timing:
    """Σ (a_t − ā) · r_t against the same sum for every circular shift of the positions.

    A shift keeps exposure and trading rhythm and breaks only the match with the returns, so it tests
    timing at equal exposure. One-sided.

    Args:
        positions: (m,) a_t.
        returns: (m,) what the asset earned while a_t was held.
    """
    if len(positions) < 2:
        return Timing(float("nan"), float("nan"), "fewer than two positions")
    if positions.max() == positions.min():
        return Timing(float("nan"), float("nan"), "the position never changed")
    excess = positions - positions.mean()
    shifts = np.array([np.dot(np.roll(excess, shift), returns) for shift in range(len(positions))])
    # Equal up to rounding counts as equal: a periodic path ties with its own shifts.
    tolerance = 1e-12 * float(np.abs(returns).sum())
    return Timing(float(shifts[0]), float(np.mean(shifts >= shifts[0] - tolerance)), None)


def policy_shape(positions: FloatArray, returns: FloatArray) -> PolicyShape:
    """Name a path of positions.

    Args:
        positions: (m,) after each decision was filled.
        returns: (m,) what the asset earned while each was held.
    """
    identical: Literal["buy-and-hold", "always-flat"] | None = None
    if len(positions) and bool(np.all(positions == 1)):
        identical = "buy-and-hold"
    elif len(positions) and bool(np.all(positions == 0)):
        identical = "always-flat"
    agreement = float(np.mean(positions == 1)) if len(positions) else float("nan")
    return PolicyShape(identical, agreement, timing_test(positions, returns))


def buy_and_hold_actions(decisions: int) -> IntArray:
    """BUY, then HOLD: what every agent is shown beside. (decisions,) int8."""
    actions = np.full(decisions, Action.HOLD, dtype=np.int8)
    actions[:1] = Action.BUY
    return actions
