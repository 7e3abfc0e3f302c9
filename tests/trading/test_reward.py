import math
import statistics
from typing import Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flagbench.trading.reward import RewardMeter

Kind = Literal["sharpe_delta", "log_return", "pnl"]
# Coarse returns: their deviation is either 0 or far above rounding.
RETURNS = st.lists(st.integers(-300, 300).map(lambda number: number / 1000), min_size=1, max_size=40)


def meter(kind: Kind = "sharpe_delta", *, scale: float = 1, wait: int = 2, accounts: int = 1) -> RewardMeter:
    return RewardMeter(kind, scale=scale, min_observations=wait, initial_equity=1000, accounts=accounts)


def rewards(meter: RewardMeter, equities: list[float]) -> list[float]:
    return [float(meter.mark(np.array([equity]))[0]) for equity in equities]


def curve(returns: list[float]) -> list[float]:
    return [1000 * math.prod(1 + value for value in returns[: end + 1]) for end in range(len(returns))]


def daily_pnl(equities: list[float]) -> list[float]:
    return [(after - before) / 1000 for before, after in zip([1000, *equities], equities, strict=False)]


def plain_sharpes(pnl: list[float], *, wait: int) -> list[float]:
    sharpes = []
    for days in range(1, len(pnl) + 1):
        known = pnl[:days]
        deviation = statistics.stdev(known) if days >= 2 else 0
        sharpes.append(statistics.mean(known) / deviation if deviation > 0 and days >= wait else 0)
    return sharpes


def test_the_first_rewards_are_as_by_hand() -> None:
    # Profits 0.1, -0.05, 0.1: no Sharpe ratio, then 0.025 / (0.15 / √2), then 0.05 / √0.0075.
    expected = [0, math.sqrt(2) / 6, 1 / math.sqrt(3) - math.sqrt(2) / 6]
    assert rewards(meter(), [1100, 1050, 1150]) == pytest.approx(expected, rel=1e-12)


def test_a_sharpe_ratio_without_deviation_counts_as_0() -> None:
    assert rewards(meter(), [1000, 1000, 1000]) == [0, 0, 0]
    assert rewards(meter(), [1125, 1250, 1375]) == [0, 0, 0]


def test_a_sharpe_ratio_counts_as_0_before_enough_days() -> None:
    early, late = (rewards(meter(wait=wait), [1100, 1050, 1150, 1200]) for wait in (2, 4))
    assert late[:3] == [0, 0, 0]
    assert late[3] == pytest.approx(sum(early), rel=1e-12)


@given(RETURNS, st.integers(2, 5))
def test_sharpe_delta_equals_a_plain_loop_with_sample_deviations(returns: list[float], wait: int) -> None:
    equities = curve(returns)
    # The curve's rounding would give a deviation to profits that are equal on paper.
    pnl = daily_pnl(equities)
    assume(len(pnl) < 2 or statistics.stdev(pnl) == 0 or statistics.stdev(pnl) > 1e-9)
    sharpes = plain_sharpes(pnl, wait=wait)
    expected = [after - before for before, after in zip([0, *sharpes], sharpes, strict=False)]
    largest = max(1, *map(abs, sharpes))
    assert rewards(meter(wait=wait), equities) == pytest.approx(expected, rel=1e-7, abs=1e-7 * largest)


@given(RETURNS)
def test_rewards_of_sharpe_delta_sum_to_the_last_sharpe_ratio(returns: list[float]) -> None:
    taken = meter()
    total = sum(rewards(taken, curve(returns)))
    deviation = taken.deviation[0]
    last = taken.mean[0] / deviation if deviation > 0 else 0
    assert total == pytest.approx(last, rel=1e-7, abs=1e-7)


@given(RETURNS)
def test_running_moments_equal_those_of_two_passes(returns: list[float]) -> None:
    taken = meter()
    pnl = daily_pnl(curve(returns))
    for days, equity in enumerate(curve(returns), start=1):
        taken.mark(np.array([equity]))
        assert taken.days == days
        assert taken.mean[0] == pytest.approx(statistics.fmean(pnl[:days]), rel=1e-9, abs=1e-12)
        deviation = statistics.stdev(pnl[:days]) if days > 1 else 0
        assert taken.deviation[0] == pytest.approx(deviation, rel=1e-7, abs=1e-12)


def test_running_moments_keep_their_digits_where_profits_are_large_and_nearly_equal() -> None:
    pnl = [1e6 + step for step in (0.25, 0.5, 0.75, 0.5, 0.25)]
    taken = RewardMeter("pnl", scale=1, min_observations=2, initial_equity=1, accounts=1)
    for equity in 1 + np.cumsum(pnl):
        taken.mark(np.array([equity]))
    assert taken.deviation[0] == pytest.approx(statistics.stdev(pnl), rel=1e-9)


def test_log_return_is_the_logarithm_of_growth() -> None:
    expected = [math.log(1.1), math.log(0.9)]
    assert rewards(meter("log_return"), [1100, 990]) == pytest.approx(expected, rel=1e-12)


def test_pnl_is_in_units_of_the_initial_equity() -> None:
    assert rewards(meter("pnl"), [1100, 990]) == pytest.approx([0.1, -0.11], rel=1e-12)


@pytest.mark.parametrize("kind", ["sharpe_delta", "log_return", "pnl"])
def test_reward_scale_multiplies_every_reward_and_no_moment(kind: Kind) -> None:
    plain, scaled = meter(kind), meter(kind, scale=100)
    equities = [1100.0, 1050.0, 1150.0]
    assert rewards(scaled, equities) == [100 * reward for reward in rewards(plain, equities)]
    assert scaled.mean.tolist() == plain.mean.tolist()
    assert scaled.deviation.tolist() == plain.deviation.tolist()


@pytest.mark.parametrize("kind", ["sharpe_delta", "log_return", "pnl"])
def test_every_account_is_rewarded_as_if_it_were_alone(kind: Kind) -> None:
    curves = [[1100.0, 1050.0, 1150.0], [1000.0, 1000.0, 1000.0], [900.0, 800.0, 950.0]]
    together = meter(kind, accounts=3)
    marked = np.array([together.mark(np.array(equities)) for equities in zip(*curves, strict=True)])
    assert marked.T.tolist() == [rewards(meter(kind), equities) for equities in curves]


def test_a_caller_may_reuse_the_array_it_handed_over() -> None:
    reused, taken = np.array([1100.0]), meter("pnl")
    taken.mark(reused)
    reused[:] = 5
    assert taken.mark(np.array([1200.0])) == pytest.approx([0.1], rel=1e-12)
