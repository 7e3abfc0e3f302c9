import math

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, optimal_block_length
from hypothesis import given
from hypothesis import strategies as st

from flagbench.scoring import bootstrap
from flagbench.scoring.bootstrap import (
    block_length,
    block_sums,
    circular_block_indices,
    critical_value,
    influence,
    p_value,
    resampled_means,
    sharpe_block_length,
    unusable,
)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_blocks_are_runs_of_days_around_the_circle(length: int, block: int, seed: int) -> None:
    block = min(block, length)
    days = circular_block_indices(length, block, resamples=7, rng=np.random.default_rng(seed))
    assert days.shape == (7, length)
    assert days.min() >= 0
    assert days.max() < length
    steps = (np.diff(days, axis=1) - 1) % length
    inside = np.arange(1, length) % block != 0
    assert (steps[:, inside] == 0).all()


@pytest.mark.parametrize(("length", "block"), [(20, 1), (20, 4), (23, 5), (11, 11)])
def test_the_days_are_those_that_arch_draws(length: int, block: int) -> None:
    theirs = CircularBlockBootstrap(block, np.arange(length), seed=np.random.default_rng(3))
    drawn = np.array([data[0][0] for data in theirs.bootstrap(4)])
    rng = np.random.default_rng(3)
    ours = np.concatenate([circular_block_indices(length, block, resamples=1, rng=rng) for _ in range(4)])
    assert (ours == drawn).all()


def test_every_day_is_drawn_equally_often() -> None:
    days = circular_block_indices(10, 3, resamples=20_000, rng=np.random.default_rng(0))
    shares = np.bincount(days.ravel(), minlength=10) / days.size
    assert shares == pytest.approx(0.1, abs=0.003)


def test_sums_over_blocks_go_around_the_circle() -> None:
    assert block_sums(np.array([1.0, 2.0, 4.0, 8.0]), 3).tolist() == [7, 14, 13, 11]
    assert block_sums(np.array([[1.0, 2.0], [3.0, 5.0]]), 1).tolist() == [[1, 2], [3, 5]]


@pytest.mark.parametrize("columns", [3, 9])  # looked up, counted
def test_means_over_the_blocks_of_resamples(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(1).normal(size=(12, columns))
    starts = np.random.default_rng(2).integers(0, 12, (50, 4))
    expected = features[starts].mean(axis=1)
    for cells in (bootstrap.CELLS, 36):  # all at once, three resamples at a time
        monkeypatch.setattr(bootstrap, "CELLS", cells)
        found = resampled_means(features, blocks=4, resamples=50, rng=np.random.default_rng(2))
        assert found == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("seed", range(60))
def test_the_block_length_is_that_of_arch_rounded_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days, kept = int(rng.integers(11, 400)), rng.uniform(-0.9, 0.95)
    series = rng.normal(size=days)
    for day in range(1, days):
        series[day] += kept * series[day - 1]
    expected = float(optimal_block_length(series)["circular"].iloc[0])
    assert block_length(series) == max(math.ceil(expected), 1)


def test_days_that_hang_together_make_long_blocks() -> None:
    steps = np.random.default_rng(0).normal(size=500)
    assert block_length(steps) <= 3
    assert block_length(np.convolve(steps, np.ones(10), mode="valid")) >= 15


@pytest.mark.parametrize("series", [np.zeros(50), np.full(50, 0.01), np.arange(10.0)])
def test_a_constant_or_short_series_has_blocks_of_a_day(series: np.ndarray) -> None:
    assert block_length(series) == 1
    assert sharpe_block_length(series) == 1


@given(st.lists(st.integers(-50, 50), min_size=11, max_size=80))
def test_a_block_is_never_longer_than_a_third_of_the_days(values: list[int]) -> None:
    series = np.array(values) / 100
    assert 1 <= block_length(series) <= math.ceil(len(series) / 3)
    assert 1 <= sharpe_block_length(series) <= math.ceil(len(series) / 3)


def test_the_influence_of_three_days_by_hand() -> None:
    # Mean 1, deviation √2 (ddof 0): SR = 1/√2.
    found = influence(np.array([-1.0, 2.0, 2.0]))
    z = np.array([-2.0, 1.0, 1.0]) / math.sqrt(2)
    assert found == pytest.approx(z - 1 / math.sqrt(2) * (z**2 - 1) / 2)
    assert found.mean() == pytest.approx(0, abs=1e-15)


def test_the_influence_is_the_slope_of_the_ratio() -> None:
    # A day weighed a little more moves the Sharpe ratio by its influence.
    returns, more = np.random.default_rng(4).normal(0.1, 1, 30), 1e-6

    def ratio(weights: np.ndarray) -> float:
        mean = weights @ returns
        return float(mean / math.sqrt(weights @ (returns - mean) ** 2))

    even = np.full(30, 1 / 30)
    for day in (0, 7, 29):
        weights = even * (1 - more)
        weights[day] += more
        assert (ratio(weights) - ratio(even)) / more == pytest.approx(influence(returns)[day], rel=1e-4)


def test_critical_values_and_p_values_agree() -> None:
    deviations = np.random.default_rng(0).permutation(np.arange(1.0, 100.0))  # 99 of them
    assert critical_value(deviations, 0.95) == 95
    assert critical_value(deviations, 0.999) == 99
    assert p_value(deviations, 95.0) == pytest.approx(0.06)
    assert p_value(deviations, 95.5) == pytest.approx(0.05)
    assert p_value(deviations, 1000.0) == pytest.approx(0.01)
    assert critical_value(np.array([1.0, np.inf]), 0.95) == np.inf


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full(30, np.nan), "not every return is a number"),
        (np.append(np.arange(30.0), np.inf), "not every return is a number"),
        (np.array([]), "fewer than 11 returns"),
        (np.array([0.01, -0.02]), "fewer than 11 returns"),
        (np.full(30, 0.01), "the returns do not vary"),
        (np.zeros(30), "the returns do not vary"),
    ],
)
def test_what_cannot_be_resampled_is_said(returns: np.ndarray, reason: str) -> None:
    assert unusable(returns) == reason


def test_eleven_returns_that_vary_can_be() -> None:
    assert unusable(np.arange(11.0)) is None
