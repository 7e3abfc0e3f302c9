"""Many episodes at once beside gym-anytrading: steps with an observation made on each."""

from typing import Any

import numpy as np

from benchmarks.interleaving import Contest, Row
from flagbench.market.asset import load_asset
from flagbench.market.market import Market
from flagbench.market.price_file import FloatArray
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.trading.action import Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol, load_protocol
from flagbench.trading.vector_environment import VectorTradingEnv, unstack

LOOKBACK = 20
COST = 0.001
"""A side, of the traded value: 10 basis points."""

CLOSENESS = 1e-4
"""Relative, of final equities: gym-anytrading keeps prices in single precision and multiplies a hundred of
them."""


def rules() -> Protocol:
    """`standard`, filled at the next close as gym-anytrading fills."""
    protocol = load_protocol("standard")
    fill = protocol.fill.model_copy(update={"equity": "next_close"})
    return protocol.model_copy(update={"fill": fill, "lookback": LOOKBACK, "cost_bps": COST * 10_000})


def drawn_actions(decisions: int, episodes: int) -> IntArray:
    """(decisions, episodes) sell or buy at random; all sell at the end, so that equity is cash."""
    chosen = np.random.default_rng(0).choice([Action.SELL, Action.BUY], (decisions, episodes))
    chosen[-1] = Action.SELL
    return chosen


def play_ours(env: VectorTradingEnv, actions: IntArray) -> FloatArray:
    """Final equity of each episode, in currency; all go in step."""
    env.reset()
    for chosen in actions:
        *_, info = env.step(chosen)
    equity: FloatArray = info["equity"]
    return equity


def play_theirs(env: Any, choices: list[list[int]]) -> FloatArray:
    """The same of gym-anytrading, in units of the initial equity; one environment goes through them all."""
    finals = []
    for episode in choices:
        env.reset()
        for choice in episode:
            *_, info = env.step(choice)
        finals.append(info["total_profit"])
    return np.array(finals)


def anytrading(market: Market) -> Any:
    """gym-anytrading's environment over the same closes, at the same cost.

    It is made from its class: through `gymnasium.make` each step passes two wrappers more, and inside
    gymnasium's vector environments, synchronous or not, it is slower still.
    """
    import pandas as pd
    from gym_anytrading.envs import StocksEnv

    bars = market.bar_range(market.asset.windows.test)
    prices = pd.DataFrame({"Close": market.adjusted_close})
    env = StocksEnv(df=prices, window_size=LOOKBACK, frame_bound=(bars.start, bars.stop))
    # Theirs are parts of the cash on the way in and of the value on the way out.
    env.trade_fee_ask_percent = 1 - 1 / (1 + COST)
    env.trade_fee_bid_percent = COST
    return env


def vector_environment(full: bool) -> Contest:
    """The same random orders on the same window of 213 bars: 1,024 episodes, or 32 of 40 bars.

    Both make an observation on each step. Ours is the last 20 bars with volume, date and text, the account
    and its last ten decisions, in arrays of its own; gym-anytrading's is a view of the last 20 closes and
    their changes. Ours rewards with the change of the Sharpe ratio, theirs with the gain of a closed trade.
    """
    episodes, bars = (1024, 213) if full else (32, 40)
    market = make_replica(load_asset("TSLA"), ReplicaSpec(seed=0, train=40, test=bars))
    period, protocol = market.asset.windows.test, rules()
    actions = drawn_actions(bars - 1, episodes)
    choices = (actions == Action.BUY).astype(int).T.tolist()
    ours, theirs = VectorTradingEnv(market, protocol, period, num_envs=episodes), anytrading(market)

    def agree() -> str:
        _assert_as_single(ours, TradingEnv(market, protocol, period), actions[:, 0])
        shown = ours.reset()[0]["window"][0, :, 3]
        np.testing.assert_array_equal(shown, theirs.reset()[0][:, 0], err_msg="closes shown first")
        found, expected = play_ours(ours, actions) / protocol.initial_cash, play_theirs(theirs, choices)
        np.testing.assert_allclose(found, expected, rtol=CLOSENESS, err_msg="final equities")
        apart = float(np.abs(found / expected - 1).max())
        return f"final equities of {episodes} episodes: {apart:.1e}; observations of one: as alone, exactly"

    return Contest(lambda: play_ours(ours, actions), lambda: play_theirs(theirs, choices), agree)


def _assert_as_single(many: VectorTradingEnv, single: TradingEnv, actions: IntArray) -> None:
    """Every observation and reward of the first of many accounts is that of an environment of one."""
    many.reset()
    single.reset()
    for action in actions[:-1]:
        batch, rewards, *_ = many.step(np.full(many.num_envs, action))
        observation, reward, *_ = single.step(int(action))
        np.testing.assert_equal(rewards[0], reward)
        np.testing.assert_equal(unstack(batch)[0], observation)


ROWS = (
    Row(
        slug="vector-environment",
        loop="vector environment, 1,024 episodes, with observations",
        against="gym-anytrading",
        at_least=30,
        prepare=vector_environment,
        rounds=11,
    ),
)
