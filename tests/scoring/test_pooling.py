from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import ConfigError
from flagbench.market.period import Period
from flagbench.scoring.metrics import sharpe_ratio
from flagbench.scoring.performance import paper_performance, standard_performance
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.pooling import pool, pooled_score
from flagbench.scoring.score import score
from flagbench.trading.action import Action
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.replay import replay

if TYPE_CHECKING:
    from flagbench.market.market import Market
    from tests.conftest import MarketFactory

BUY, HOLD, SELL = Action.BUY, Action.HOLD, Action.SELL


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> "Market":
    moves = np.random.default_rng(5).normal(1, 0.02, 80)
    return synthetic_market((100 * np.cumprod(moves)).tolist())


def free(name: str = "standard") -> Protocol:
    return load_protocol(name).model_copy(update={"lookback": 1})


def window(market: "Market", first: int, last: int) -> Period:
    days = market.dates.tolist()
    return Period(days[first], days[last])


def test_two_windows_by_hand(synthetic_market: "MarketFactory") -> None:
    # Fills at the next close, no cost: +10 % in the first window, −20 % in the second, nothing between.
    market = synthetic_market([100, 100, 110, 500, 500, 400])
    protocol = free("paper").model_copy(update={"scoring": "standard"})
    windows = [
        (window(market, 0, 2), np.array([BUY, HOLD], dtype=np.int8)),
        (window(market, 3, 5), np.array([BUY, HOLD], dtype=np.int8)),
    ]
    pooled = pooled_score(market, protocol, windows)
    returns = np.array([0.0, 0.1, 0.0, -0.2])
    assert pooled.values["cumulative_return"] == pytest.approx(1.1 * 0.8 - 1)
    assert pooled.values["max_drawdown"] == pytest.approx(0.2)
    assert pooled.values["sharpe_ratio"] == pytest.approx(returns.mean() / returns.std(ddof=1) * 252**0.5)
    assert (pooled.values["trades"], pooled.bars) == (2, 5)
    assert pooled.period == window(market, 0, 5)
    # Both orders fill at the windows' second closes: equity of 1, then of 1.1, all of it.
    equity = np.array([1, 1, 1.1, 1.1, 0.88])
    assert pooled.values["turnover"] == pytest.approx(2.1 / equity.mean() * 252 / 4)


def test_costs_are_in_units_of_the_first_equity(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market([100, 100, 200, 100, 100, 100])
    protocol = load_protocol("standard").model_copy(update={"lookback": 1, "cost_bps": 100.0})
    chosen = np.array([BUY, HOLD], dtype=np.int8)
    pooled = pooled_score(market, protocol, [(window(market, 0, 2), chosen), (window(market, 3, 5), chosen)])
    first = 1 - 1 / 1.01
    after = 2 / 1.01
    assert pooled.values["cost_paid"] == pytest.approx(first + after * first)


@pytest.mark.parametrize("name", ["standard", "paper"])
def test_one_window_pooled_is_its_own_score(market: "Market", name: str) -> None:
    period = window(market, 20, 50)
    chosen = np.random.default_rng(1).integers(0, 3, 30).astype(np.int8)
    pooled = pooled_score(market, free(name), [(period, chosen)])
    assert pooled.to_json() == score(market, free(name), period, chosen).to_json()


@pytest.mark.parametrize("name", ["standard", "paper"])
def test_the_returns_are_those_of_the_windows_in_a_row(market: "Market", name: str) -> None:
    build = paper_performance if name == "paper" else standard_performance
    periods = [window(market, 0, 24), window(market, 25, 49), window(market, 50, 79)]
    draw = np.random.default_rng(2)
    chosen: list[IntArray] = [
        draw.integers(0, 3, len(market.bar_range(period)) - 1).astype(np.int8) for period in periods
    ]
    parts = [
        build(replay(market, free(name), period, actions))
        for period, actions in zip(periods, chosen, strict=True)
    ]
    pooled = pool(parts)
    returns = np.concatenate([part.returns for part in parts])
    assert np.array_equal(pooled.returns, returns)
    assert len(pooled.equity) == len(pooled.path) == len(returns) + 1
    growth = np.prod([part.equity[-1] for part in parts])
    assert pooled.equity[-1] == pytest.approx(growth)
    if name == "standard":
        np.testing.assert_allclose(pooled.equity[1:] / pooled.equity[:-1] - 1, returns, atol=1e-12)
        both = pooled_score(market, free(name), list(zip(periods, chosen, strict=True)))
        assert both.values["sharpe_ratio"] == pytest.approx(sharpe_ratio(returns, periods_per_year=252))


def test_buy_and_hold_in_every_window_is_called_so(market: "Market") -> None:
    periods = [window(market, 20, 39), window(market, 40, 59)]
    pooled = pooled_score(market, free(), [(period, buy_and_hold_actions(19)) for period in periods])
    assert pooled.shape.identical_to == "buy-and-hold"
    assert pooled.values["trades"] == 2


def test_what_does_not_go_together_is_not_pooled(market: "Market") -> None:
    played = replay(market, free(), window(market, 20, 39), buy_and_hold_actions(19))
    with pytest.raises(ConfigError, match="one convention and calendar"):
        pool([standard_performance(played), paper_performance(played)])
    with pytest.raises(ConfigError, match="one convention and calendar"):
        pool([])
