"""Recompute from actions alone what they did: the basis of every score."""

from dataclasses import dataclass

import numpy as np

from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.trading.accounts import Accounts
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.portfolio import BoolArray, IntArray
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import Protocol


@dataclass(frozen=True, kw_only=True, eq=False)
class Replay:
    """What n − 1 actions did over a window of n bars, m = n − 1.

    Attributes:
        dates: (n,) datetime64[D].
        equity: (n,) in currency, marked at every close; the first is the initial cash.
        traded: (m,) value of what was bought or sold in each bar, in currency.
        cost: (m,) in currency.
        filled: (m,) whether an order was filled in the bar.
        exposed: (m,) whether shares were held at some time between the bar's two closes.
        position: (m,) 0 or 1 after each decision was filled.
        order_returns: (m,) simple return of the asset from the fill of decision t to the fill of
            decision t + 1, the last one to the last close.
        redundant: number of actions that changed nothing.
        unparsed: number of answers that were no action.
        periods_per_year: of the asset's calendar.
    """

    dates: DateArray
    equity: FloatArray
    traded: FloatArray
    cost: FloatArray
    filled: BoolArray
    exposed: BoolArray
    position: FloatArray
    order_returns: FloatArray
    redundant: int
    unparsed: int
    periods_per_year: int


def replay(market: Market, protocol: Protocol, period: Period, actions: IntArray) -> Replay:
    """Play actions through a protocol, with the same arithmetic as the environment.

    Args:
        market: where they trade.
        protocol: fills and costs.
        period: the window of n bars.
        actions: (n − 1,) of `Action` or `UNPARSED`.

    Raises:
        ConfigError: another number of actions than decisions, or a number that is no action.
        MarketDataError: the window lies outside the data.
    """
    prices = window_prices(market, protocol, period)
    if len(actions) != len(prices.fills):
        raise ConfigError(f"{len(actions)} actions for a window of {len(prices.fills)} decisions ({period})")
    wrong = np.flatnonzero(~np.isin(actions, (UNPARSED, *Action)))
    if wrong.size:
        day, value = prices.dates[wrong[0]], actions[wrong[0]]
        raise ConfigError(f"{value} on {day} is no action", hint="-1 unparsed, 0 sell, 1 hold, 2 buy")
    accounts = Accounts(prices, protocol)
    marks = [accounts.advance(np.array([action])) for action in actions]
    fill_path = np.append(prices.fills, prices.closes[-1])
    return Replay(
        dates=prices.dates,
        equity=np.array([protocol.initial_cash, *(mark.equity[0] for mark in marks)]),
        traded=np.array([mark.traded[0] for mark in marks]),
        cost=np.array([mark.cost[0] for mark in marks]),
        filled=np.array([mark.filled[0] for mark in marks]),
        exposed=np.array([mark.exposed[0] for mark in marks]),
        position=np.array([mark.long[0] for mark in marks], dtype=np.float64),
        order_returns=fill_path[1:] / fill_path[:-1] - 1,
        redundant=sum(int(mark.redundant[0]) for mark in marks),
        unparsed=int(np.sum(np.asarray(actions) == UNPARSED)),
        periods_per_year=market.asset.calendar.periods_per_year,
    )
