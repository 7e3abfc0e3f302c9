import math
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
import quantstats.stats
from hypothesis import given
from hypothesis import strategies as st

from flagbench.scoring.metrics import sharpe_ratio
from flagbench.scoring.sharpe import (
    RARE,
    Interval,
    deflated_probability,
    deflated_sharpe_ratio,
    expected_best_sharpe,
    min_track_record,
    probabilistic_sharpe_ratio,
    probability_above,
    sharpe_interval,
    sharpe_per_period,
    smallest_detectable_difference,
)

NORMAL = NormalDist()
FOUR = np.array([0.01, 0.01, 0.01, 0.05])
"""SR 1 (ddof 1), skewness 6/3^1.5 and raw kurtosis 21/9 (ddof 0)."""
SPREAD = 1 - 6 / 3**1.5 + (21 / 9 - 1) / 4

UNUSABLE = [
    (np.full(40, np.nan), "not every return is a number"),
    (np.array([0.01, 0.02]), "fewer than 11 returns"),
    (np.zeros(0), "fewer than 11 returns"),
    (np.zeros(40), "the returns do not vary"),
    (np.full(40, 0.01), "the returns do not vary"),
    (np.concatenate([np.zeros(20), [0.03], np.zeros(19)]), RARE),
]


def random_returns(seed: int = 0, days: int = 150) -> np.ndarray:
    found: np.ndarray = 0.001 + 0.01 * np.random.default_rng(seed).standard_t(5, days)
    return found


def test_an_interval_holds_the_ratio_in_its_middle() -> None:
    returns = random_returns()
    found = sharpe_interval(returns, periods_per_year=252)
    ratio = float(sharpe_ratio(returns, periods_per_year=252))
    assert (found.low + found.high) / 2 == pytest.approx(ratio, rel=1e-12)
    assert (
        2 * 1.96 < (found.high - found.low) / (math.sqrt(252 / 150)) < 2 * 3
    )  # days alike: about 2·2·√(P/m)
    assert (found.level, found.reason) == (0.95, None)
    assert 10 < found.blocks <= 150


