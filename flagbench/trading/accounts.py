"""N accounts that trade one window in step: the only place where orders meet prices."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.errors import AgentError
from flagbench.market.price_file import FloatArray
from flagbench.trading.action import Action
from flagbench.trading.portfolio import BoolArray, IntArray, Portfolio
from flagbench.trading.prices import WindowPrices
from flagbench.trading.protocol import Protocol
from flagbench.trading.reward import RewardMeter

HISTORY_LENGTH = 10
"""Past decisions kept in the account history (paper, figure 3)."""


class BarMarks(NamedTuple):
    """What one bar did to each account: (N,) each."""

    equity: FloatArray  # at the bar's close, in currency
    reward: FloatArray
    traded: FloatArray  # in currency
    cost: FloatArray  # in currency
    filled: BoolArray
    redundant: BoolArray
    exposed: BoolArray  # shares were held at some time between the two closes
    long: BoolArray  # after the bar


class Accounts:
    """The books of N accounts over one window, from its first close to its last.

    Args:
        prices: the window.
        protocol: costs, reward and initial cash.
        accounts: N.
    """

    def __init__(self, prices: WindowPrices, protocol: Protocol, *, accounts: int = 1) -> None:
        self._forward, self._close = _tape(prices)
        self._decisions = len(prices.fills)
        self._holds_before_close = prices.fill == "next_open"
        self._cost = protocol.cost
        self._initial = protocol.initial_cash
        self.t = 0
        """Bars passed since the window's first close; decision t comes after close t."""
        self.portfolio = Portfolio.opening(protocol.initial_cash, accounts=accounts)
        self._meter = RewardMeter(
            protocol.reward,
            scale=protocol.reward_scale,
            min_observations=protocol.reward_min_observations,
            initial_equity=protocol.initial_cash,
            accounts=accounts,
        )
        self._history = np.zeros((accounts, HISTORY_LENGTH, 3), np.float32)
        """As it is shown; nothing counts with it."""
        self._history[:, :, 0] = -1
        self._grown = np.ones(accounts)
        """(N,) equity at the last close passed, in units of the initial one."""

    @property
    def is_over(self) -> bool:
        """Whether the window's last close has been reached."""
        return self.t == self._decisions

    @property
    def equity(self) -> FloatArray:
        """(N,) in currency, at the last close passed."""
        return self.portfolio.equity(self._close())

    def advance(self, actions: IntArray) -> BarMarks:
        """Fill the orders decided after close t and mark all accounts at close t + 1.

        Args:
            actions: (N,); numbers that are no `Action` keep the position.
        """
        was_long = self.portfolio.is_long
        price = self._forward(self.t)
        self.portfolio, fills = self.portfolio.trade(actions, price=price, cost=self._cost)
        self.t += 1
        equity = self.equity
        self._grown = equity / self._initial
        reward = self._meter.mark(equity)
        is_long = self.portfolio.is_long
        # Filled at the close, a new position is held from the next bar on.
        exposed = was_long | is_long if self._holds_before_close else was_long.copy()
        self._remember(actions, reward)
        return BarMarks(
            equity, reward, fills.traded, fills.cost, fills.filled, fills.redundant, exposed, is_long.copy()
        )

    def _remember(self, actions: IntArray, reward: FloatArray) -> None:
        # All rows move on by one decision in a single copy. What a row takes over from the next one lands in
        # its newest entry, which is then written.
        flat = self._history.reshape(-1)
        flat[:-3] = flat[3:]
        newest = self._history[:, -1]
        newest[:, 0] = actions
        newest[:, 1] = reward
        newest[:, 2] = self._grown

    def masks(self) -> BoolArray:
        """(N, 3) which actions would change or keep the position: not SELL when flat, not BUY when long."""
        long = self.portfolio.is_long
        masks = np.empty((len(long), 3), dtype=np.bool_)
        masks[:, Action.SELL] = long
        masks[:, Action.HOLD] = True
        np.logical_not(long, out=masks[:, Action.BUY])
        return masks

    def account(self, dtype: type[np.floating] = np.float64) -> npt.NDArray[np.floating]:
        """(N, 6) position 0 or 1, cash, equity, t, mean and deviation of daily profit and loss so far.

        Money is in units of the initial equity.
        """
        account = np.empty((len(self._grown), 6), dtype)
        account[:, 0] = self.portfolio.is_long
        account[:, 1] = self.portfolio.cash / self._initial
        account[:, 2] = self._grown
        account[:, 3] = self.t
        account[:, 4] = self._meter.mean
        account[:, 5] = self._meter.deviation
        return account

    def history(self) -> npt.NDArray[np.float32]:
        """(N, 10, 3) action, reward and equity after it, oldest first; action −1 where there was none."""
        return self._history.copy()


def _tape(prices: WindowPrices) -> tuple[Callable[[int], float], Callable[[], float]]:
    """Move past decision t and give its fill price; the close that was reached last.

    Prices lie in closures that only move forward, one decision at a time: no attribute of an account holds
    a later price, and books that somebody else has moved refuse to go on.
    """
    reached = 0

    def forward(t: int) -> float:
        nonlocal reached
        if t != reached:
            raise AgentError(f"decision {t} was taken out of turn; the accounts stand at {reached}")
        reached += 1
        return float(prices.fills[t])

    def close() -> float:
        return float(prices.closes[reached])

    return forward, close
