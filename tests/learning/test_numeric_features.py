import math
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.learning.numeric_features import (
    USUAL_MOVE,
    NumericObservations,
    feature_count,
    lookback_of,
    numeric_features,
)
from flagbench.market.market import Market
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.vector_environment import VectorTradingEnv, stack

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

PROTOCOL = load_protocol("standard").model_copy(update={"lookback": 3})


def seen(**changes: Any) -> Observation:
    """Two bars; the account is long after four of them."""
    values: dict[str, Any] = {
        "window": np.array([[9, 12, 8, 10, 300], [10, 22, 9, 20, 100]], dtype=np.float32),
        "date": "2020-01-02",
        "text": (),
        "mask": np.array([1, 1, 0], dtype=np.int8),
        "account": np.array([1, 0, 1.5, 4, 0.01, 0.03], dtype=np.float32),
        "history": np.zeros((10, 3), dtype=np.float32),
    }
    return Observation(**{**values, **changes})  # type: ignore[typeddict-item]


def features_of(observation: Observation) -> list[float]:
    values: list[float] = numeric_features(stack([observation]))[0].tolist()
    return values


def walk(make_market: "MarketFactory", *, scale: float = 1.0, volume: bool = True) -> Market:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, 30)))
    volumes = np.random.default_rng(4).uniform(1, 9, 30) if volume else np.full(30, np.nan)
    return make_market((closes * scale).tolist(), volume=volumes.tolist())


def path_of(market: Market, protocol: Protocol = PROTOCOL) -> np.ndarray[Any, Any]:
    """Features along the training window of an account that buys and sells in turn, and of one that holds."""
    envs = VectorTradingEnv(market, protocol, market.asset.windows.train, num_envs=2)
    batch, _ = envs.reset()
    rows = [numeric_features(batch)]
    for step in range(6):
        batch, *_ = envs.step(np.array([2 if step % 2 == 0 else 0, 1]))
        rows.append(numeric_features(batch))
    return np.stack(rows)


def test_each_feature_is_what_its_docstring_says() -> None:
    expected = [
        math.log(20 / 10) / USUAL_MOVE,
        math.log(10 / 20) / USUAL_MOVE,
        math.log(22 / 20) / USUAL_MOVE,
        math.log(9 / 20) / USUAL_MOVE,
        math.log(100 / 200),
        1,
        0,
        math.log(1.5),
        0.01 / USUAL_MOVE,
        0.03 / USUAL_MOVE,
        1 / 5,
    ]
    assert features_of(seen()) == pytest.approx(expected, rel=1e-6)
    assert len(expected) == feature_count(2)


def test_missing_volume_says_nothing_and_is_left_out_of_the_mean() -> None:
    window = seen()["window"]
    none, last, first = window.copy(), window.copy(), window.copy()
    none[:, 4], last[1, 4], first[0, 4] = 0, 0, 0
    place = 4
    assert features_of(seen(window=none))[place] == 0
    assert features_of(seen(window=last))[place] == 0
    assert features_of(seen(window=first))[place] == 0  # the only bar that has one is the mean
    others = [index for index in range(feature_count(2)) if index != place]
    plain = features_of(seen())
    assert [features_of(seen(window=none))[index] for index in others] == [plain[index] for index in others]


@given(power=st.integers(-20, 20))
def test_scaling_all_prices_by_a_power_of_two_changes_nothing(
    synthetic_market: "MarketFactory", power: int
) -> None:
    plain, scaled = walk(synthetic_market), walk(synthetic_market, scale=2.0**power)
    np.testing.assert_array_equal(path_of(plain), path_of(scaled))


@given(power=st.integers(-10, 20))
def test_scaling_the_cash_by_a_power_of_two_changes_nothing(
    synthetic_market: "MarketFactory", power: int
) -> None:
    market = walk(synthetic_market)
    rich = PROTOCOL.model_copy(update={"initial_cash": PROTOCOL.initial_cash * 2.0**power})
    np.testing.assert_array_equal(path_of(market), path_of(market, rich))


def test_features_are_finite_and_differ_between_accounts_in_the_account_only(
    synthetic_market: "MarketFactory",
) -> None:
    for volume in (True, False):
        path = path_of(walk(synthetic_market, volume=volume))
        assert path.dtype == np.float32
        assert path.shape == (7, 2, feature_count(3))
        assert np.isfinite(path).all()
        np.testing.assert_array_equal(path[:, 0, :6], path[:, 1, :6])
        assert path[1, 0, 6] == 1  # long: may sell
        assert path[1, 1, 6] == 0


def test_a_batch_is_its_observations_one_by_one(synthetic_market: "MarketFactory") -> None:
    market = walk(synthetic_market)
    env = TradingEnv(market, PROTOCOL, market.asset.windows.train)
    observations = [env.reset()[0], env.step(2)[0], env.step(1)[0]]
    together = numeric_features(stack(observations))
    alone = [numeric_features(stack([observation]))[0] for observation in observations]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_the_wrapper_is_a_gymnasium_environment_of_plain_vectors(synthetic_market: "MarketFactory") -> None:
    market = walk(synthetic_market)
    env = NumericObservations(TradingEnv(market, PROTOCOL, market.asset.windows.train))
    assert isinstance(env.observation_space, gym.spaces.Box)
    assert env.observation_space.contains(env.reset()[0])
    plain = TradingEnv(market, PROTOCOL, market.asset.windows.train)
    first, _ = env.reset()
    np.testing.assert_array_equal(first, numeric_features(stack([plain.reset()[0]]))[0])
    second, reward, *_ = env.step(2)
    observation, plain_reward, *_ = plain.step(2)
    np.testing.assert_array_equal(second, numeric_features(stack([observation]))[0])
    assert reward == plain_reward


def test_the_lookback_is_read_off_single_and_vector_environments(synthetic_market: "MarketFactory") -> None:
    market = walk(synthetic_market)
    window = market.asset.windows.train
    assert lookback_of(TradingEnv(market, PROTOCOL, window)) == 3
    assert lookback_of(VectorTradingEnv(market, PROTOCOL, window, num_envs=2)) == 3
