import math
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.errors import ConfigError
from flagbench.market.asset import load_asset
from flagbench.market.headlines import FILLERS, TONE_WORDS
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.market.text_file import TextItem
from flagbench.trading.action import Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.oracle import best_actions
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import load_protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from flagbench.trading.observation import Observation

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'tone_rule.py'}:ToneRule"
BRIEFING = Briefing(preset="standard", train_text_kinds=frozenset({"news"}))


def rule(**params: Any) -> Any:
    return AgentPlan(NAME, params, BRIEFING).make()


def read(agent: Any, *texts: str) -> int:
    items = tuple(TextItem("2020-01-01", "news", text) for text in texts)
    action: int = agent.act(cast("Observation", {"text": items}))
    return action


FILLER = FILLERS[0].format(subject="the company")
GOOD, BAD, MIXED = (f"The company is {TONE_WORDS[tone - 1][0]}" for tone in (5, 1, 3))


@pytest.mark.parametrize(
    ("texts", "action"),
    [
        ((), Action.HOLD),
        ((FILLER,), Action.HOLD),
        ((GOOD,), Action.BUY),
        ((BAD,), Action.SELL),
        ((MIXED,), Action.HOLD),
        ((FILLER, GOOD), Action.BUY),
        ((GOOD, BAD), Action.HOLD),
    ],
)
def test_it_buys_on_a_good_tone_and_sells_on_a_bad_one(texts: tuple[str, ...], action: Action) -> None:
    assert read(rule(), *texts) == action


def test_where_it_buys_and_sells_can_be_moved() -> None:
    fair = f"The company is {TONE_WORDS[3][0]}"
    assert read(rule(), fair) == Action.BUY
    assert read(rule(buy_from=5), fair) == Action.HOLD
    assert read(rule(sell_to=4), fair) == Action.BUY  # buying comes first
    with pytest.raises(ConfigError, match="`buy_from`: Input should be less than or equal to 5"):
        rule(buy_from=6)


def test_on_a_planted_signal_it_earns_what_its_docstring_says() -> None:
    protocol, agent = load_protocol("standard"), rule()
    shares = []
    for seed in range(20):
        market = make_replica(load_asset("TSLA"), ReplicaSpec(signal=0.9, seed=seed, train=250, test=150))
        test = market.asset.windows.test
        best = best_actions(window_prices(market, protocol, test), protocol)
        earned = [
            math.log(replay(market, protocol, test, actions).equity[-1] / protocol.initial_cash)
            for actions in (rollout(agent.act, TradingEnv(market, protocol, test), seed=0).actions, best)
        ]
        shares.append(earned[0] / earned[1])
    assert max(shares) < 1
    assert f"{statistics.median(shares):.2f}" == "0.93"
