"""The quick bootstrap beside the definition, a resample at a time."""

import math

import numpy as np
import pytest

from flagbench.scoring.across_seeds import interquartile_mean, interquartile_weights
from flagbench.scoring.bootstrap import influence
from flagbench.scoring.long_run import long_run_variance
from flagbench.scoring.studentised import studentised_mean, studentised_sharpe

BARS, DAYS, RESAMPLES = 24, 4, 40


def resample_days(seed: int) -> np.ndarray:
    starts = np.random.default_rng(seed).integers(0, BARS, (RESAMPLES, BARS // DAYS))
    return ((starts[..., np.newaxis] + np.arange(DAYS)) % BARS).reshape(RESAMPLES, -1)


def block_error(felt: np.ndarray) -> float:
    """√((1/l)·Σ ζ² / m), ζ the sum over a block by √b."""
    zeta = felt.reshape(-1, DAYS).sum(axis=1) / math.sqrt(DAYS)
    return math.sqrt((zeta**2).mean() / len(felt))


def ratio(returns: np.ndarray) -> np.ndarray:
    found: np.ndarray = returns.mean(axis=-1) / returns.std(axis=-1)
    return found


@pytest.fixture
def returns() -> np.ndarray:
    common = np.random.default_rng(3).normal(0.1, 1, BARS)
    return common + np.random.default_rng(4).normal(0.0, 0.7, (5, BARS))


def test_the_mean_by_its_definition(returns: np.ndarray) -> None:
    series = returns[0]
    found = studentised_mean(series, days=DAYS, resamples=RESAMPLES, seed=9)
    assert found.estimate == series.mean()
    centred = series - series.mean()
    assert found.standard_error == pytest.approx(math.sqrt(long_run_variance(centred) / BARS), rel=1e-12)
    expected = [
        abs(drawn.mean() - series.mean()) / block_error(drawn - drawn.mean())
        for drawn in series[resample_days(9)]
    ]
    assert found.deviations == pytest.approx(np.array(expected), rel=1e-9)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0)])
def test_fixed_combinations_by_their_definition(returns: np.ndarray, weights: tuple[float, ...]) -> None:
    fixed = np.array(weights)
    chosen = returns[: len(fixed)]
    found = studentised_sharpe(
        chosen, lambda r: np.broadcast_to(fixed, r.shape), resamples=RESAMPLES, seed=9, days=DAYS
    )
    unit = math.sqrt((BARS - 1) / BARS)
    assert found.estimate == pytest.approx(fixed @ ratio(chosen) * unit, rel=1e-12)
    felt = fixed @ influence(chosen)
    assert found.standard_error == pytest.approx(math.sqrt(long_run_variance(felt) / BARS) * unit, rel=1e-12)
    expected = []
    for days in resample_days(9):
        drawn = chosen[:, days]
        moved = abs(fixed @ ratio(drawn) - fixed @ ratio(chosen))
        expected.append(moved / block_error(fixed @ influence(drawn)))
    assert found.deviations == pytest.approx(np.array(expected), rel=1e-8)


def test_the_interquartile_mean_by_its_definition(returns: np.ndarray) -> None:
    found = studentised_sharpe(returns, interquartile_weights, resamples=RESAMPLES, seed=9, days=DAYS)
    whole = interquartile_mean(ratio(returns))
    expected = []
    for days in resample_days(9):
        drawn = returns[:, days]
        ratios = ratio(drawn)
        middle = np.argsort(ratios)[1:4]
        felt = influence(drawn)[middle].mean(axis=0)
        expected.append(abs(ratios[middle].mean() - whole) / block_error(felt))
    assert found.deviations == pytest.approx(np.array(expected), rel=1e-8)


def test_a_resample_that_does_not_vary_is_infinitely_far() -> None:
    once = np.zeros((1, 40))
    once[0, 3] = 0.01
    found = studentised_sharpe(once, np.ones_like, resamples=400, seed=0, days=1)
    share = np.mean(np.isinf(found.deviations))
    assert share == pytest.approx((1 - 1 / 40) ** 40, abs=0.08)  # those that miss the one day
    assert not np.isnan(found.deviations).any()
    assert found.ends(0.95)[1] == math.inf


def test_ends_are_symmetric_and_wider_at_a_higher_level(returns: np.ndarray) -> None:
    found = studentised_sharpe(returns[:1], np.ones_like, resamples=999, seed=0)
    (low, high), (lower, higher) = found.ends(0.9), found.ends(0.99)
    assert (low + high) / 2 == pytest.approx(found.estimate)
    assert lower < low < high < higher
