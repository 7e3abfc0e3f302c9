"""What an order does to cash and shares. Pure arithmetic on many accounts at once, float64."""

from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
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
        wants_in, wants_out = actions == int(Action.BUY), actions == int(Action.SELL)
        # Cash of a long account and shares of a flat one are 0, so that these are products with 0 or 1, which
        # are exact; choosing takes longer, since no branch of it can be foreseen.
        spent, sold = self.cash * wants_in, self.shares * wants_out
        added = spent / (price * (1 + cost)) - sold  # shares; negative where sold
        paid = spent - sold * price * (1 - cost)  # cash; negative where received
        value = added * price
        after = Portfolio(cash=self.cash - paid, shares=self.shares + added)
        filled = after.is_long ^ self.is_long
        fees = paid - value if cost else np.zeros(len(paid))
        return after, Fills(np.abs(value), fees, filled, (wants_in | wants_out) ^ filled)
