"""Many small changes of a path at once: two lists of them, and the pairs that together hit two targets.

Hitting Σ r and the centred Σ r² to within a rounding is a subset-sum problem in two dimensions. There are so
many paths that solutions abound, but none is found by stepping from path to path. So two lists of changes are
drawn up on different days, one is sorted, and for each entry of the other the partners are looked up: "meet
in the middle", after Horowitz and Sahni (1974).
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.audit.goal import Choices, Goal
from flagbench.audit.interval import Interval
from flagbench.market.price_file import FloatArray

Days = npt.NDArray[np.intp]

MOST_PAIRS = 4_000_000
"""Pairs that are looked at for one base; ours, so that a step takes below a second and 200 MB."""

CHUNK = 2_000
"""Paths that are scored at once; ours."""


class Changes(NamedTuple):
    """N ways to choose anew on q days of a base path."""

    days: Days  # (q,)
    choices: Choices  # (N, q)
    returns: FloatArray  # (N,) what each adds to Σ r of the base
    spread: FloatArray  # (N,) and to its centred sum of squares


def any_changes(goal: Goal, base: Choices, days: Days) -> Changes:
    """All ways to choose on these days: K^q of them."""
    return _changes(goal, base, days, _product([np.arange(len(goal.options))] * len(days)))


def sign_changes(goal: Goal, base: Choices, days: Days) -> Changes:
    """All ways to go long instead of short and short instead of long on these days."""
    other = np.array([0, 2, 1]) if len(goal.options) > 2 else np.array([0, 1])
    return _changes(goal, base, days, _product([np.unique([base[day], other[base[day]]]) for day in days]))


def few_changes(goal: Goal, base: Choices, days: Days, *, at_most: int) -> Changes:
    """All ways to change the choice on at most so many of these days."""
    count = len(goal.options)
    parts = []
    for size in range(min(at_most, len(days)) + 1):
        chosen = list(combinations(range(len(days)), size))
        places = np.array(chosen, dtype=np.intp).reshape(len(chosen), size)
        turns = _product([np.arange(1, count)] * size)  # 1 is the next option, round the circle
        part = np.repeat(base[days][None], len(places) * len(turns), axis=0)
        rows = np.arange(len(part))[:, None]
        place, turn = np.repeat(places, len(turns), axis=0), np.tile(turns, (len(places), 1))
        part[rows, place] = (part[rows, place] + turn) % count
        parts.append(part)
    return _changes(goal, base, days, np.concatenate(parts))


def _product(options: list[npt.NDArray[np.intp]]) -> Choices:
    grown = np.zeros((1, 0), dtype=np.int8)
    for values in options:
        repeated = np.repeat(grown, len(values), axis=0)
        grown = np.column_stack([repeated, np.tile(values.astype(np.int8), len(grown))])
    return grown


def _changes(goal: Goal, base: Choices, days: Days, choices: Choices) -> Changes:
    before = base[days]
    return Changes(
        days,
        choices,
        returns=goal.returns[choices, days].sum(axis=1) - goal.returns[before, days].sum(),
        spread=goal.spread[choices, days].sum(axis=1) - goal.spread[before, days].sum(),
    )


def reached(goal: Goal, base: Choices, one: Changes, two: Changes) -> FloatArray | None:
    """(m,) positions that a pair of changes of a base leads to and that print as the claim, or None."""
    today = np.arange(goal.days)
    here = goal.returns[base, today].sum(), goal.spread[base, today].sum()
    first, second = _pairs(
        one, two, returns=goal.bounds.returns.shifted(-here[0]), spread=goal.bounds.spread.shifted(-here[1])
    )
    for paths in _paths(base, one, two, first, second):
        found = goal.first_reached(paths)
        if found is not None:
            return found
    return None


def _pairs(one: Changes, two: Changes, *, returns: Interval, spread: Interval) -> tuple[Days, Days]:
    """Entries of both lists whose sums lie in both intervals."""
    order = np.argsort(one.returns)
    ordered = one.returns[order]
    begin = np.searchsorted(ordered, returns.low - two.returns, side="left")
    counts = np.searchsorted(ordered, returns.high - two.returns, side="right") - begin
    total = int(counts.sum())
    if total > MOST_PAIRS:  # then partners abound, and a share of the second list has enough of them
        counts = np.where(np.cumsum(counts) <= MOST_PAIRS, counts, 0)
        total = int(counts.sum())
    second = np.repeat(np.arange(len(two.returns)), counts)
    offsets = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    first = order[np.repeat(begin, counts) + offsets]
    sums = one.spread[first] + two.spread[second]
    fits = (sums >= spread.low) & (sums <= spread.high)
    return first[fits], second[fits]


def _paths(base: Choices, one: Changes, two: Changes, first: Days, second: Days) -> Iterator[Choices]:
    """The paths of pairs; a pair that changes one day twice is none."""
    for begin in range(0, min(len(first), 10 * CHUNK), CHUNK):
        part = slice(begin, begin + CHUNK)
        paths = np.repeat(base[None], len(first[part]), axis=0)
        paths[:, one.days] = one.choices[first[part]]
        before, wanted = paths[:, two.days], two.choices[second[part]]
        changed = wanted != base[two.days]
        clean = ~(changed & (before != base[two.days])).any(axis=1)
        paths[:, two.days] = np.where(changed, wanted, before)
        if clean.any():
            yield paths[clean]
