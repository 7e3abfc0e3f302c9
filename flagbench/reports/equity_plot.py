"""Equity against buy-and-hold over both windows, as a picture."""

from pathlib import Path
from typing import NamedTuple

from flagbench.market.price_file import DateArray, FloatArray
from flagbench.reports.own_style import own_style


class EquityCurves(NamedTuple):
    """One window's curves: (n,) each, in units of the initial equity."""

    window: str
    dates: DateArray
    agent: FloatArray
    buy_and_hold: FloatArray


@own_style()
def plot_equity(curves: list[EquityCurves], path: Path, *, title: str, agent: str) -> None:
    """Draw both windows one after the other, train and test shaded, each starting at 1.

    Args:
        curves: a window each, in time's order.
        path: the PNG to write.
        title: above the picture.
        agent: the agent's name in the legend.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    # No pyplot: it holds global state and looks for a screen.
    figure = Figure(figsize=(9, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shades = {"train": "#e8e6df", "test": "#dfeaf2"}
    for index, curve in enumerate(curves):
        days = curve.dates.astype("datetime64[D]").tolist()
        axes.axvspan(days[0], days[-1], color=shades[curve.window], linewidth=0, zorder=0)
        is_first = index == 0
        # Buy-and-hold lies below, wide and pale, so that an agent identical to it can still be seen.
        axes.plot(
            days,
            curve.buy_and_hold,
            color="#d98e04",
            linewidth=3.2,
            alpha=0.55,
            label="buy-and-hold" if is_first else None,
        )
        axes.plot(days, curve.agent, color="#14507a", linewidth=1.4, label=agent if is_first else None)
        axes.annotate(
            curve.window,
            (days[0], 1),
            xycoords=("data", "axes fraction"),
            xytext=(5, -14),
            textcoords="offset points",
            color="#555555",
        )
    axes.axhline(1, color="#999999", linewidth=0.7, zorder=1)
    axes.set_ylabel("equity, first day of each window = 1")
    axes.set_title(title, loc="left", fontsize=10, parse_math=False)
    locator = AutoDateLocator()
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.spines[["top", "right"]].set_visible(False)
    legend = axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.3)
    for label in legend.get_texts():
        label.set_parse_math(False)
    figure.savefig(path)
