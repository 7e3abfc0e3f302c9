"""A path that prints as the claim does, if one is found."""

from itertools import product

import numpy as np

from flagbench.audit.annealing import deepest_stretch, near_paths
from flagbench.audit.changes import any_changes, few_changes, reached, sign_changes
from flagbench.audit.goal import Choices, Goal
from flagbench.market.price_file import FloatArray

ALL_PATHS = 2**15
"""Windows with no more paths than this have all of them looked at; ours, below a second."""

ROUNDS = 12
"""Descents before the search is given up; ours: of random paths on 150 days 90 % are found in two."""

BASES = 6
"""Paths of a descent that are mended; ours."""

HALF_BITS = 17
"""log2 of the halves of a short window that are all looked at: 34 days long or flat, 20 that may be short.
Ours: below a second."""

BITS = 14
"""log2 of the changes in a list; ours: 2^28 pairs hold some dozens that hit figures of three decimals."""


def is_small(goal: Goal) -> bool:
    """Whether all paths can be looked at."""
    paths: int = (1 + len(goal.claim.options)) ** goal.days
    return paths <= ALL_PATHS


def all_paths(goal: Goal) -> Choices:
    """(K^m, m) every path of a small window."""
    return np.array(list(product(range(len(goal.options)), repeat=goal.days)), dtype=np.int8)


def find_path(goal: Goal, *, rounds: int = ROUNDS) -> FloatArray | None:
    """(m,) positions whose figures print as the claim's; None where none was found.

    The search is seeded: the same claim finds the same path. Of a small window None means that there is none.
    """
    if goal.bounds.is_empty:
        return None
    if is_small(goal):
        return goal.first_reached(all_paths(goal))
    if not np.isfinite(goal.steps).all():
        return None  # the search goes by logarithms
    found = _halves(goal)
    if found is None:
        found = _near_constant(goal)
    random = np.random.default_rng(0)
    for _ in range(rounds):
        if found is not None:
            break
        found = _round(goal, random)
    return found


def _halves(goal: Goal) -> FloatArray | None:
    """A path of a short window, where only one may have the sums: all first halves by all second ones."""
    half = (goal.days + 1) // 2
    if half * np.log2(len(goal.options)) > HALF_BITS:
        return None
    days, flat = np.arange(goal.days), np.zeros(goal.days, dtype=np.int8)
    return reached(goal, flat, any_changes(goal, flat, days[:half]), any_changes(goal, flat, days[half:]))


def _near_constant(goal: Goal) -> FloatArray | None:
    """A path that differs from a constant one on at most four days."""
    days = np.arange(goal.days)
    if goal.days > 400:  # pairs of days grow with the square of the window; ours
        return None
    for option in range(len(goal.options)):
        base = np.full(goal.days, option, dtype=np.int8)
        changes = few_changes(goal, base, days, at_most=2)
        found = reached(goal, base, changes, changes)
        if found is not None:
            return found
    return None


def _round(goal: Goal, random: np.random.Generator) -> FloatArray | None:
    near = near_paths(goal, random)
    if not near:
        return None
    others = random.integers(0, len(near), BASES // 2)
    bases = [path.choices for path in (*near[: BASES // 2], *(near[index] for index in others))]
    for rank, base in enumerate(bases):
        found = _mended(goal, base, random, thoroughly=rank < 2)
        if found is not None:
            return found
    return None


def _mended(goal: Goal, base: Choices, random: np.random.Generator, *, thoroughly: bool) -> FloatArray | None:
    """Change days outside of the deepest stretch, so that the sums fit and the drawdown stays."""
    begin, end = deepest_stretch(goal, base)
    free = random.permutation(np.concatenate([np.arange(begin), np.arange(end, goal.days)]))
    half = min(len(free) // 2, int(BITS / np.log2(len(goal.options))))
    one, two = free[:half], free[half : 2 * half]
    found = reached(goal, base, any_changes(goal, base, one), any_changes(goal, base, two))
    if found is not None or not thoroughly:
        return found
    # A path that is hardly ever held, or hardly ever not, leaves room for a few changes on many days only.
    half = min(len(free) // 2, 32 * (4 - len(goal.options)))
    one, two = free[:half], free[half : 2 * half]
    found = reached(
        goal, base, few_changes(goal, base, one, at_most=3), few_changes(goal, base, two, at_most=3)
    )
    if found is not None or len(goal.options) < 3:
        return found
    # A path that is hardly ever flat: signs hit the return, and few changes the volatility.
    one, two = free[:BITS], free[BITS : BITS + 40]
    return reached(goal, base, sign_changes(goal, base, one), few_changes(goal, base, two, at_most=2))
