import warnings
from typing import TYPE_CHECKING

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env, data_equivalence

from flagbench.errors import ConfigError, MarketDataError, UnknownNameError
from flagbench.market.market import Market
from flagbench.market.text_file import TextItem
from flagbench.trading.action import Action
from flagbench.trading.environment import TradingEnv, make_env
from flagbench.trading.protocol import FillPrice

if TYPE_CHECKING:
    from tests.conftest import MarketFactory
    from tests.trading.conftest import PeriodFactory, ProtocolFactory

ENV_ID = "flagbench.trading.registration:flagbench/Trading-v0"
SELL, HOLD, BUY = Action


@pytest.fixture
def env(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> TradingEnv:
    market = synthetic_market(
        [90, 95, 100, 110, 88, 99, 50],
        opens=[90, 95, 100, 105, 100, 90, 50],
        text=[TextItem("2020-01-04", "news", "Saturday"), TextItem("2020-01-08", "10k", "Wednesday")],
    )
    return TradingEnv(market, protocol_with(reward="pnl", cost_bps=0), bars_of(market, 2, 5))


def test_gymnasiums_checker_finds_nothing_to_say(tsla: Market) -> None:
    env = gym.make(ENV_ID, asset="TSLA").unwrapped
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(env)
    assert [str(warning.message) for warning in caught if "pandas" not in warning.category.__module__] == []


def test_the_checker_passes_an_environment_with_text_and_missing_volume(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    text = [TextItem("2020-01-03", "news", "naïve “quotes”\n"), TextItem("2020-01-06", "10q", "")]
    market = synthetic_market([5.0] * 20, volume=[float("nan")] * 20, text=text)
    env = TradingEnv(market, protocol_with(), bars_of(market))
    check_env(env, skip_render_check=True)


def test_an_episode_shows_every_bar_of_the_window_in_turn(env: TradingEnv) -> None:
    observation, info = env.reset(seed=0)
    assert info == {}
    assert (observation["date"], observation["text"]) == ("2020-01-03", ())
    assert observation["window"][:, 3].tolist() == [90, 95, 100]
    seen = [env.step(action)[0] for action in (BUY, HOLD, SELL)]
    assert [later["date"] for later in seen] == ["2020-01-06", "2020-01-07", "2020-01-08"]
    assert [later["window"][-1, 3] for later in seen] == [110, 88, 99]
    assert [[item.text for item in later["text"]] for later in seen] == [["Saturday"], [], ["Wednesday"]]
    assert [later["mask"].tolist() for later in seen] == [[1, 1, 0], [1, 1, 0], [0, 1, 1]]


def test_a_step_fills_at_the_next_open_and_is_rewarded_by_the_next_close(env: TradingEnv) -> None:
    env.reset()
    steps = [env.step(action) for action in (BUY, BUY, SELL)]
    equities = [1000 * 110 / 105, 1000 * 88 / 105, 1000 * 90 / 105]
    assert [info["equity"] for *_, info in steps] == pytest.approx(equities, rel=1e-14)
    assert [info["redundant"] for *_, info in steps] == [False, True, False]
    assert [reward for _, reward, *_ in steps] == pytest.approx(np.diff([1000, *equities]) / 1000, rel=1e-12)
    assert [observation["account"][2] for observation, *_ in steps] == pytest.approx(
        [equity / 1000 for equity in equities], rel=1e-6
    )
    assert all(type(reward) is float for _, reward, *_ in steps)


def test_an_episode_ends_by_truncation_at_the_last_close_and_never_terminates(env: TradingEnv) -> None:
    env.reset()
    steps = [env.step(HOLD) for _ in range(3)]
    assert [terminated for _, _, terminated, _, _ in steps] == [False, False, False]
    assert [truncated for _, _, _, truncated, _ in steps] == [False, False, True]


def test_a_step_outside_an_episode_is_refused(env: TradingEnv) -> None:
    with pytest.raises(ConfigError, match="outside an episode") as caught:
        env.step(HOLD)
    assert caught.value.hint == "call `reset` first"
    env.reset()
    for _ in range(3):
        env.step(HOLD)
    with pytest.raises(ConfigError, match="outside an episode"):
        env.step(HOLD)


@pytest.mark.parametrize("action", [-1, 3, None, "buy", 1.0, [1]])
def test_a_step_with_no_action_is_refused_and_changes_nothing(action: object, env: TradingEnv) -> None:
    env.reset()
    with pytest.raises(ConfigError, match="is no action"):
        env.step(action)  # type: ignore[arg-type]
    assert env.step(HOLD)[0]["date"] == "2020-01-06"


def test_a_reset_begins_again_at_any_time_and_no_seed_matters(env: TradingEnv) -> None:
    first = env.reset(seed=1), [env.step(action) for action in (BUY, SELL, BUY)]
    again = env.reset(seed=2), [env.step(action) for action in (BUY, SELL)]
    assert data_equivalence(first[0], again[0], exact=True)
    assert data_equivalence(first[1][:2], again[1], exact=True)
    assert data_equivalence(first[0], env.reset(), exact=True)


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
def test_cash_and_prices_scaled_by_powers_of_two_change_no_reward_and_no_book(
    fill: FillPrice,
    synthetic_market: "MarketFactory",
    protocol_with: "ProtocolFactory",
    bars_of: "PeriodFactory",
) -> None:
    opens, closes = np.random.default_rng(0).uniform(10, 100, size=(2, 12))
    shown = []
    for scale, cash in ((1, 1000), (4, 1000), (1, 1000 * 2**10)):
        market = synthetic_market((closes * scale).tolist(), opens=(opens * scale).tolist())
        env = TradingEnv(market, protocol_with(fill, initial_cash=cash), bars_of(market))
        env.reset()
        steps = [env.step(action) for action in (BUY, HOLD, SELL, BUY, SELL, SELL, BUY, BUY)]
        shown.append([(seen["mask"], seen["account"], seen["history"], reward) for seen, reward, *_ in steps])
    assert data_equivalence(shown[0], shown[1], exact=True)
    assert data_equivalence(shown[0], shown[2], exact=True)


def test_two_environments_of_one_market_do_not_share_their_books(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    market = synthetic_market([90, 95, 100, 110, 88, 99])
    one, other = (TradingEnv(market, protocol_with(), bars_of(market)) for _ in range(2))
    one.reset(), other.reset()
    one.step(BUY)
    assert other.step(HOLD)[0]["account"].tolist() == [0, 1, 1, 1, 0, 0]


def test_the_window_is_the_one_named(tsla: Market) -> None:
    for window, period in (("train", tsla.asset.windows.train), ("test", tsla.asset.windows.test)):
        env = gym.make(ENV_ID, asset="TSLA", window=window, protocol="paper")
        observation, _ = env.reset(seed=0)
        assert observation["date"] == str(period.first)
        assert observation["window"].shape == (10, 5)
        over, steps = False, 0
        while not over:
            observation, _, terminated, over, _ = env.step(HOLD)
            steps += 1
            assert not terminated
        assert observation["date"] == str(period.last)
        assert steps == len(tsla.bar_range(period)) - 1


def test_gymnasium_can_shorten_an_episode(tsla: Market) -> None:
    env = gym.make(ENV_ID, asset="TSLA", max_episode_steps=2)
    env.reset()
    assert [env.step(HOLD)[2:4] for _ in range(2)] == [(False, False), (False, True)]


def test_its_specification_keeps_names_only(tsla: Market) -> None:
    spec = gym.make(ENV_ID, asset="TSLA", window="test").spec
    assert spec is not None
    assert spec.kwargs == {"asset": "TSLA", "window": "test"}


@pytest.mark.usefixtures("data_folder")
def test_wrong_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown window `validation`"):
        make_env("TSLA", "validation")
    with pytest.raises(UnknownNameError, match="unknown protocol `papers`"):
        make_env("TSLA", protocol="papers")
    with pytest.raises(UnknownNameError, match="unknown asset `TSLAA`"):
        make_env("TSLAA")


def test_a_window_without_history_for_the_lookback_is_refused(
    synthetic_market: "MarketFactory", protocol_with: "ProtocolFactory", bars_of: "PeriodFactory"
) -> None:
    market = synthetic_market([5.0] * 9)
    with pytest.raises(MarketDataError, match="a lookback of 5 needs 4"):
        TradingEnv(market, protocol_with(lookback=5), bars_of(market, 3))
