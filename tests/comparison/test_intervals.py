import math
from pathlib import Path

import numpy as np
import pytest

from flagbench.comparison.entrants import blocks
from flagbench.comparison.finding import find_seeds
from flagbench.comparison.intervals import (
    drawdown_range,
    drawdown_spread,
    published_factor,
    return_spread,
    sharpe_spread,
    spread,
)
from flagbench.comparison.markets import Markets
from flagbench.comparison.replaying import Play, play, replay_seed
from flagbench.scoring.across_seeds import interquartile_mean, seed_sharpe
from flagbench.scoring.resampled import cumulative_return_interval, max_drawdown_range
from flagbench.scoring.sharpe import sharpe_interval
from flagbench.trading.protocol import load_protocol

RESAMPLES = 200


@pytest.fixture(scope="module")
def plays(runs: dict[str, Path]) -> list[Play]:
    """Three seeds of the random agent."""
    markets = Markets()
    (block,), _ = blocks([replay_seed(run, markets.of(run)) for run in find_seeds([runs["random"]])])
    (seeds,) = block.seeds.values()
    return [seed.play for seed in seeds]


@pytest.fixture(scope="module")
def flat(runs: dict[str, Path]) -> Play:
    """A seed that never traded."""
    (run, _) = find_seeds([runs["always-flat"]])
    return replay_seed(run, Markets().of(run)).play


def test_a_spread_without_one_seeds_figure_has_no_mean_and_no_interval() -> None:
    whole = spread([1, 2, 3, 4, 50], low=0.0, high=9.0)
    assert (whole.iqm, whole.low, whole.high, whole.undefined) == (3, 0, 9, 0)
    broken = spread([1, math.nan, 3], low=0.0, high=9.0)
    assert [math.isnan(value) for value in (broken.iqm, broken.low, broken.high)] == [True] * 3
    assert (broken.undefined, broken.minimum, broken.maximum) == (1, 1, 3)
    nothing = spread([math.nan])
    assert math.isnan(nothing.minimum)
    assert math.isnan(nothing.maximum)


def test_of_one_seed_the_intervals_are_those_of_its_score(plays: list[Play]) -> None:
    (first, *_) = plays
    sharpe = sharpe_spread([first], resamples=RESAMPLES).spread
    expected = sharpe_interval(first.returns, periods_per_year=252, resamples=RESAMPLES)
    assert (sharpe.low, sharpe.high) == pytest.approx((expected.low, expected.high))
    earned = return_spread([first], resamples=RESAMPLES)
    interval = cumulative_return_interval(first.returns, resamples=RESAMPLES)
    assert (earned.low, earned.high) == (interval.low, interval.high)
    fallen, expected = drawdown_spread([first]), max_drawdown_range(first.returns)
    assert (fallen.low, fallen.high) == pytest.approx((expected.low, expected.high))


def test_of_several_seeds_they_are_of_the_interquartile_mean(plays: list[Play]) -> None:
    sharpe = sharpe_spread(plays, resamples=RESAMPLES).spread
    assert sharpe.iqm == interquartile_mean([each.values["sharpe_ratio"] for each in plays])
    returns = np.stack([each.returns for each in plays])
    summary = seed_sharpe(returns, periods_per_year=252, resamples=RESAMPLES)
    assert (sharpe.low, sharpe.high) == pytest.approx((summary.low, summary.high))
    for found in (return_spread(plays, resamples=RESAMPLES), drawdown_spread(plays)):
        assert found.low < found.iqm < found.high
        assert found.minimum <= found.iqm <= found.maximum


def test_copies_of_a_seed_have_the_intervals_of_one(plays: list[Play]) -> None:
    (first, *_) = plays
    assert (
        return_spread([first] * 3, resamples=RESAMPLES).low == return_spread([first], resamples=RESAMPLES).low
    )
    assert drawdown_spread([first] * 3).high == pytest.approx(drawdown_spread([first]).high)


def test_one_seed_that_never_traded_leaves_no_sharpe_ratio(plays: list[Play], flat: Play) -> None:
    found = sharpe_spread([*plays, flat], resamples=RESAMPLES)
    assert (found.spread.undefined, found.spread.reasons) == (1, ("never held a position",))
    assert math.isnan(found.spread.iqm)
    assert math.isnan(found.blocks)
    assert return_spread([*plays, flat], resamples=RESAMPLES).undefined == 0
    assert drawdown_range(np.zeros((2, 50))).reason == "the returns do not vary"


def test_under_the_papers_convention_the_interval_has_the_metrics_factor(runs: dict[str, Path]) -> None:
    (run, *_) = find_seeds([runs["random"]])
    seed = replay_seed(run, Markets().of(run))
    published = play(seed.market, load_protocol("paper"), [(seed.period, seed.actions)])
    assert published_factor(seed.play) == 1
    assert published_factor(published) == 59 / 60
    found = sharpe_spread([published], resamples=RESAMPLES).spread
    plain = sharpe_interval(published.returns, periods_per_year=252, resamples=RESAMPLES)
    assert found.low == pytest.approx(plain.low * 59 / 60)
    assert found.iqm == published.values["sharpe_ratio"]
    middle = (found.low + found.high) / 2
    assert middle == pytest.approx(found.iqm)
