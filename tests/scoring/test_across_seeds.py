import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import trim_mean

from flagbench.scoring.across_seeds import interquartile_mean, interquartile_weights, seed_sharpe
from flagbench.scoring.metrics import sharpe_ratio
from flagbench.scoring.sharpe import sharpe_interval


def five(seed: int = 0, days: int = 120) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found: np.ndarray = rng.normal(0.001, 0.01, days) + rng.normal(0, 0.004, (5, days))
    return found


def test_the_middle_by_hand() -> None:
    assert interquartile_mean([9, 1, 2, 3, -50]) == 2
    assert interquartile_mean([1, 2, 6]) == 3
    assert interquartile_mean([1, 2, 3, 10]) == 2.5
    assert interquartile_mean([7]) == 7
    assert interquartile_mean([math.nan, 1, math.nan, 2]) == 1.5
    assert math.isnan(interquartile_mean([]))
    assert math.isnan(interquartile_mean([math.nan]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_it_is_the_trimmed_mean_of_scipy(values: list[float]) -> None:
    assert interquartile_mean(values) == pytest.approx(float(trim_mean(values, 0.25)), rel=1e-9, abs=1e-9)


def test_weights_of_rows_with_and_without_undefined_values() -> None:
    rows = np.array([[5.0, 1, 2, 3, 4], [math.nan, 3, 1, 2, 0], [math.nan] * 5])
    assert interquartile_weights(rows) == pytest.approx(
        np.array([[0, 0, 1 / 3, 1 / 3, 1 / 3], [0, 0, 0.5, 0.5, 0], [0] * 5])
    )


def test_five_seeds_have_their_own_ratios_and_the_interval_of_their_middle() -> None:
    returns = five()
    found = seed_sharpe(returns, periods_per_year=252)
    ratios = [float(sharpe_ratio(series, periods_per_year=252)) for series in returns]
    assert found.values == pytest.approx(ratios)
    assert found.iqm == pytest.approx(sum(sorted(ratios)[1:4]) / 3)
    assert (found.minimum, found.maximum) == pytest.approx((min(ratios), max(ratios)))
    assert (found.low + found.high) / 2 == pytest.approx(found.iqm)
    assert (found.undefined, found.reason) == (0, None)


def test_copies_of_one_seed_have_its_interval() -> None:
    one = five()[0]
    alone = sharpe_interval(one, periods_per_year=252, resamples=499)
    for count in (1, 5):
        found = seed_sharpe(np.tile(one, (count, 1)), periods_per_year=252, resamples=499)
        assert (found.low, found.high) == pytest.approx((alone.low, alone.high), rel=1e-9)


def test_many_seeds_do_not_lengthen_the_market() -> None:
    # The part of the days that all seeds share stays, however many seeds there are.
    rng = np.random.default_rng(0)
    common = rng.normal(0.001, 0.01, 150)
    few, many = (
        seed_sharpe(common + rng.normal(0, 0.001, (count, 150)), periods_per_year=252, resamples=499)
        for count in (3, 25)
    )
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=0.1)


def test_undefined_seeds_are_counted_and_left_out() -> None:
    returns = five()
    returns[1], returns[3] = 0.0, math.nan
    found = seed_sharpe(returns, periods_per_year=252, resamples=299)
    assert found.undefined == 2
    assert [math.isnan(value) for value in found.values] == [False, True, False, True, False]
    known = [value for value in found.values if not math.isnan(value)]
    assert found.iqm == pytest.approx(sum(known) / 3)
    assert found.low < found.iqm < found.high


def test_a_seed_that_traded_once_leaves_the_others_their_interval() -> None:
    returns = five()
    returns[2] = 0.0
    returns[2, 17] = 0.02
    found = seed_sharpe(returns, periods_per_year=252, resamples=499)
    assert (found.undefined, found.reason) == (0, None)
    assert found.low < found.iqm < found.high


def test_no_seed_with_a_ratio_and_too_few_days_have_a_reason() -> None:
    none = seed_sharpe(np.zeros((5, 40)), periods_per_year=252)
    assert (none.undefined, none.reason) == (5, "no seed has a Sharpe ratio")
    assert all(math.isnan(value) for value in (none.iqm, none.low, none.high, none.minimum, none.maximum))
    short = seed_sharpe(five(days=5), periods_per_year=252)
    assert short.reason == "fewer than 11 returns"
    assert math.isfinite(short.iqm)
    assert math.isnan(short.low)
