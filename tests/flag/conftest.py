from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.agents.training import MakeEnvs, Setup
from flagbench.flag.agent import FlagAgent
from flagbench.learning.random_backbone import make_random_backbone
from flagbench.learning.start import start
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.records.training_log import Silent
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.vector_environment import VectorTradingEnv

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

FOUR_BARS = Period(date(2020, 1, 2), date(2020, 1, 7))

TrainFlag = Callable[..., tuple[FlagAgent, Mapping[str, Any]]]


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with a two-layer Llama with random weights."""
    folder: Path = tmp_path_factory.mktemp("llama")
    model, tokenizer = make_random_backbone(seed=0, layers=2, width=32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


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


def envs_over(market: Market, protocol: Protocol, period: Period) -> MakeEnvs:
    def make_envs(num_envs: int, *, max_episode_steps: int | None = None) -> VectorTradingEnv:
        return VectorTradingEnv(
            market, protocol, period, num_envs=num_envs, max_episode_steps=max_episode_steps
        )

    return make_envs


@pytest.fixture(scope="session")
def train_flag(four_bars: Market, short_protocol: Protocol, backbone: str) -> TrainFlag:
    """Trains FLAG on the four bars."""

    def train(
        *,
        env_steps: int = 48,
        seed: int = 0,
        num_envs: int = 4,
        accumulation: int = 1,
        market: Market = four_bars,
        protocol: Protocol = short_protocol,
        **params: Any,
    ) -> tuple[FlagAgent, Mapping[str, Any]]:
        setup = Setup(env_steps=env_steps, num_envs=num_envs, gradient_accumulation_steps=accumulation)
        accelerator = start(setup, seed=seed)
        agent = FlagAgent(**{"backbone": backbone, **params})
        summary = agent.train(
            envs_over(market, protocol, FOUR_BARS),
            setup=setup,
            seed=seed,
            accelerator=accelerator,
            monitor=Silent(),
        )
        return agent, summary

    return train
