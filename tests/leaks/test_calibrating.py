from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.leaks.calibrating import Calibration, calibrate, delay
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.protocol import Protocol, load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory


@pytest.fixture(scope="module")
def protocol() -> Protocol:
    return load_protocol("standard").model_copy(update={"lookback": 1, "cost_bps": 100.0})


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    """Test window: closes 100, 110, 99, 120; each bar opens at the close before it."""
    made = synthetic_market([100.0, 100.0, 100.0, 110.0, 99.0, 120.0])
    days = made.dates.tolist()
    windows = made.asset.windows.model_copy(
        update={"train": Period.of(days[0], days[1]), "test": Period.of(days[2], days[5])}
    )
    return synthetic_market([100.0, 100.0, 100.0, 110.0, 99.0, 120.0], train=windows.train, test=windows.test)


def test_wealth_of_the_known_agents_by_hand(market: Market, protocol: Protocol) -> None:
    found = calibrate(market, protocol, np.array([2, 0, 2], dtype=np.int8))
    # Orders fill at the opens 100, 110, 99 with 1 % a side.
    assert found.agent == pytest.approx(110 * 0.99 / 101 / (99 * 1.01) * 120)
    assert found.oracle == pytest.approx(found.agent)
    assert found.buy_and_hold == pytest.approx(120 / 101)
    assert found.closed_form == pytest.approx(120 / 101)
    assert found.always_flat == 1
    assert found.faults == []


def test_each_fault_is_named() -> None:
    faulty = Calibration(agent=2.0, oracle=1.5, buy_and_hold=1.2, closed_form=1.21, always_flat=1.0001)
    assert faulty.faults == [
        "the oracle does not have the highest final wealth",
        "always-flat does not return 0",
        "buy-and-hold is not its closed form",
    ]


def test_a_delayed_order_fills_a_bar_later(market: Market, protocol: Protocol) -> None:
    found = delay(market, protocol, np.array([2, 0, 2], dtype=np.int8))
    assert found.return_ == pytest.approx(110 * 0.99 / 101 / (99 * 1.01) * 120 - 1)
    # BUY at 110, SELL at 99, and the last BUY never comes.
    assert found.return_delayed == pytest.approx(99 * 0.99 / (110 * 1.01) - 1)
    assert found.sharpe_ratio > 0 > found.sharpe_ratio_delayed