def test_an_interval_is_a_function_of_its_arguments() -> None:
    returns = random_returns()
    first, again, other = (sharpe_interval(returns, periods_per_year=252, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert first.low == pytest.approx(other.low, rel=0.05)


def test_a_higher_level_is_wider_and_a_year_scales_it() -> None:
    returns = random_returns()
    ninety = sharpe_interval(returns, periods_per_year=252, level=0.9)
    usual = sharpe_interval(returns, periods_per_year=252)
    assert usual.low < ninety.low < ninety.high < usual.high
    assert ninety.level == 0.9
    daily = sharpe_interval(returns, periods_per_year=1)
    assert usual.low == pytest.approx(daily.low * math.sqrt(252))
    assert usual.blocks == daily.blocks


@given(st.floats(0.01, 100), st.integers(0, 3))
def test_leverage_changes_no_interval(factor: float, seed: int) -> None:
    returns = random_returns(seed, days=60)
    plain = sharpe_interval(returns, periods_per_year=252, resamples=199)
    scaled = sharpe_interval(factor * returns, periods_per_year=252, resamples=199)
    assert scaled.low == pytest.approx(plain.low, rel=1e-6)
    assert scaled.blocks == plain.blocks


def test_days_that_hang_together_widen_it() -> None:
    steps = np.random.default_rng(0).normal(0, 0.01, 752)
    alone, together = steps[2:], (steps[2:] + steps[1:-1] + steps[:-2])
    narrow, wide = (sharpe_interval(series, periods_per_year=252) for series in (alone, together))
    assert wide.high - wide.low > 1.4 * (narrow.high - narrow.low)
    assert wide.blocks < narrow.blocks


@pytest.mark.parametrize(("returns", "reason"), UNUSABLE)
def test_no_interval_comes_with_its_reason(returns: np.ndarray, reason: str) -> None:
    found = sharpe_interval(returns, periods_per_year=252)
    assert found.reason == reason
    assert all(math.isnan(value) for value in (found.low, found.high, found.blocks))


def test_a_scaled_interval_without_ends_stays_without() -> None:
    assert math.isnan(Interval.undefined("why", level=0.95).scaled(2.0).low)


def test_the_published_deflated_ratio() -> None:
    # Bailey and López de Prado (2014), their numerical example, page 12.
    found = deflated_probability(
        2.5 / math.sqrt(250), bars=1250, skewness=-3, kurtosis=10, trials=100, variance=0.5 / 250
    )
    assert found == pytest.approx(0.9004, abs=5e-5)
    assert expected_best_sharpe(trials=100, variance=0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_the_published_number_of_trials_that_would_still_do() -> None:
    # The same page: with 46 trials the confidence would have been 95 %.
    found = deflated_probability(
        2.5 / math.sqrt(250), bars=1250, skewness=-3, kurtosis=10, trials=46, variance=0.5 / 250
    )
    assert found == pytest.approx(0.95, abs=1e-3)


def test_the_probabilistic_ratio_of_four_returns_by_hand() -> None:
    assert probabilistic_sharpe_ratio(FOUR) == pytest.approx(NORMAL.cdf(math.sqrt(3 / SPREAD)))
    above_half = NORMAL.cdf(0.5 * math.sqrt(3 / SPREAD))
    assert probabilistic_sharpe_ratio(FOUR, benchmark=0.5) == pytest.approx(above_half)
    assert probabilistic_sharpe_ratio(FOUR, benchmark=1.0) == pytest.approx(0.5)


def test_the_deflated_ratio_of_four_returns_by_hand() -> None:
    # Trials of 0, 1 and 2: V = 1.
    best = (1 - np.euler_gamma) * NORMAL.inv_cdf(2 / 3) + np.euler_gamma * NORMAL.inv_cdf(
        1 - 1 / (3 * math.e)
    )
    expected = NORMAL.cdf((1 - best) * math.sqrt(3 / SPREAD))
    assert deflated_sharpe_ratio(FOUR, trial_sharpes=[0, 1, 2]) == pytest.approx(expected, rel=1e-12)


def test_one_trial_or_none_deflates_nothing() -> None:
    for trials in ([], [0.3], [math.nan]):
        assert deflated_sharpe_ratio(FOUR, trial_sharpes=trials) == probabilistic_sharpe_ratio(FOUR)


def test_a_trial_without_a_ratio_counts_but_does_not_spread() -> None:
    two, more = [0.1, 0.3], [0.1, 0.3, math.nan, math.nan]
    found = deflated_sharpe_ratio(FOUR, trial_sharpes=more)
    benchmark = expected_best_sharpe(trials=4, variance=0.02)
    assert found == pytest.approx(probabilistic_sharpe_ratio(FOUR, benchmark=benchmark))
    assert found < deflated_sharpe_ratio(FOUR, trial_sharpes=two)
    assert math.isnan(deflated_sharpe_ratio(FOUR, trial_sharpes=[0.1, math.nan]))


def test_trials_that_are_all_alike_deflate_nothing() -> None:
    assert deflated_sharpe_ratio(FOUR, trial_sharpes=[0.2] * 5) == probabilistic_sharpe_ratio(FOUR)


def test_more_trials_deflate_more() -> None:
    found = [expected_best_sharpe(trials=trials, variance=1.0) for trials in (0, 1, 2, 5, 100, 10_000)]
    assert found == sorted(found)
    assert found[:2] == [0, 0]
    # The mean of the largest of 100 standard normal draws is 2.5076.
    assert found[4] == pytest.approx(2.5076, abs=0.03)


def test_the_track_record_by_hand() -> None:
    expected = 1 + SPREAD * (NORMAL.inv_cdf(0.95) / 1) ** 2
    assert min_track_record(FOUR) == pytest.approx(expected)
    assert min_track_record(FOUR, benchmark=0.5) == pytest.approx(1 + 4 * (expected - 1))


@given(st.integers(0, 50))
def test_a_record_of_the_needed_length_has_the_level(seed: int) -> None:
    returns = random_returns(seed)
    needed = min_track_record(returns)
    ratio = sharpe_per_period(returns)
    if ratio <= 0:
        assert math.isnan(needed)
        return
    spread = (needed - 1) * (ratio / NORMAL.inv_cdf(0.95)) ** 2
    assert NORMAL.cdf(ratio * math.sqrt((needed - 1) / spread)) == pytest.approx(0.95)
    assert (needed <= 150) == (probabilistic_sharpe_ratio(returns) >= 0.95)


@pytest.mark.parametrize("returns", [np.zeros(40), np.full(9, 0.01), np.array([0.01]), np.full(40, np.nan)])
def test_a_series_without_a_ratio_has_none_of_the_figures(returns: np.ndarray) -> None:
    assert math.isnan(sharpe_per_period(returns))
    assert math.isnan(probabilistic_sharpe_ratio(returns))
    assert math.isnan(deflated_sharpe_ratio(returns, trial_sharpes=[0.1, 0.2]))
    assert math.isnan(min_track_record(returns))


def test_two_days_have_a_probability() -> None:
    # z = ±1: no skewness, kurtosis 1, so the variance of the ratio is 1 / (m − 1) = 1.
    returns = np.array([0.01, 0.03])
    assert sharpe_per_period(returns) == pytest.approx(math.sqrt(2))
    assert probabilistic_sharpe_ratio(returns) == pytest.approx(NORMAL.cdf(math.sqrt(2)))


def test_no_variance_has_no_probability() -> None:
    # γ₄ = 1 + γ₃² and SR = 2/γ₃: the denominator is (1 − γ₃·SR/2)² = 0.
    assert math.isnan(probability_above(1.0, benchmark=0.0, bars=10, skewness=2.0, kurtosis=5.0))


@pytest.mark.parametrize("seed", range(6))
def test_quantstats_has_the_formula_with_moments_corrected_for_bias(seed: int) -> None:
    returns = random_returns(seed, days=40)
    series = pd.Series(returns, index=pd.bdate_range("2020-07-01", periods=len(returns)))
    theirs = float(quantstats.stats.probabilistic_sharpe_ratio(series))
    skewness, excess = float(series.skew()), float(series.kurt())  # type: ignore[arg-type]
    ratio = sharpe_per_period(returns)
    same = probability_above(ratio, benchmark=0, bars=40, skewness=skewness, kurtosis=excess + 3)
    assert theirs == pytest.approx(same, rel=1e-9)
    assert theirs == pytest.approx(probabilistic_sharpe_ratio(returns), abs=0.02)
    # What excess kurtosis in the place of the raw one would give is another number.
    wrong = probability_above(ratio, benchmark=0, bars=40, skewness=skewness, kurtosis=excess)
    assert abs(wrong - 0.5) > abs(same - 0.5)


def test_the_smallest_detectable_difference_is_2_8_standard_errors() -> None:
    assert smallest_detectable_difference(1.0) == pytest.approx(1.959964 + 0.841621, abs=1e-5)
    assert smallest_detectable_difference(0.5) == pytest.approx(1.4008, abs=1e-4)


def test_a_difference_of_that_size_is_found_in_four_of_five_cases() -> None:
    draws = np.random.default_rng(0).normal(smallest_detectable_difference(1.0), 1.0, 100_000)
    assert np.mean(np.abs(draws) > 1.96) == pytest.approx(0.8, abs=0.005)
