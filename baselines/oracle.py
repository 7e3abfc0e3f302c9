"""The most that hindsight can make of a window: it knows the future, calibrates, and is never ranked.

Source: this project; dynamic programming over the two positions (flagbench/trading/oracle.py). Under the same
fills and costs its final wealth is the highest of all agents: whoever ends above it has found a fault of the
benchmark.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flagbench.errors import AgentError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.observation import Observation
from flagbench.trading.oracle import best_actions
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import Protocol


class Oracle:
    """Takes the action that it was told for each bar.

    Args:
        actions: of each bar of the windows that it will play, by ISO date; only calibration gives them.
    """

    ranked = False

    def __init__(self, *, actions: dict[str, int] | None = None) -> None:
        self._actions = actions or {}

    @classmethod
    def foresight(cls, market: Market, protocol: Protocol, periods: Iterable[Period]) -> Mapping[str, Any]:
        """The actions of highest final equity of each period, as the argument of the constructor."""
        actions: dict[str, int] = {}
        for period in periods:
            prices = window_prices(market, protocol, period)
            days = (str(day) for day in prices.dates[:-1])
            actions |= zip(days, best_actions(prices, protocol).tolist(), strict=True)
        return {"actions": actions}

    @property
    def params(self) -> Mapping[str, Any]:
        """How much it was told; the actions of the test window stand in the run's own file."""
        return {"actions": f"of {len(self._actions)} bars, told beforehand"}

    def reset(self, seed: int) -> None:
        """Nothing to forget and nothing left to chance."""

    def act(self, observation: Observation) -> int:
        """The best action of the bar.

        Raises:
            AgentError: it was not told of the bar.
        """
        date = observation["date"]
        if date not in self._actions:
            raise AgentError(
                f"the oracle was not told what is best on {date}",
                hint="`flagbench run --agent oracle` tells it; from Python: Oracle(**Oracle.foresight(…))",
            )
        return self._actions[date]
