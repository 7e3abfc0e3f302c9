"""What an order does to cash and shares. Pure arithmetic on many accounts at once, float64."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from flagbench.market.price_file import FloatArray
from flagbench.trading.action import Action

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.integer]


class Fills(NamedTuple):
    """What a round of orders did, one entry an account: (N,) each."""

    traded: FloatArray
    """Shares times price, in currency; 0 where nothing was filled."""
    cost: FloatArray
    """In currency."""
    filled: BoolArray
    redundant: BoolArray
    """A BUY while long or a SELL while flat: nothing changed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Portfolio:
    """Cash and shares of N accounts that are each flat or long, all or nothing.

    Attributes:
        cash: (N,) in currency, never negative.
        shares: (N,) fractional, never negative; cash or shares of an account is 0.
    """

    cash: FloatArray
    shares: FloatArray

    @classmethod
    def opening(cls, cash: float, *, accounts: int = 1) -> Self:
        """`accounts` flat accounts with the same cash."""
        return cls(cash=np.full(accounts, float(cash)), shares=np.zeros(accounts))

    @property
    def is_long(self) -> BoolArray:
        """(N,) whether shares are held."""
        return self.shares > 0

    def equity(self, price: float) -> FloatArray:
        """(N,) cash plus shares at `price`."""
        return self.cash + self.shares * price

    def trade(self, actions: IntArray, *, price: float, cost: float) -> tuple["Portfolio", Fills]:
        """Fill one order an account.

        A buy turns cash K into K / (price · (1 + cost)) shares; a sell turns shares H into
        H · price · (1 − cost) cash.

        Args:
            actions: (N,) of `Action`; any other number keeps the position.
            price: the fill price, positive.
            cost: fraction of the traded value, a side.
        """
        long = self.is_long
        buys = (actions == Action.BUY) & ~long
        sells = (actions == Action.SELL) & long
        bought = np.where(buys, self.cash / (price * (1 + cost)), 0.0)
        sold = np.where(sells, self.shares, 0.0)
        proceeds = sold * price * (1 - cost)
        traded = (bought + sold) * price
        paid = np.where(buys, self.cash - traded, np.where(sells, traded - proceeds, 0.0))
        after = Portfolio(
            cash=np.where(buys, 0.0, self.cash + proceeds),
            shares=np.where(sells, 0.0, self.shares + bought),
        )
        redundant = ((actions == Action.BUY) & long) | ((actions == Action.SELL) & ~long)
        return after, Fills(traded, paid if cost else np.zeros_like(paid), buys | sells, redundant)
