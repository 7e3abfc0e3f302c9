from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from flagbench.market.text_file import TextItem
from flagbench.registry import task_files
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import load_protocol, protocol_names
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

pytestmark = pytest.mark.parametrize("name", protocol_names())


def test_it_loads_under_the_name_of_its_file(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.id == name
    assert protocol.version >= 1
    assert protocol.description.strip()


def test_every_number_in_its_file_says_where_it_comes_from(name: str) -> None:
    lines = task_files("protocols")[name].read_text(encoding="utf-8").splitlines()
    top_level = [line for line in lines if line and not line.startswith(" ")]
    free = ("id:", "version:", "description:", "scoring:", "preset:")
    assert [line for line in top_level if "  # " not in line and not line.startswith(free)] == []


@pytest.mark.parametrize("asset_class", ["equity", "crypto"])
def test_an_episode_under_it_runs_to_its_end(
    name: str, asset_class: Literal["equity", "crypto"], synthetic_market: "MarketFactory"
) -> None:
    protocol = load_protocol(name)
    moves = np.random.default_rng(0).normal(1, 0.02, size=protocol.lookback * 5)
    market = synthetic_market(
        (100 * np.cumprod(moves)).tolist(),
        asset_class=asset_class,
        text=[TextItem("2020-02-14", "news", "something happened")],
        volume=[float("nan")] * len(moves),
    )
    period = market.asset.windows.train
    env = TradingEnv(market, protocol, period)
    rewards: list[float] = []

    def act(observation: Observation) -> int:
        assert env.observation_space.contains(observation)
        rewards.append(float(observation["history"][-1, 1]))
        return int(np.flatnonzero(observation["mask"])[len(rewards) % 2])

    trajectory = rollout(act, env, seed=0)
    played = replay(market, protocol, period, trajectory.actions)
    assert len(trajectory.actions) == len(market.bar_range(period)) - 1
    assert (trajectory.redundant, trajectory.unparsed) == (0, 0)
    assert played.filled.any()
    assert np.isfinite(rewards).all()
    assert np.isfinite(played.equity).all()
    assert (played.cost.sum() > 0) == (protocol.cost > 0)
