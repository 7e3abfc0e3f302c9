"""What an agent did, on the prices at which it did it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.reports.figure_style import (
    BOUGHT,
    LONG,
    MUTED,
    SOLD,
    axis_labels,
    calm,
    date_axis,
    is_narrow,
    legend_above,
    new_figure,
)
from flagbench.trading.action import UNPARSED
from flagbench.trading.portfolio import BoolArray, IntArray
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class TradePath(NamedTuple):
    """A window of n bars with what was traded in it, m = n − 1."""

    dates: DateArray
    """(n,)"""
    closes: FloatArray
    """(n,)"""
    fills: FloatArray
    """(m,) the price at which decision t was filled, in bar t + 1."""
    filled: BoolArray
    """(m,) whether decision t traded."""
    position: FloatArray
    """(m,) 0 or 1 after decision t was filled."""
    unparsed: BoolArray
    """(m,) whether answer t was no action."""

    @property
    def bought(self) -> BoolArray:
        """(m,) whether decision t bought."""
        found: BoolArray = self.filled & (self.position == 1)
        return found

    @property
    def sold(self) -> BoolArray:
        """(m,) whether decision t sold."""
        found: BoolArray = self.filled & (self.position == 0)
        return found


def trade_path(market: Market, protocol: Protocol, period: Period, actions: IntArray) -> TradePath:
    """Play a window's actions.

    Args:
        market: where they trade.
        protocol: fills and costs.
        period: the window of n bars.
        actions: (n − 1,) of `Action` or `UNPARSED`.

    Raises:
        ConfigError: another number of actions than decisions.
        MarketDataError: the window lies outside the data.
    """
    prices = window_prices(market, protocol, period)
    played = replay(market, protocol, period, actions)
    return TradePath(
        dates=prices.dates,
        closes=prices.closes,
        fills=prices.fills,
        filled=played.filled,
        position=played.position,
        unparsed=np.asarray(actions) == UNPARSED,
    )


def action_figure(path: TradePath, width: float, *, unit: str) -> "Figure":
    """The closes, a shade where shares were held, and a mark at each fill.

    Args:
        path: the window.
        width: in inches.
        unit: of the price.
    """
    narrow = is_narrow(width)
    figure = new_figure(width, 3.1 if narrow else 3.3)
    axes = figure.add_subplot()
    calm(axes)
    days = path.dates.astype("datetime64[D]").tolist()
    _shade_positions(axes, path, days)
    axes.plot(days, path.closes, color=MUTED, linewidth=1, label="close", zorder=2)
    _mark(axes, days, path, path.bought, marker="^", colour=BOUGHT, label="bought")
    _mark(axes, days, path, path.sold, marker="v", colour=SOLD, label="sold")
    if path.unparsed.any():
        answered = [day for day, missing in zip(days, path.unparsed, strict=False) if missing]
        low = np.full(len(answered), 0.02)
        transform = axes.get_xaxis_transform()
        axes.plot(answered, low, "x", color="#000000", markersize=4, transform=transform, label="unparsed")
    axis_labels(axes, y=f"price, {unit}")
    axes.margins(x=0.01)
    date_axis(axes, ticks=5 if narrow else 8)
    legend_above(figure, columns=3 if narrow else 5)
    return figure


def _shade_positions(axes: "Axes", path: TradePath, days: Sequence[Any]) -> None:
    """From the bar in which shares were bought to the bar in which they were sold."""
    label: str | None = "shares held"
    held = np.concatenate([[0.0], path.position, [0.0]])
    begins, ends = (np.flatnonzero(np.diff(held) == step) for step in (1, -1))
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        last = min(end + 1, len(days) - 1)  # still held at the end of the window
        axes.axvspan(days[begin + 1], days[last], color=LONG, linewidth=0, zorder=0, label=label)
        label = None


def _mark(
    axes: "Axes",
    days: Sequence[Any],
    path: TradePath,
    chosen: BoolArray,
    *,
    marker: str,
    colour: str,
    label: str,
) -> None:
    at = np.flatnonzero(chosen)
    axes.plot(
        [days[index + 1] for index in at.tolist()],
        path.fills[at],
        linestyle="none",
        marker=marker,
        markersize=5.5,
        color=colour,
        markeredgecolor="#ffffff",
        markeredgewidth=0.5,
        label=label,
        zorder=3,
    )


def action_words(path: TradePath, seed: str) -> str:
    """The figure in words."""
    low, high = path.closes.min(), path.closes.max()
    unparsed = f", {path.unparsed.sum()} answers were no action" if path.unparsed.any() else ""
    return (
        f"Price chart of the test window with the trades of {seed}: bought {path.bought.sum()} times, sold "
        f"{path.sold.sum()} times, shares held after {100 * path.position.mean():.0f} % of the decisions"
        f"{unparsed}. The close moved between {low:.2f} and {high:.2f} and ended at {path.closes[-1]:.2f}."
    )
