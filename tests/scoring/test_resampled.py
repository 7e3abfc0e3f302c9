import math

import numpy as np
import pytest

from flagbench.scoring.metrics import max_drawdown
from flagbench.scoring.resampled import cumulative_return_interval, max_drawdown_range
from flagbench.scoring.sharpe import RARE


def random_returns(seed: int = 0, days: int = 150) -> np.ndarray:
    found: np.ndarray = 0.001 + 0.01 * np.random.default_rng(seed).standard_t(5, days)
    return found


def test_the_return_lies_in_its_interval_and_its_logarithm_in_the_middle() -> None:
    returns = random_returns()
    found = cumulative_return_interval(returns)
    total = np.log1p(returns).sum()
    assert (math.log1p(found.low) + math.log1p(found.high)) / 2 == pytest.approx(total)
    assert found.low < np.prod(1 + returns) - 1 < found.high
    assert found.low > -1


def test_log_returns_are_added_up() -> None:
    returns = random_returns()
    simple = cumulative_return_interval(returns)
    # The same block length: it is chosen on the returns as they are.
    logs = cumulative_return_interval(np.log1p(returns), log_returns=True)
    assert (logs.low + logs.high) / 2 == pytest.approx(np.log1p(returns).sum())
    assert logs.low == pytest.approx(math.log1p(simple.low), rel=0.05)


def test_independent_days_have_the_interval_of_their_deviation() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 2000)
    found = cumulative_return_interval(returns, log_returns=True)
    expected = 2 * 1.96 * 0.01 * math.sqrt(2000)
    assert found.high - found.low == pytest.approx(expected, rel=0.08)


def test_a_loss_of_everything_has_no_logarithm() -> None:
    returns = random_returns()
    returns[7] = -1.0
    assert cumulative_return_interval(returns).reason == "everything was lost in one bar"


def test_the_drawdown_range_is_between_none_and_all() -> None:
    returns = random_returns()
    found = max_drawdown_range(returns)
    assert 0 < found.low < found.high < 1
    assert found.reason is None
    own = float(max_drawdown(np.concatenate([[1.0], np.cumprod(1 + returns)])))
    assert found.low < own < found.high


def test_one_loss_can_be_drawn_any_number_of_times() -> None:
    # Days of 0 and one of −10 %: a path that draws it k times falls by 1 − 0.9^k, k binomial with mean 1.
    returns = np.zeros(100)
    returns[40] = -0.1
    found = max_drawdown_range(returns, resamples=4_000)
    assert found.low == 0  # 37 % of the paths have none
    assert found.high == pytest.approx(1 - 0.9**3)  # 98.1 % have at most three


def test_a_crash_is_deeper_than_its_days_mixed_up() -> None:
    returns = np.concatenate([np.full(50, 0.01), np.full(50, -0.01)])
    returns += np.random.default_rng(0).normal(0, 1e-4, 100)
    blocks = max_drawdown_range(returns)
    assert blocks.blocks < 10  # the days hang together
    shuffled = max_drawdown_range(np.random.default_rng(1).permutation(returns))
    assert shuffled.high < blocks.high


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (np.full(40, np.nan), "not every return is a number"),
        (np.array([0.01, 0.02]), "fewer than 11 returns"),
        (np.zeros(40), "the returns do not vary"),
    ],
)
def test_what_cannot_be_resampled_is_undefined_with_a_reason(returns: np.ndarray, reason: str) -> None:
    for found in (cumulative_return_interval(returns), max_drawdown_range(returns)):
        assert found.reason == reason
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_one_trade_of_a_day_has_no_return_interval_but_a_drawdown_range() -> None:
    returns = np.zeros(40)
    returns[3] = 0.02
    assert cumulative_return_interval(returns).reason == RARE
    assert max_drawdown_range(returns)[:2] == (0, 0)
