from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.market import Market
from flagbench.trading.oracle import best_actions
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import FillPrice, Protocol
from flagbench.trading.replay import Replay, replay

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import ProtocolFactory

price = st.floats(50, 200)


def played(market: Market, protocol: Protocol, actions: np.ndarray) -> Replay:
    return replay(market, protocol, market.asset.windows.test, actions)


def best(market: Market, protocol: Protocol) -> Replay:
    prices = window_prices(market, protocol, market.asset.windows.test)
    return played(market, protocol, best_actions(prices, protocol))


@given(
    bars=st.lists(st.tuples(price, price), min_size=12, max_size=12), cost=st.sampled_from([0.0, 10.0, 300.0])
)
@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_no_path_of_positions_ends_with_more(
    fill: FillPrice,
    bars: list[tuple[float, float]],
    cost: float,
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
) -> None:
    opens, closes = (list(column) for column in zip(*bars, strict=True))
    market = synthetic_market(closes, opens=opens)
    protocol = protocol_with(fill, cost_bps=cost, lookback=1)
    decisions = len(market.bar_range(market.asset.windows.test)) - 1
    every = (np.array(path) for path in product([0, 2], repeat=decisions))
    highest = max(played(market, protocol, path).equity[-1] for path in every)
    found = best(market, protocol)
    assert found.equity[-1] == pytest.approx(highest, rel=1e-13)
    assert found.redundant == 0


def test_it_stays_out_of_a_falling_market_and_never_leaves_a_rising_one(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory"
) -> None:
    falling = synthetic_market([200.0 - day for day in range(40)])
    rising = synthetic_market([100.0 + day for day in range(40)])
    protocol = protocol_with("next_open", lookback=1)
    assert best(falling, protocol).position.max() == 0
    assert best(rising, protocol).position.min() == 1


def test_a_trade_that_does_not_pay_its_cost_is_left_out(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory"
) -> None:
    closes = [100.0, 100.1] * 20
    market = synthetic_market(closes, opens=closes)
    assert best(market, protocol_with("next_open", lookback=1, cost_bps=0)).filled.sum() > 10
    assert best(market, protocol_with("next_open", lookback=1, cost_bps=10)).filled.sum() == 0
