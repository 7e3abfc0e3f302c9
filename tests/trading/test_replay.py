from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import FillPrice, Protocol, load_protocol, protocol_names
from flagbench.trading.replay import Replay, replay
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

SELL, HOLD, BUY = Action
ACTIONS = np.array([BUY, HOLD, SELL, SELL, BUY, UNPARSED])
FILLS = [100, 103, 110, 108, 109.89, 105]
SECOND_BUY = 109_890 / 1.001  # what 109,890 of cash buys at 10 basis points
ANSWERS = (SELL, HOLD, BUY, BUY, 3, -1, None, "buy", 1.0, True, np.int64(2), float("nan"))


def check_orders(played: Replay) -> None:
    """At both fill prices 1,000 shares are bought at 100 and sold at 110; 109.89 is paid for the next."""
    assert played.filled.tolist() == [True, False, True, False, True, False]
    assert played.position.tolist() == [1, 1, 0, 0, 1, 1]
    assert played.traded == pytest.approx([100_000, 0, 110_000, 0, SECOND_BUY, 0], rel=1e-13)
    assert played.cost == pytest.approx([100, 0, 110, 0, SECOND_BUY / 1000, 0], rel=1e-9)
    assert (played.redundant, played.unparsed, played.periods_per_year) == (1, 1, 252)


def test_an_episode_at_the_next_open_is_as_by_hand(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    closes = [98, 98.5, 99, 102, 105, 50, 108, 110.11, 100.1]
    market = synthetic_market(closes, opens=[98, 98, 98, *FILLS])
    played = replay(market, protocol_with("next_open", initial_cash=100_100), bars_of(market), ACTIONS)
    check_orders(played)
    assert played.dates.tolist() == market.dates[2:].tolist()
    equity = [100_100, 102_000, 105_000, 109_890, 109_890, 110_000, 100_000]
    assert played.equity == pytest.approx(equity, rel=1e-13)
    assert played.exposed.tolist() == [True, True, True, False, True, True]
    order_returns = [103 / 100, 110 / 103, 108 / 110, 109.89 / 108, 105 / 109.89, 100.1 / 105]
    assert played.order_returns + 1 == pytest.approx(order_returns, rel=1e-13)


def test_an_episode_at_the_next_close_is_as_by_hand(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    market = synthetic_market([98, 98.5, 99, *FILLS], opens=[1.0] * 9)
    played = replay(market, protocol_with("next_close", initial_cash=100_100), bars_of(market), ACTIONS)
    check_orders(played)
    assert played.dates.tolist() == market.dates[2:].tolist()
    equity = [100_100, 100_000, 103_000, 109_890, 109_890, SECOND_BUY, SECOND_BUY * 105 / 109.89]
    assert played.equity == pytest.approx(equity, rel=1e-13)
    assert played.exposed.tolist() == [False, True, True, False, False, True]
    order_returns = [103 / 100, 110 / 103, 108 / 110, 109.89 / 108, 105 / 109.89, 1]
    assert played.order_returns + 1 == pytest.approx(order_returns, rel=1e-13)


@pytest.mark.parametrize("name", ["standard", "paper"])
def test_buying_and_holding_a_real_market_equals_its_closed_form(name: str, tsla: Market) -> None:
    protocol, period = load_protocol(name), tsla.asset.windows.test
    bars = tsla.bar_range(period)
    held = replay(tsla, protocol, period, np.full(len(bars) - 1, BUY))
    column = 0 if name == "standard" else 3
    growth = tsla.adjusted_close[bars.stop - 1] / tsla.adjusted_bars[bars.start + 1, column]
    assert held.equity[-1] == pytest.approx(100_000 / (1 + protocol.cost) * growth, rel=1e-12)
    assert (held.filled.sum(), held.redundant) == (1, len(bars) - 2)


def test_staying_flat_keeps_the_cash_to_the_last_bit(tsla: Market) -> None:
    period = tsla.asset.windows.test
    decisions = len(tsla.bar_range(period)) - 1
    flat = replay(tsla, load_protocol("standard"), period, np.full(decisions, SELL))
    assert flat.equity.tolist() == [100_000] * (decisions + 1)
    assert not np.any([flat.traded, flat.cost, flat.filled, flat.exposed, flat.position])
    assert flat.redundant == decisions


@pytest.mark.parametrize("count", [0, 5, 7])
def test_another_number_of_actions_than_decisions_is_refused(
    count: int,
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    market = synthetic_market([1.0] * 9)
    with pytest.raises(ConfigError, match=f"{count} actions for a window of 6 decisions"):
        replay(market, protocol_with(), bars_of(market), np.ones(count, dtype=np.int64))


def test_a_window_without_history_is_refused(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    market = synthetic_market([1.0] * 9)
    with pytest.raises(MarketDataError, match="a lookback of 3 needs 2"):
        replay(market, protocol_with(), bars_of(market, 0), np.ones(8, dtype=np.int64))


class ListeningEnv(TradingEnv):
    """Keeps the equities that the environment tells bar by bar."""

    def __init__(self, market: Market, protocol: Protocol, period: Period) -> None:
        super().__init__(market, protocol, period)
        self.equities: list[float] = []

    def step(self, action: int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        step = super().step(action)
        self.equities.append(step[4]["equity"])
        return step


def check_equality(market: Market, protocol: Protocol, period: Period, answers: Iterable[object]) -> None:
    env, pending = ListeningEnv(market, protocol, period), iter(answers)
    trajectory = rollout(lambda _: next(pending), env, seed=0)
    played = replay(market, protocol, period, trajectory.actions)
    assert played.equity.tolist() == [protocol.initial_cash, *env.equities]
    assert (played.redundant, played.unparsed) == (trajectory.redundant, trajectory.unparsed)
    assert played.dates[:-1].tolist() == trajectory.dates.tolist()


@given(
    st.lists(
        st.tuples(st.floats(1, 1000), st.floats(1, 1000), st.sampled_from(ANSWERS)), min_size=2, max_size=12
    ),
    st.sampled_from(["next_open", "next_close"]),
)
def test_replayed_equity_is_the_environments_bit_for_bit(
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
    bars: list[tuple[float, float, object]],
    fill: FillPrice,
) -> None:
    opens, closes, answers = zip(*bars, strict=True)
    market = synthetic_market([5.0, 6.0, *closes], opens=[5.0, 6.0, *opens])
    check_equality(market, protocol_with(fill), bars_of(market), answers)


@pytest.mark.parametrize("name", protocol_names())
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_replayed_equity_is_the_environments_on_a_real_market(name: str, seed: int, tsla: Market) -> None:
    period = tsla.asset.windows.test
    chosen = np.random.default_rng(seed).integers(len(ANSWERS), size=len(tsla.bar_range(period)))
    check_equality(tsla, load_protocol(name), period, [ANSWERS[index] for index in chosen])


def test_a_number_that_is_no_action_is_refused_with_its_bar(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory"
) -> None:
    market = synthetic_market([100.0 + day for day in range(12)])
    period = market.asset.windows.test
    actions = np.full(len(market.bar_range(period)) - 1, HOLD)
    actions[1] = 7
    with pytest.raises(
        ConfigError, match=f"7 on {market.dates[market.bar_range(period).start + 1]} is no action"
    ):
        replay(market, protocol_with(lookback=2), period, actions)
