"""Two ways of doing the same, timed in turn, so that a busy machine slows both down alike."""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Contest(NamedTuple):
    """Two ways of doing the same, everything they need already made."""

    ours: Callable[[], object]
    theirs: Callable[[], object]
    agree: Callable[[], str]
    """Says what was compared and how close it is; raises AssertionError where results differ. Called once,
    before anything is timed."""


class Row(NamedTuple):
    """One line of the table in docs/benchmarks.md."""

    slug: str
    loop: str
    """What is done, as the table says it."""
    against: str
    """What it is held against."""
    at_least: float
    """The time of `against` as a multiple of ours that is wanted."""
    prepare: Callable[[bool], Contest]
    """Makes the contest; the argument is true for the whole size and false for a small one."""
    rounds: int
    """How often each is timed at the whole size; a small one is timed once."""
    calls: int = 1
    """How often each is called for one time, where a call takes less than a hundredth of a second."""
    threads: int = 1
    """Threads of torch."""
    warm_up: bool = True
    """Whether both are called once before anything is timed; not where that takes minutes, since the
    comparison of results has run them before."""


class Spent(NamedTuple):
    """Seconds of one call."""

    wall: float
    processor: float


def spent(act: Callable[[], object], calls: int) -> Spent:
    """Seconds of one call, the mean of several in a row."""
    gc.collect()
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(calls):
        act()
    return Spent((time.perf_counter() - wall) / calls, (time.process_time() - processor) / calls)


def interleaved(contest: Contest, *, rounds: int, calls: int, warm_up: bool = True) -> dict[str, Any]:
    """Times of both in turn; every second round begins with the other one.

    Returns:
        `ours` and `theirs` (seconds of wall and processor time of every round) and `ratios` (theirs by ours,
        of wall time and of processor time).
    """
    if warm_up:
        contest.ours()  # first calls compile, allocate and fill caches
        contest.theirs()
    ours: list[Spent] = []
    theirs: list[Spent] = []
    for turn in range(rounds):
        order = [(ours, contest.ours), (theirs, contest.theirs)]
        for times, act in order if turn % 2 == 0 else reversed(order):
            times.append(spent(act, calls))
    pairs = list(zip(ours, theirs, strict=True))
    return {
        "ours": [time._asdict() for time in ours],
        "theirs": [time._asdict() for time in theirs],
        "ratios": {
            "wall": [their.wall / our.wall for our, their in pairs],
            "processor": [their.processor / our.processor for our, their in pairs],
        },
    }


def middle(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)
