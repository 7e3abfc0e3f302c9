from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import AgentError
from flagbench.trading.environment import TradingEnv
from flagbench.trading.vector_environment import VectorTradingEnv

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import ProtocolFactory


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_no_bar_can_be_looked_at_but_the_next_and_then_the_episode_is_spoilt(
    ahead: int, synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory"
) -> None:
    market = synthetic_market([100.0 + day for day in range(20)])
    env = TradingEnv(market, protocol_with(lookback=2), market.asset.windows.test)
    env.reset()
    assert env._episode is not None
    if ahead != 1:
        with pytest.raises(AgentError, match="out of turn"):
            env._episode.look(ahead)
        return
    env._episode.look(1)
    with pytest.raises(AgentError, match="out of turn"):
        env.step(1)


def test_books_that_were_moved_by_somebody_else_refuse_to_go_on(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory"
) -> None:
    market = synthetic_market([100.0 + day for day in range(20)])
    envs = VectorTradingEnv(market, protocol_with(lookback=2), market.asset.windows.test, num_envs=2)
    envs.reset()
    assert envs._episode is not None
    accounts = envs._episode.accounts
    with pytest.raises(AgentError, match="out of turn"):
        accounts._forward(2)
    accounts._forward(0)
    with pytest.raises(AgentError, match="out of turn"):
        envs.step(np.array([1, 1]))
