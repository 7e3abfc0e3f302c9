"""The prices that a window is traded and marked at: one place for environment, replay and scores."""

from typing import NamedTuple

import numpy as np

from flagbench.errors import MarketDataError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.trading.protocol import FillPrice, Protocol, Scoring


class WindowPrices(NamedTuple):
    """A window of n bars and the n − 1 decisions between them."""

    dates: DateArray  # (n,)
    closes: FloatArray  # (n,) adjusted; what equity is marked at
    fills: FloatArray  # (n − 1,) what the order decided after close t is filled at
    fill: FillPrice
    first_bar: int  # index of the window's first bar in the market


def window_closes(market: Market, bars: range, scoring: Scoring) -> FloatArray:
    """Closes of a window: InvestorBench's own where `scoring` is theirs or the paper's and they cover it.

    Returns:
        (n,) adjusted closes.
    """
    if scoring != "standard" and market.investorbench is not None:
        published = market.investorbench[bars.start : bars.stop]
        if not np.isnan(published).any():
            return published
    return market.adjusted_close[bars.start : bars.stop]


def window_prices(market: Market, protocol: Protocol, period: Period) -> WindowPrices:
    """Closes and fill prices of a window under a protocol.

    Raises:
        MarketDataError: the window lies outside the data, or too few bars lie before it for the lookback.
    """
    bars = market.bar_range(period)
    if bars.start < protocol.lookback - 1:
        raise MarketDataError(
            f"{market.asset.id}: {bars.start} bars lie before {market.dates[bars.start]}, "
            f"a lookback of {protocol.lookback} needs {protocol.lookback - 1}",
            hint="begin the window later or give more history",
        )
    fill = protocol.fill_for(market.asset.asset_class)
    if fill == "next_open":
        closes = window_closes(market, bars, "standard")
        fills = market.adjusted_bars[bars.start + 1 : bars.stop, 0]
    else:
        closes = window_closes(market, bars, protocol.scoring)
        fills = closes[1:]
    return WindowPrices(market.dates[bars.start : bars.stop], closes, fills, fill, bars.start)
