from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout


def best_equity(market: Market, protocol: Protocol, period: Period) -> float:
    """By trying every path of positions."""
    paths = [np.array(path) for path in product([0, 2], repeat=3)]
    return max(float(replay(market, protocol, period, path).equity[-1]) for path in paths)


@pytest.mark.parametrize("seed", range(5))
def test_flag_finds_the_best_policy_of_a_four_bar_market_within_2000_steps(
    seed: int, train_flag: Callable[..., Any], four_bars: Market, short_protocol: Protocol
) -> None:
    agent, summary = train_flag(env_steps=1_920, seed=seed, num_envs=8)
    assert summary["env_steps"] <= 2_000
    period = four_bars.asset.windows.train
    path = rollout(agent.act, TradingEnv(four_bars, short_protocol, period), seed=0)
    equity = replay(four_bars, short_protocol, period, path.actions).equity[-1]
    assert equity == best_equity(four_bars, short_protocol, period)
