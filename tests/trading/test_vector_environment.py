from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode

from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.text_file import TextItem
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import FillPrice
from flagbench.trading.vector_environment import VectorTradingEnv, make_vector_env, stack, unstack

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

ENV_ID = "flagbench.trading.registration:flagbench/Trading-v0"


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    moves = np.random.default_rng(0).normal(1, 0.03, size=(2, 14))
    closes = 50 * np.cumprod(moves[0])
    text = [TextItem(f"2020-01-{day:02}", "news", f"item {day}") for day in range(1, 20, 3)]
    return synthetic_market(closes.tolist(), opens=(closes * moves[1]).tolist(), text=text)


def same(one: object, other: object) -> bool:
    return data_equivalence(one, other, exact=True)


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
@pytest.mark.parametrize("reward", ["sharpe_delta", "log_return", "pnl"])
def test_it_equals_single_environments_step_by_step(
    fill: FillPrice,
    reward: str,
    market: Market,
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    protocol, period = protocol_with(fill, reward=reward), bars_of(market)
    singles = [TradingEnv(market, protocol, period) for _ in range(5)]
    vector = VectorTradingEnv(market, protocol, period, num_envs=5)
    first = stack([single.reset()[0] for single in singles])
    assert same(vector.reset(seed=3), (first, {}))
    chance = np.random.default_rng(1)
    for step in range(1, 23):  # two episodes of eleven decisions
        actions = chance.integers(3, size=5)
        steps = [single.step(int(action)) for single, action in zip(singles, actions, strict=True)]
        observations, rewards, terminated, truncated, info = vector.step(actions)
        assert rewards.tolist() == [reward for _, reward, *_ in steps]
        assert terminated.tolist() == [False] * 5
        assert truncated.tolist() == [over for _, _, _, over, _ in steps] == [step % 11 == 0] * 5
        assert info["equity"].tolist() == [own["equity"] for *_, own in steps]
        assert info["redundant"].tolist() == [own["redundant"] for *_, own in steps]
        shown = [observation for observation, *_ in steps]
        if step % 11 == 0:
            assert same(list(info["final_obs"]), shown)
            assert info["_final_obs"].tolist() == [True] * 5
            shown = [single.reset()[0] for single in singles]
        assert ("final_obs" in info) == (step % 11 == 0)
        assert same(observations, stack(shown))


def vector_of(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory", **given: Any
) -> Any:
    return VectorTradingEnv(market, protocol_with(), bars_of(market), **given)


def test_the_last_observation_is_handed_over_and_the_next_episode_has_begun(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    env = vector_of(market, protocol_with, bars_of, num_envs=2)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    first, _ = env.reset()
    for _ in range(11):
        observations, _, _, truncated, info = env.step(np.array([2, 1]))
    assert truncated.all()
    assert same(observations, first)
    assert [last["date"] for last in info["final_obs"]] == [str(market.dates[-1])] * 2
    assert [last["account"][0] for last in info["final_obs"]] == [1, 0]
    assert env.step(np.array([1, 1]))[0]["account"][:, 3].tolist() == [1, 1]


@pytest.mark.parametrize(("limit", "length"), [(1, 1), (4, 4), (11, 11), (99, 11), (None, 11)])
def test_max_episode_steps_truncates_episodes_of_longer_windows(
    limit: int | None,
    length: int,
    market: Market,
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    env = vector_of(market, protocol_with, bars_of, max_episode_steps=limit)
    env.reset()
    ends = [env.step(np.array([1])) for _ in range(2 * length)]
    assert [bool(over[0]) for _, _, _, over, _ in ends] == ([False] * (length - 1) + [True]) * 2
    assert not any(terminated.any() for _, _, terminated, _, _ in ends)
    assert ends[-1][4]["final_obs"][0]["date"] == str(market.dates[2 + length])


def test_a_shortened_episode_is_the_beginning_of_the_whole_one(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    short, whole = (vector_of(market, protocol_with, bars_of, max_episode_steps=limit) for limit in (4, None))
    assert same(short.reset(), whole.reset())
    for action in (2, 1, 0):
        assert same(short.step(np.array([action])), whole.step(np.array([action])))
    last, expected = short.step(np.array([2])), whole.step(np.array([2]))
    assert same(last[1], expected[1])
    assert same(stack(list(last[4]["final_obs"])), expected[0])


def test_batches_lie_in_their_spaces(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    env = vector_of(market, protocol_with, bars_of, num_envs=3)
    assert env.observation_space.contains(env.reset()[0])
    env.action_space.seed(0)
    for _ in range(12):
        assert env.observation_space.contains(env.step(env.action_space.sample())[0])


@pytest.mark.parametrize(
    "actions", [[1], [1, 1, 1], [[1, 1]], 1, [1, 3], [-1, 1], [1, float("nan")], [0.5, 1]]
)
def test_wrong_actions_are_refused_and_change_nothing(
    actions: Any, market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    env = vector_of(market, protocol_with, bars_of, num_envs=2)
    env.reset()
    with pytest.raises(ConfigError, match="is no set of 2 actions"):
        env.step(np.array(actions))
    assert env.step(np.array([1, 1]))[0]["account"][:, 3].tolist() == [1, 1]


def test_a_step_before_reset_is_refused(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    with pytest.raises(ConfigError, match="outside an episode"):
        vector_of(market, protocol_with, bars_of).step(np.array([1]))


@pytest.mark.parametrize("given", [{"num_envs": 0}, {"max_episode_steps": 0}, {"max_episode_steps": -3}])
def test_an_environment_without_accounts_or_steps_is_refused(
    given: dict[str, int], market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    with pytest.raises(ConfigError, match="or more, given"):
        vector_of(market, protocol_with, bars_of, **given)


def test_writing_to_what_was_handed_out_changes_no_later_step(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    spoilt, untouched = (vector_of(market, protocol_with, bars_of, num_envs=2) for _ in range(2))
    spoilt.reset(), untouched.reset()
    for actions in ([2, 1], [0, 2], [2, 1]):
        step, expected = spoilt.step(np.array(actions)), untouched.step(np.array(actions))
        assert same(step, expected)
        observations, rewards, _, _, info = step
        for array in (observations["window"], observations["history"], rewards, info["equity"]):
            array[...] = -5


def test_a_batch_comes_apart_into_what_it_was_stacked_from(
    market: Market, protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    batch, _ = vector_of(market, protocol_with, bars_of, num_envs=3).reset()
    parts = unstack(batch)
    assert len(parts) == 3
    assert same(stack(parts), batch)
    assert same(parts[1], TradingEnv(market, protocol_with(), bars_of(market)).reset()[0])


def test_gymnasium_makes_it_from_names(tsla: Market) -> None:
    env = gym.make_vec(ENV_ID, num_envs=4, asset="TSLA", window="test", protocol="paper")
    assert isinstance(env, VectorTradingEnv)
    assert env.num_envs == 4
    observations, _ = env.reset(seed=0)
    assert observations["date"] == ("2020-10-01",) * 4
    assert observations["window"].shape == (4, 10, 5)


def test_gymnasium_can_shorten_its_episodes(tsla: Market) -> None:
    env = gym.make_vec(ENV_ID, num_envs=2, asset="TSLA", max_episode_steps=2)
    env.reset()
    ends = [env.step(np.array([1, 1]))[3].tolist() for _ in range(4)]
    assert ends == [[False, False], [True, True]] * 2


@pytest.mark.usefixtures("data_folder")
def test_a_window_of_another_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown window `all`"):
        make_vector_env("TSLA", 2, "all")
