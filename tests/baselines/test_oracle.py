import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.agents.agent import Briefing, is_ranked
from flagbench.agents.making import AgentPlan
from flagbench.errors import AgentError, ConfigError, UnknownNameError
from flagbench.market.market import Market
from flagbench.registry import load_agent_class
from flagbench.trading.environment import TradingEnv
from flagbench.trading.oracle import best_actions
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import load_protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'oracle.py'}:Oracle"
BRIEFING = Briefing(preset="standard", train_text_kinds=frozenset())
PROTOCOL = load_protocol("standard")


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    moves = np.random.default_rng(3).normal(1, 0.02, 110)
    return synthetic_market((100 * np.cumprod(moves)).tolist())


def told(market: Market) -> AgentPlan:
    plan = AgentPlan(NAME, {}, BRIEFING)
    plan.foresee(market, PROTOCOL, (market.asset.windows.train, market.asset.windows.test))
    return plan


@pytest.mark.parametrize("window", ["train", "test"])
def test_it_does_what_hindsight_would_have_done(market: Market, window: str) -> None:
    agent: Any = told(market).make()
    windows = market.asset.windows
    period = windows.train if window == "train" else windows.test
    agent.reset(0)
    path = rollout(agent.act, TradingEnv(market, PROTOCOL, period), seed=0)
    best = best_actions(window_prices(market, PROTOCOL, period), PROTOCOL)
    assert path.actions.tolist() == best.tolist()
    assert (path.redundant, path.unparsed) == (0, 0)
    assert set(best.tolist()) == {0, 1, 2}


def test_nobody_ends_richer(market: Market) -> None:
    period = market.asset.windows.test
    prices = window_prices(market, PROTOCOL, period)
    best = replay(market, PROTOCOL, period, best_actions(prices, PROTOCOL)).equity[-1]
    random = np.random.default_rng(0)
    for _ in range(200):
        actions = random.integers(0, 3, size=len(prices.fills)).astype(np.int8)
        assert replay(market, PROTOCOL, period, actions).equity[-1] <= best * (1 + 1e-12)


def test_it_is_not_ranked_and_says_how_much_it_was_told(market: Market) -> None:
    plan = told(market)
    assert not plan.ranked
    assert not is_ranked(load_agent_class(NAME))
    agent: Any = plan.make()
    assert agent.params == {"actions": f"of {len(plan.params['actions'])} bars, told beforehand"}
    json.dumps(plan.params)


def test_told_of_nothing_it_says_where_the_future_comes_from(market: Market) -> None:
    agent: Any = AgentPlan(NAME, {}, BRIEFING).make()
    env = TradingEnv(market, PROTOCOL, market.asset.windows.test)
    with pytest.raises(AgentError, match="was not told what is best on") as caught:
        rollout(agent.act, env, seed=0)
    assert "flagbench run --agent oracle" in caught.value.hint


HALF_HONEST = """
class Seer:
    def reset(self, seed): pass
    def act(self, observation): return 1
    @classmethod
    def foresight(cls, market, protocol, periods): return {}

class Shy:
    ranked = False
    def reset(self, seed): pass
    def act(self, observation): return 1

class Wrong(Seer):
    ranked = False
    @classmethod
    def foresight(cls, market, protocol, periods): return {"bars": 3}

class Failing(Seer):
    ranked = False
    @classmethod
    def foresight(cls, market, protocol, periods): raise ValueError("no luck")

class Honest:
    def __init__(self, bars: int = 1): self.bars = bars
    def reset(self, seed): pass
    def act(self, observation): return 1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "seers.py"
    path.write_text(HALF_HONEST)
    return path


@pytest.mark.parametrize("name", ["Seer", "Shy"])
def test_who_sees_the_future_must_say_so_and_nobody_else(file: Path, name: str) -> None:
    with pytest.raises(AgentError, match="one of `foresight` and `ranked = False` without the other"):
        AgentPlan(f"{file}:{name}", {}, BRIEFING)


def test_an_agent_that_is_ranked_is_given_nothing(file: Path, market: Market) -> None:
    plan = AgentPlan(f"{file}:Honest", {}, BRIEFING)
    plan.foresee(market, PROTOCOL, (market.asset.windows.test,))
    assert (plan.ranked, plan.params) == (True, {"bars": 1})


def test_what_goes_wrong_in_foresight_is_told(file: Path, market: Market) -> None:
    windows = (market.asset.windows.test,)
    with pytest.raises(AgentError, match=r"failed in `foresight`: ValueError\('no luck'\)"):
        AgentPlan(f"{file}:Failing", {}, BRIEFING).foresee(market, PROTOCOL, windows)
    with pytest.raises(UnknownNameError, match="param `bars`"):
        AgentPlan(f"{file}:Wrong", {}, BRIEFING).foresee(market, PROTOCOL, windows)


def test_what_it_is_told_cannot_be_set_by_hand(market: Market) -> None:
    plan = AgentPlan(NAME, {"actions": {"2020-01-01": 2}}, BRIEFING)
    with pytest.raises(ConfigError, match="`actions` is what it foresees and cannot be set"):
        plan.foresee(market, PROTOCOL, (market.asset.windows.test,))
