from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.errors import ConfigError
from flagbench.trading.action import Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import load_protocol
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from flagbench.trading.observation import Observation
    from tests.conftest import MarketFactory

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'momentum.py'}:Momentum"
PROTOCOL = load_protocol("standard")


def momentum(**params: Any) -> Any:
    agent: Any = AgentPlan(NAME, params, Briefing(preset="standard", train_text_kinds=frozenset())).make()
    agent.reset(0)
    return agent


def seen(closes: Sequence[float], *, date: str = "2020-01-31", is_long: bool = False) -> "Observation":
    window = np.zeros((len(closes), 5), dtype=np.float32)
    window[:, 3] = closes
    account = np.array([is_long, 1, 1, 0, 0, 0], dtype=np.float32)
    return cast("Observation", {"window": window, "date": date, "account": account})


@pytest.mark.parametrize(
    ("closes", "is_long", "action"),
    [
        ((100, 90, 101), False, Action.BUY),
        ((100, 90, 101), True, Action.HOLD),
        ((100, 110, 99), False, Action.HOLD),
        ((100, 110, 99), True, Action.SELL),
        ((100, 110, 100), True, Action.SELL),
        ((100,), False, Action.HOLD),
        ((100,), True, Action.HOLD),
    ],
)
def test_it_holds_after_a_rise_and_nothing_else(
    closes: tuple[float, ...], is_long: bool, action: Action
) -> None:
    assert momentum(bars=2).act(seen(closes, is_long=is_long)) == action


def test_it_compares_with_the_close_that_many_bars_ago_and_no_older_one() -> None:
    closes = (200, 100, 150, 110)
    assert [momentum(bars=bars).act(seen(closes)) for bars in (1, 2, 3, 9)] == [
        Action.HOLD,
        Action.BUY,
        Action.HOLD,
        Action.HOLD,
    ]


def test_it_remembers_more_bars_than_it_is_shown_and_forgets_them_at_reset() -> None:
    agent = momentum(bars=3)
    path = [seen((close,), date=f"2020-01-0{day}") for day, close in enumerate((100, 90, 80, 99, 95), 1)]
    # 90, 80 and 99 are held against 100, 95 against 90.
    assert [agent.act(each) for each in path] == [1, 1, 1, 1, 2]
    agent.reset(0)
    assert agent.act(path[-1]) == Action.HOLD


def test_asked_twice_of_one_bar_it_answers_the_same() -> None:
    agent = momentum(bars=1)
    agent.act(seen((100,), date="2020-01-01"))
    bar = seen((101,), date="2020-01-02")
    assert [agent.act(bar), agent.act(bar)] == [Action.BUY, Action.BUY]


@given(st.lists(st.floats(1, 1000, width=32), min_size=30, max_size=60), st.integers(1, 40))
def test_its_position_is_the_sign_of_the_past_return(
    synthetic_market: "MarketFactory", closes: list[float], bars: int
) -> None:
    protocol = PROTOCOL.model_copy(update={"lookback": 3})
    market = synthetic_market(closes)
    period = market.asset.windows.test
    first = market.bar_range(period).start
    path = rollout(momentum(bars=bars).act, TradingEnv(market, protocol, period), seed=0)
    is_long = False
    shown = np.array(closes, dtype=np.float32)
    for t, action in enumerate(path.actions.tolist()):
        is_long = {Action.BUY: True, Action.SELL: False}.get(action, is_long)
        bar = first + t
        oldest = max(bar - bars, first - 2)  # three bars are shown at the first decision
        assert is_long == (shown[bar] > shown[oldest])
    assert path.redundant == 0


def test_a_return_over_no_bar_is_refused() -> None:
    with pytest.raises(ConfigError, match="`bars`: Input should be greater than or equal to 1"):
        momentum(bars=0)
