"""Paths near a claim whose drawdown is already the claimed one, by simulated annealing."""

from typing import NamedTuple

import numpy as np

from flagbench.audit.changes import any_changes
from flagbench.audit.goal import Choices, Goal, deepest_falls
from flagbench.audit.paths import sums_programme
from flagbench.audit.programme import solve
from flagbench.audit.sums import terms_of
from flagbench.market.price_file import FloatArray
from flagbench.trading.portfolio import BoolArray

STEPS = 300
"""Changes of one day in a descent; ours: twice as many found no more on 150 days."""

HOTTEST, COLDEST = 1.5, 0.02
"""Temperatures in units of the scales below; ours."""

STRETCH_DAYS = 12
"""Days of the deepest stretch on which all choices are tried in the end; ours, 4096 paths of long or flat."""


class Near(NamedTuple):
    """A path whose drawdown is the claimed one, and how far off its sums are."""

    distance: float
    choices: Choices


class _Scales(NamedTuple):
    """What counts as far off."""

    returns: float
    spread: float
    depth: float


def near_paths(goal: Goal, random: np.random.Generator) -> list[Near]:
    """Paths with the claimed drawdown and sums that a few changes can mend, the nearest first.

    Args:
        goal: what is looked for.
        random: of the descent.
    """
    choices = _start(goal, random)
    scales = _scales(goal)
    found: list[Near] = []
    for step in range(STEPS):
        temperature = HOTTEST * (1 - step / STEPS) ** 2 + COLDEST
        others, distances, has_depth = _neighbours(goal, choices, scales)
        found += [
            Near(float(distances[place]), _changed(choices, others, place))
            for place in zip(*np.nonzero(has_depth & (distances < 4)), strict=True)
        ]
        # The largest of these is a draw with probabilities exp(−distance / temperature).
        draws = random.gumbel(size=distances.shape) - distances / temperature
        choices = _changed(choices, others, np.unravel_index(int(draws.argmax()), draws.shape))
    found += _in_the_stretch(goal, choices, scales, random)
    return sorted(found, key=lambda near: near.distance)


def _start(goal: Goal, random: np.random.Generator) -> Choices:
    """A corner of all paths that have the sums, rounded."""
    terms = terms_of(goal.convention, goal.claim.options)
    programme = sums_programme(terms, goal.bounds)
    solved = solve(programme, random.normal(size=terms.returns.size))
    held = np.zeros_like(terms.returns) if solved.x is None else solved.x.reshape(terms.returns.shape)
    choices: Choices = np.vstack([1 - held.sum(axis=0), held]).argmax(axis=0).astype(np.int8)
    return choices


def _scales(goal: Goal) -> _Scales:
    most = goal.returns[1] @ goal.returns[1]
    wanted = goal.bounds.spread.middle + goal.bounds.slope * goal.bounds.returns.middle
    # Near the least and the largest volatility few paths are left, so a step there is a small one.
    room = max(min(0.02 * most, 0.1 * min(wanted, most - wanted)), 2e-4 * most)
    return _Scales(
        returns=0.015 * float(np.abs(goal.returns[1]).sum()),
        spread=float(room),
        depth=max(0.1 * goal.bounds.depth.low, 0.002),
    )


def _distance(
    goal: Goal, returns: FloatArray, spread: FloatArray, depths: FloatArray, scales: _Scales
) -> FloatArray:
    off: FloatArray = (
        np.abs(returns - goal.bounds.returns.middle) / scales.returns
        + np.abs(spread - goal.bounds.spread.middle) / scales.spread
        + np.abs(depths - min(goal.bounds.depth.middle, 100.0)) / scales.depth
    )
    return off


def _neighbours(goal: Goal, choices: Choices, scales: _Scales) -> tuple[Choices, FloatArray, BoolArray]:
    """(K − 1, m) other choices of each day, how far off they lead, and whether they have the drawdown."""
    count, days = goal.returns.shape
    today = np.arange(days)
    others = ((choices + np.arange(1, count)[:, None]) % count).astype(np.int8)
    curve = np.concatenate([[0.0], np.cumsum(goal.steps[choices, today])])
    step = goal.steps[others, today] - goal.steps[choices, today]
    after = np.triu(np.ones((days, days + 1)), 1)  # a change of day t moves the curve from t + 1 on
    depths = deepest_falls(curve + step[:, :, None] * after)
    returns = goal.returns[choices, today].sum() + goal.returns[others, today] - goal.returns[choices, today]
    spread = goal.spread[choices, today].sum() + goal.spread[others, today] - goal.spread[choices, today]
    return others, _distance(goal, returns, spread, depths, scales), goal.has_depth(depths)


def _changed(choices: Choices, others: Choices, place: tuple[np.intp, ...]) -> Choices:
    option, day = place
    changed = choices.copy()
    changed[day] = others[option, day]
    return changed


def deepest_stretch(goal: Goal, choices: Choices) -> tuple[int, int]:
    """First day and end of the days over which a path falls furthest."""
    curve = np.concatenate([[0.0], np.cumsum(goal.steps[choices, np.arange(goal.days)])])
    low = int((np.maximum.accumulate(curve) - curve).argmax())
    return int(curve[: low + 1].argmax()), low


def _in_the_stretch(goal: Goal, choices: Choices, scales: _Scales, random: np.random.Generator) -> list[Near]:
    """Paths that choose anew on some days of the deepest stretch and have the drawdown."""
    begin, end = deepest_stretch(goal, choices)
    count = int(STRETCH_DAYS / np.log2(len(goal.options)))
    days = random.permutation(np.arange(begin, end))[:count]
    changes = any_changes(goal, choices, days)
    paths = np.repeat(choices[None], len(changes.choices), axis=0)
    paths[:, days] = changes.choices
    depths = goal.depths(paths)
    today = np.arange(goal.days)
    distances = _distance(
        goal,
        goal.returns[choices, today].sum() + changes.returns,
        goal.spread[choices, today].sum() + changes.spread,
        depths,
        scales,
    )
    kept = np.flatnonzero(goal.has_depth(depths) & (distances < 6))
    return [Near(float(distances[row]), paths[row]) for row in kept]
