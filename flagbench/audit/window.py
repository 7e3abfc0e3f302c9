"""The windows that a row may cover: the named one, and those whose ends lie up to two bars beside it."""

from collections.abc import Sized
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.trading.prices import window_closes, window_prices
from flagbench.trading.protocol import Protocol

FURTHEST = 2
"""Bars that each end may lie beside the named one; a window that is said to end on a day may leave it out."""

FEWEST = 3
"""Closes that a volatility needs."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """n closes, and what else an account can earn between two of them.

    Attributes:
        shift: bars that its first and last close lie after those of the named window.
        period: dates of both.
        closes: (n,) prices.
        fill_returns: (2, n − 1) simple returns of a bar in which a position is entered, or left, by the fills
            and costs of a protocol; none, (0, n − 1), where orders are filled at the close just seen.
    """

    shift: tuple[int, int]
    period: Period
    closes: FloatArray
    fill_returns: FloatArray = field(default_factory=lambda: np.empty((0, 0)))

    @cached_property
    def log_returns(self) -> FloatArray:
        """(n − 1,) ln(p_{t+1} / p_t)."""
        returns: FloatArray = np.log(self.closes[1:] / self.closes[:-1])
        return returns

    @cached_property
    def simple_returns(self) -> FloatArray:
        """(n − 1,) p_{t+1} / p_t − 1."""
        returns: FloatArray = self.closes[1:] / self.closes[:-1] - 1
        return returns


def windows_around(market: Market, period: Period) -> list[Window]:
    """The named window first, then all others that the data holds, the nearer ones first.

    Raises:
        MarketDataError: the named window lies outside the data.
        ConfigError: it has fewer than three closes, so no path in it has a volatility.
    """
    bars = market.bar_range(period)
    _check_length(bars, period)
    steps = range(-FURTHEST, FURTHEST + 1)
    shifts = sorted(
        ((first, last) for first in steps for last in steps), key=lambda s: (abs(s[0]) + abs(s[1]), s)
    )
    return [
        _window(market, range(bars.start + first, bars.stop + last), shift=(first, last))
        for first, last in shifts
        if bars.start + first >= 0
        and bars.stop + last <= len(market.dates)
        and len(bars) + last - first >= FEWEST
    ]


def played_window(market: Market, protocol: Protocol, period: Period) -> Window:
    """The window of a score whose protocol is known.

    Raises:
        MarketDataError: the window lies outside the data, or too few bars lie before it.
        ConfigError: it has fewer than three closes.
    """
    prices = window_prices(market, protocol, period)
    _check_length(prices.closes, period)
    entered = prices.closes[1:] / (prices.fills * (1 + protocol.cost)) - 1
    left = prices.fills * (1 - protocol.cost) / prices.closes[:-1] - 1
    return Window(shift=(0, 0), period=period, closes=prices.closes, fill_returns=np.vstack([entered, left]))


def _check_length(closes: Sized, period: Period) -> None:
    if len(closes) < FEWEST:
        raise ConfigError(
            f"the window {period} has {len(closes)} closes, {FEWEST} are needed for a volatility"
        )


def _window(market: Market, bars: range, *, shift: tuple[int, int]) -> Window:
    days = market.dates[bars.start : bars.stop]
    return Window(
        shift=shift,
        period=Period.of(days[0].item(), days[-1].item()),
        closes=window_closes(market, bars, "investorbench"),
    )
