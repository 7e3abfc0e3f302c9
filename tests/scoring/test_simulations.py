"""Intervals and tests kept to what they promise, on 2,000 simulated worlds each.

The figures stand in docs/statistics.md; `-o junit_family=xunit1 --junitxml=FILE` writes them down. Resamples
are fewer than those shipped, 499 for one series or a pair and 199 for sets, to save time: the level of a test
does not depend on their number as long as it has a whole number of them below it, only some power does.
"""

from collections.abc import Callable

import numpy as np
import pytest

from flagbench.market.price_file import FloatArray
from flagbench.scoring.model_sets import model_confidence_set, superior_predictive_ability
from flagbench.scoring.paired import sharpe_difference_test
from flagbench.scoring.sharpe import sharpe_interval

pytestmark = pytest.mark.slow

WORLDS = 2_000
RESAMPLES, SET_RESAMPLES = 499, 199
BURN_IN = 200
DAILY = 1 / np.sqrt(252)
"""A true Sharpe ratio of 1 a year, for returns of deviation 1."""

Generate = Callable[[np.random.Generator, tuple[int, ...]], FloatArray]
Record = Callable[[str, object], None]


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    return rng.standard_normal(shape)


def student(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Student's t of five degrees of freedom, kurtosis 9, at deviation 1."""
    days: FloatArray = rng.standard_t(5, shape) / np.sqrt(5 / 3)
    return days


def autoregression(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Each day keeps a fifth of the one before."""
    days = normal(rng, (*shape[:-1], shape[-1] + BURN_IN))
    for day in range(1, days.shape[-1]):
        days[..., day] += 0.2 * days[..., day - 1]
    settled: FloatArray = days[..., BURN_IN:] * np.sqrt(1 - 0.2**2)
    return settled


def garch(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """GARCH(0.05, 0.90) with Student's t of five degrees of freedom."""
    days = student(rng, (*shape[:-1], shape[-1] + BURN_IN))
    variance = np.ones(shape[:-1])
    for day in range(days.shape[-1]):
        days[..., day] *= np.sqrt(variance)
        variance = 0.05 + 0.05 * days[..., day] ** 2 + 0.90 * variance
    return days[..., BURN_IN:]


WORLDS_OF: dict[str, Generate] = {
    "normal": normal,
    "student": student,
    "autoregression": autoregression,
    "garch": garch,
}
INDEPENDENT = ("normal", "student")


@pytest.mark.parametrize("days", [150, 750])
@pytest.mark.parametrize("name", WORLDS_OF)
def test_intervals_of_the_sharpe_ratio_cover_it(name: str, days: int, record_property: Record) -> None:
    worlds = WORLDS_OF[name](np.random.default_rng(11), (WORLDS, days)) + DAILY
    held = 0
    for seed, returns in enumerate(worlds):
        found = sharpe_interval(returns, periods_per_year=252, resamples=RESAMPLES, seed=seed)
        held += found.low <= 1 <= found.high
    record_property("coverage", held / WORLDS)
    if name in INDEPENDENT:
        assert 0.93 <= held / WORLDS <= 0.97
    else:
        assert held / WORLDS >= (0.90 if days == 150 else 0.92)


@pytest.mark.parametrize("days", [150, 750])
@pytest.mark.parametrize("name", WORLDS_OF)
def test_the_paired_test_rarely_finds_what_is_not_there(
    name: str, days: int, record_property: Record
) -> None:
    """Two agents with the same ratio whose returns have a correlation of a half."""
    common, ours, other = WORLDS_OF[name](np.random.default_rng(12), (3, WORLDS, days))
    size = _paired_size(common + ours + DAILY, common + other + DAILY)
    record_property("size", size)
    assert size <= 0.07


@pytest.mark.parametrize("days", [150, 750])
def test_nor_does_it_against_buy_and_hold(days: int, record_property: Record) -> None:
    """Positions that know nothing, held for ten days on average, in a market without a drift."""
    rng = np.random.default_rng(13)
    market = garch(rng, (WORLDS, days))
    flips = rng.random((WORLDS, days)) < 0.1
    positions = (np.cumsum(flips, axis=1) + rng.integers(0, 2, (WORLDS, 1))) % 2
    size = _paired_size(positions * market, market)
    record_property("size", size)
    assert size <= 0.07


def _paired_size(ours: FloatArray, other: FloatArray) -> float:
    rejected = 0
    for seed, pair in enumerate(zip(ours, other, strict=True)):
        found = sharpe_difference_test(*pair, periods_per_year=252, resamples=RESAMPLES, seed=seed)
        rejected += found.p_value <= 0.05
    return rejected / WORLDS


def _agents(name: str, days: int, *, count: int) -> FloatArray:
    """(WORLDS, count, days) returns with a common part."""
    rng = np.random.default_rng(21)
    common = WORLDS_OF[name](rng, (WORLDS, days))
    return np.moveaxis(common + WORLDS_OF[name](rng, (count, WORLDS, days)), 0, 1)


@pytest.mark.parametrize("days", [150, 750])
@pytest.mark.parametrize("name", WORLDS_OF)
def test_superior_ability_is_rarely_found_where_there_is_none(
    name: str, days: int, record_property: Record
) -> None:
    """Four agents that are as good as the benchmark: the hardest case, all others reject less."""
    rejected = 0
    for seed, (benchmark, *agents) in enumerate(_agents(name, days, count=5)):
        returns = {str(at): series for at, series in enumerate(agents)}
        found = superior_predictive_ability(returns, benchmark, seed=seed, resamples=SET_RESAMPLES)
        rejected += found.p_value <= 0.05
    record_property("size", rejected / WORLDS)
    assert rejected / WORLDS <= 0.07


@pytest.mark.parametrize("days", [150, 750])
@pytest.mark.parametrize("name", WORLDS_OF)
def test_the_best_is_in_the_confidence_set(name: str, days: int, record_property: Record) -> None:
    """Two agents that are equally best and three that are worse."""
    means = DAILY * np.array([1.0, 1.0, 0.8, 0.5, -1.0])
    first = both = members = 0
    for seed, agents in enumerate(_agents(name, days, count=5)):
        returns = {str(at): series + means[at] for at, series in enumerate(agents)}
        found = model_confidence_set(returns, seed=seed, resamples=SET_RESAMPLES).members
        first += "0" in found
        both += {"0", "1"} <= found
        members += len(found)
    record_property("first", first / WORLDS)
    record_property("both", both / WORLDS)
    record_property("members", members / WORLDS)
    assert first / WORLDS >= 0.88
    assert both / WORLDS >= 0.88
