from itertools import accumulate

import numpy as np
import pytest

from flagbench.board.series import CURVE_UNIT, curve_steps, curve_words, day_steps, equity, seed_curves


def test_equity_is_the_product_of_simple_returns_and_the_exponential_of_logarithmic_ones() -> None:
    returns = np.array([0.1, -0.5, 0.2])
    assert equity(returns, log_returns=False) == pytest.approx([1, 1.1, 0.55, 0.66])
    assert equity(np.log1p(returns), log_returns=True) == pytest.approx([1, 1.1, 0.55, 0.66])


def test_steps_add_up_to_the_curve_without_drift() -> None:
    curve = equity(np.random.default_rng(0).normal(0, 0.03, 2000), log_returns=False)
    steps = curve_steps(curve)
    assert steps[0] == CURVE_UNIT
    back = np.array(list(accumulate(steps))) / CURVE_UNIT
    assert np.abs(back - curve).max() <= 0.5 / CURVE_UNIT + 1e-12


def test_days_are_counted_from_1970_and_then_from_each_other() -> None:
    dates = np.array(["1970-01-02", "1970-01-05", "1970-01-06"], dtype="datetime64[D]")
    assert day_steps(dates) == (1, 3, 1)


def test_a_curve_in_words() -> None:
    assert curve_words(np.array([1.0, 2.0, 1.5])) == "ends at 1.500, deepest drawdown 25.0 %"
    found = seed_curves([3, 4], np.array([[0.1], [-0.1]]), log_returns=False)
    assert found.words == (
        "seed 3 ends at 1.100, deepest drawdown 0.0 %; seed 4 ends at 0.900, deepest drawdown 10.0 %."
    )
    assert found.curves == ((10_000, 1_000), (10_000, -1_000))
