from collections.abc import Callable, Mapping
from datetime import date
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.agents.training import Setup, training_envs
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.records.training_log import Silent
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

FOUR_BARS = Period(date(2020, 1, 2), date(2020, 1, 7))

Train = Callable[..., tuple[Any, Mapping[str, Any]]]
Play = Callable[..., list[int]]


@pytest.fixture(scope="session")
def four_bars(synthetic_market: "MarketFactory") -> Market:
    """Opens rise by 10 %, fall by 10 %, and the last bar rises by 10 %: buy, sell, buy is best."""
    return synthetic_market(
        [100.0, 100.0, 108.0, 101.0, 109.0],
        opens=[100.0, 100.0, 100.0, 110.0, 99.0],
        train=FOUR_BARS,
        test=FOUR_BARS,
    )


@pytest.fixture(scope="session")
def short_protocol() -> Protocol:
    """The standard protocol with two bars of lookback and the log return as reward."""
    changes = {"lookback": 2, "reward": "log_return", "reward_scale": 100}
    return load_protocol("standard").model_copy(update=changes)


@pytest.fixture(scope="session")
def train(four_bars: Market, short_protocol: Protocol) -> Train:
    """Trains an agent on the training window of a market, by default the four bars."""

    def train_agent(
        agent: Any,
        *,
        env_steps: int = 48,
        seed: int = 0,
        num_envs: int = 4,
        market: Market = four_bars,
        protocol: Protocol = short_protocol,
        monitor: Any = None,
    ) -> tuple[Any, Mapping[str, Any]]:
        from flagbench.learning.start import start

        setup = Setup(env_steps=env_steps, num_envs=num_envs)
        period = market.asset.windows.train
        agent.reset(seed)
        summary = agent.train(
            training_envs(market.until(period), protocol, period),
            setup=setup,
            seed=seed,
            accelerator=start(setup, seed=seed),
            monitor=monitor or Silent(),
        )
        return agent, summary

    return train_agent


@pytest.fixture(scope="session")
def play(four_bars: Market, short_protocol: Protocol) -> Play:
    """The actions of an agent on a training window, by default the four bars."""

    def play_agent(agent: Any, market: Market = four_bars, protocol: Protocol = short_protocol) -> list[int]:
        env = TradingEnv(market, protocol, market.asset.windows.train)
        agent.reset(0)
        return [int(action) for action in rollout(agent.act, env, seed=0).actions]

    return play_agent


@pytest.fixture(scope="session")
def is_best_on_four_bars(four_bars: Market, short_protocol: Protocol) -> Callable[[list[int]], bool]:
    """Whether no path of positions ends with more."""

    def ends_with(actions: Any) -> float:
        return float(replay(four_bars, short_protocol, FOUR_BARS, np.array(actions)).equity[-1])

    best = max(ends_with(path) for path in product([0, 2], repeat=3))
    return lambda actions: ends_with(actions) == best
