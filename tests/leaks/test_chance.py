from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.leaks.chance import FEWEST_DAYS, as_actions, false_alarm, most_by_chance, wins
from flagbench.leaks.placebo import CHEAP, DEAR
from flagbench.trading.action import Action
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

STANDARD = load_protocol("standard")


def test_false_alarms_are_binomial_tails() -> None:
    assert false_alarm(0, 1) == pytest.approx(0.05)
    assert false_alarm(1, 2) == pytest.approx(0.05**2)
    assert false_alarm(2, 2) == 0
    assert false_alarm(*DEAR[::-1]) == pytest.approx(0.002574, abs=1e-6)
    assert false_alarm(*CHEAP[::-1]) == pytest.approx(0.001160, abs=1e-6)


def test_the_limit_is_the_smallest_that_chance_seldom_exceeds() -> None:
    assert [most_by_chance(markets) for markets in (1, 8, 40)] == [1, 3, 7]
    assert false_alarm(3, 8) < 0.001 < false_alarm(2, 8)


def test_whoever_holds_a_market_that_nearly_always_rises_wins_and_a_flat_one_does_not(
    synthetic_market: "MarketFactory",
) -> None:
    chance = np.random.default_rng(0)
    closes = 100 * np.cumprod(1 + chance.normal(0.01, 0.01, 200))
    market = synthetic_market(closes.tolist())
    decisions = len(market.bar_range(market.asset.windows.test)) - 1
    hold = as_actions((Action.BUY, *[Action.HOLD] * (decisions - 1)))
    flat = as_actions((Action.HOLD,) * decisions)
    assert wins(market, STANDARD, hold)
    assert not wins(market, STANDARD, flat)


def test_a_few_lucky_days_are_no_win(synthetic_market: "MarketFactory") -> None:
    closes = 100 * np.cumprod(1 + np.random.default_rng(0).normal(0.02, 0.001, 200))
    market = synthetic_market(closes.tolist())
    decisions = len(market.bar_range(market.asset.windows.test)) - 1

    def held_for(days: int) -> bool:
        actions = [Action.HOLD] * decisions
        # Bought at the next open and sold at an open: `days` bars hold shares, the last one overnight.
        actions[0], actions[days - 1] = Action.BUY, Action.SELL
        return wins(market, STANDARD, as_actions(tuple(actions)))

    assert not held_for(FEWEST_DAYS - 1)
    assert held_for(FEWEST_DAYS)


def test_a_gain_that_costs_would_eat_still_counts(synthetic_market: "MarketFactory") -> None:
    chance = np.random.default_rng(0)
    closes = 100 * np.cumprod(1 + chance.normal(0.0005, 0.0005, 300))
    market = synthetic_market(closes.tolist())
    decisions = len(market.bar_range(market.asset.windows.test)) - 1
    busy = as_actions(tuple(Action.SELL if day % 3 == 2 else Action.BUY for day in range(decisions)))
    assert wins(market, STANDARD.model_copy(update={"cost_bps": 500.0}), busy)
