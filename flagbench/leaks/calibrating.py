"""Known answers: what three agents must come to on the true market, and how much a day's delay costs."""

from typing import Any, NamedTuple

import numpy as np

from flagbench.market.market import Market
from flagbench.scoring.score import score
from flagbench.trading.action import Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.observation import Observation
from flagbench.trading.oracle import best_actions
from flagbench.trading.portfolio import IntArray
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import replay
from flagbench.trading.rollout import rollout

EXACT = 1e-9
"""Relative; the two sides are computed in a different order."""


class Calibration(NamedTuple):
    """Final wealth in the test window over initial wealth, and what buy-and-hold comes to in one formula."""

    agent: float
    oracle: float
    buy_and_hold: float
    closed_form: float
    always_flat: float

    @property
    def faults(self) -> list[str]:
        """What is not as it must be."""
        others = (self.agent, self.buy_and_hold, self.closed_form, self.always_flat)
        checks = {
            "the oracle does not have the highest final wealth": self.oracle < max(others) * (1 - EXACT),
            "always-flat does not return 0": self.always_flat != 1,
            "buy-and-hold is not its closed form": abs(self.buy_and_hold / self.closed_form - 1) > EXACT,
        }
        return [fault for fault, holds in checks.items() if holds]


def calibrate(market: Market, protocol: Protocol, actions: IntArray) -> Calibration:
    """Hold the agent's actions against three whose wealth is known.

    Buy-and-hold and always-flat are played through the environment, and all are replayed. The closed form of
    buy-and-hold is last close / (first fill · (1 + cost)).

    Args:
        market: the true one.
        protocol: fills and costs.
        actions: of the agent in the test window.
    """
    period = market.asset.windows.test
    prices = window_prices(market, protocol, period)

    def wealth(chosen: IntArray) -> float:
        return float(replay(market, protocol, period, chosen).equity[-1]) / protocol.initial_cash

    def hold(observation: Observation) -> Action:
        return Action.HOLD if observation["account"][0] else Action.BUY

    env = TradingEnv(market, protocol, period)
    return Calibration(
        agent=wealth(actions),
        oracle=wealth(best_actions(prices, protocol)),
        buy_and_hold=wealth(rollout(hold, env, seed=0).actions),
        closed_form=float(prices.closes[-1] / (prices.fills[0] * (1 + protocol.cost))),
        always_flat=wealth(rollout(lambda _: Action.HOLD, env, seed=0).actions),
    )


class Delay(NamedTuple):
    """Figures of the test window as played, and with each order one bar later."""

    return_: float
    return_delayed: float
    sharpe_ratio: float
    sharpe_ratio_delayed: float


def delay(market: Market, protocol: Protocol, actions: IntArray) -> Delay:
    """Score actions, and the same actions one bar later, the first bar held.

    Args:
        market: the true one.
        protocol: fills and costs.
        actions: of the agent in the test window.
    """
    late = np.concatenate([[Action.HOLD], actions[:-1]]).astype(np.int8)
    on_time, delayed = (_figures(market, protocol, each) for each in (actions, late))
    return Delay(on_time[0], delayed[0], on_time[1], delayed[1])


def _figures(market: Market, protocol: Protocol, actions: IntArray) -> tuple[float, float]:
    values: dict[str, Any] = score(market, protocol, market.asset.windows.test, actions).values
    return float(values["cumulative_return"]), float(values["sharpe_ratio"])


def played_return(market: Market, protocol: Protocol, actions: IntArray) -> float:
    """Cumulative return of the test window."""
    return _figures(market, protocol, actions)[0]
