import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.price_file import FloatArray
from flagbench.scoring.policy import buy_and_hold_actions, policy_shape, timing_test
from flagbench.scoring.score import positions_of

POSITIONS = st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=60).map(np.array)


def random_returns(bars: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(0.0005, 0.02, bars)


def test_long_in_every_bar_is_buy_and_hold() -> None:
    shape = policy_shape(np.ones(30), random_returns(30))
    assert shape.identical_to == "buy-and-hold"
    assert shape.agreement_with_buy_and_hold == 1


def test_the_actions_of_buy_and_hold_are_one_buy_and_then_holds() -> None:
    assert buy_and_hold_actions(4).tolist() == [2, 1, 1, 1]
    assert buy_and_hold_actions(0).tolist() == []
    assert (
        policy_shape(positions_of(buy_and_hold_actions(30)), random_returns(30)).identical_to
        == "buy-and-hold"
    )


def test_flat_in_every_bar_is_always_flat() -> None:
    shape = policy_shape(np.zeros(30), random_returns(30))
    assert shape.identical_to == "always-flat"
    assert shape.agreement_with_buy_and_hold == 0


def test_short_in_every_bar_is_neither() -> None:
    shape = policy_shape(-np.ones(30), random_returns(30))
    assert shape.identical_to is None
    assert shape.agreement_with_buy_and_hold == 0


@pytest.mark.parametrize("odd", [0, 14, 29])
def test_one_other_bar_is_enough_to_be_a_policy_of_its_own(odd: int) -> None:
    positions = np.ones(30)
    positions[odd] = 0
    long, flat = policy_shape(positions, random_returns(30)), policy_shape(1 - positions, random_returns(30))
    assert long.identical_to is flat.identical_to is None
    assert long.agreement_with_buy_and_hold == pytest.approx(29 / 30)
    assert flat.agreement_with_buy_and_hold == pytest.approx(1 / 30)
    assert long.timing.undefined is flat.timing.undefined is None


def test_a_path_without_bars_is_no_policy() -> None:
    shape = policy_shape(np.array([]), np.array([]))
    assert shape.identical_to is None
    assert math.isnan(shape.agreement_with_buy_and_hold)


def test_the_statistic_is_the_covariation_of_positions_and_returns() -> None:
    # With ā = 0.5: 0.5 · (0.04 + 0.02 + 0.01 - 0.03).
    timing = timing_test(np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.04, -0.02, 0.01, 0.03]))
    assert timing.statistic == pytest.approx(0.02)


def test_the_p_value_is_the_share_of_shifts_that_do_at_least_as_well() -> None:
    # One long bar: the shifts put it on each return in turn; 0.03 is the second best of five.
    positions = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    timing = timing_test(positions, np.array([0.01, -0.05, 0.03, 0.04, -0.01]))
    assert timing.p_value == pytest.approx(2 / 5)
    assert timing_test(positions, np.array([0.0, 0.0, -1.0, 0.0, 0.0])).p_value == 1


@pytest.mark.parametrize("seed", range(5))
def test_perfect_foresight_beats_every_shift(seed: int) -> None:
    returns = random_returns(150, seed)
    timing = timing_test((returns > 0).astype(np.float64), returns)
    assert timing.p_value == pytest.approx(1 / 150)
    assert timing.statistic > 0
    opposite = timing_test((returns < 0).astype(np.float64), returns)
    assert opposite.p_value == 1
    assert opposite.statistic < 0


def test_foresight_at_any_exposure_is_found() -> None:
    returns = random_returns(150)
    for share in (0.1, 0.5, 0.9):
        best = (returns >= np.quantile(returns, 1 - share)).astype(np.float64)
        assert timing_test(best, returns).p_value == pytest.approx(1 / 150)


def test_random_positions_have_a_uniform_p_value() -> None:
    generator = np.random.default_rng(11)
    bars, paths = 60, 500
    p_values = np.empty(paths)
    for path in range(paths):
        positions = generator.integers(0, 2, bars).astype(np.float64)
        p_values[path] = timing_test(positions, generator.normal(0, 0.02, bars)).p_value
    for level in (0.05, 0.1, 0.25, 0.5, 0.75, 0.9):
        deviation = math.sqrt(level * (1 - level) / paths)
        assert abs(np.mean(p_values <= level) - level) < 4 * deviation


def test_a_periodic_path_ties_with_its_own_shifts() -> None:
    positions = np.tile([1.0, 0.0], 15)
    assert timing_test(positions, np.tile([0.01, -0.01], 15)).p_value == 0.5


def test_ties_count_in_spite_of_rounding() -> None:
    generator = np.random.default_rng(2)
    positions = np.tile([1.0, 0.0, 0.0], 20)
    for _ in range(20):
        gains = np.sort(generator.normal(0, 0.1, 3))[::-1]
        assert timing_test(positions, np.tile(gains, 20)).p_value == pytest.approx(1 / 3)


def test_equal_returns_tell_no_timing_apart() -> None:
    timing = timing_test(np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0]), np.full(7, 0.1))
    assert timing.statistic == pytest.approx(0, abs=1e-15)
    assert timing.p_value == 1


@pytest.mark.parametrize("bars", [0, 1])
def test_timing_needs_two_positions(bars: int) -> None:
    timing = timing_test(np.ones(bars), np.full(bars, 0.01))
    assert math.isnan(timing.statistic)
    assert math.isnan(timing.p_value)
    assert timing.undefined == "fewer than two positions"


@pytest.mark.parametrize("position", [-1.0, 0.0, 1.0])
def test_timing_needs_a_change_of_position(position: float) -> None:
    timing = timing_test(np.full(10, position), random_returns(10))
    assert math.isnan(timing.statistic)
    assert math.isnan(timing.p_value)
    assert timing.undefined == "the position never changed"


@given(positions=POSITIONS, seed=st.integers(0, 1_000))
def test_a_defined_p_value_is_above_zero_and_at_most_one(positions: FloatArray, seed: int) -> None:
    timing = timing_test(positions, random_returns(len(positions), seed))
    if timing.undefined is None:
        assert 1 / len(positions) <= timing.p_value <= 1
    else:
        assert positions.max() == positions.min()


@given(positions=POSITIONS, seed=st.integers(0, 1_000), drift=st.floats(-0.1, 0.1), scale=st.floats(0.1, 10))
def test_neither_drift_nor_scale_of_the_returns_is_timing(
    positions: FloatArray, seed: int, drift: float, scale: float
) -> None:
    returns = random_returns(len(positions), seed)
    plain, moved = timing_test(positions, returns), timing_test(positions, scale * returns + drift)
    assert moved.p_value == pytest.approx(plain.p_value, nan_ok=True)
    assert moved.statistic == pytest.approx(scale * plain.statistic, abs=1e-9, nan_ok=True)
