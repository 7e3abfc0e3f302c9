"""What an agent earned against what its model forgot, as a picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from flagbench.errors import ConfigError
from flagbench.knowledge.retention import TaskRetention
from flagbench.reports.own_style import own_style
from flagbench.settings import parse

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORMAL_95 = NormalDist().inv_cdf(0.975)
"""Standard errors to either side of a Sharpe ratio, 1.96, so that both bars are 95 % intervals."""

BUY_AND_HOLD = "#d98e04"
"""The colour that `equity_plot` gives it."""

# Okabe and Ito (2008), which stay apart for the colour-blind, without the orange and the yellow.
COLOURS = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#444444")
MARKERS = ("o", "s", "D", "^", "v", "P")

COLUMNS = 3
"""Panels side by side, at most: as many as stay legible across a page."""

LEAST_WIDTH = 2.0
"""Percentage points to either side of no change that are always shown, so that rounding is no drama."""


class TradeOff(NamedTuple):
    """One run and one task or suite."""

    run: str
    """Such as a seed; each has a colour and a shape."""
    knowledge: str
    """Task or suite; each has a panel of its own."""
    sharpe: float | None
    """None where it is undefined: the point is not drawn but named."""
    sharpe_error: float | None
    """Standard error; None where undefined."""
    change: float
    """Of accuracy, as a fraction."""
    low: float
    """Of its 95 % interval."""
    high: float


def trade_off(run: str, score: Mapping[str, Any], retention: Mapping[str, Any]) -> TradeOff:
    """Read one point from a record.

    Args:
        run: its name.
        score: `Score.to_json()` of the test window.
        retention: `TaskRetention.to_json()`.

    Raises:
        ConfigError: the retention is broken.
    """
    kept = parse(TaskRetention, retention, origin=run)
    error = score["uncertainty"]["sharpe_ratio"]["se"]
    return TradeOff(run, kept.name, score["sharpe_ratio"], error, kept.difference, kept.low, kept.high)


@own_style()
def plot_retention(points: Sequence[TradeOff], path: Path, *, title: str, buy_and_hold: float | None) -> None:
    """Draw Sharpe ratio against change of accuracy, both with 95 % intervals: a panel a task or suite.

    Args:
        points: at least one with a Sharpe ratio.
        path: the PNG to write.
        title: above the picture.
        buy_and_hold: its Sharpe ratio on the same window; None where undefined, and then no line.

    Raises:
        ConfigError: no point has a Sharpe ratio.
    """
    retention_figure(points, title=title, buy_and_hold=buy_and_hold).savefig(path)


def retention_figure(
    points: Sequence[TradeOff], *, title: str, buy_and_hold: float | None, columns: int = COLUMNS
) -> "Figure":
    """`plot_retention` as a figure that is not yet written, with so many panels side by side at most."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [point for point in points if point.sharpe is not None]
    if not drawn:
        raise ConfigError(
            "no Sharpe ratio is defined, so there is nothing to draw", hint="the agents never traded"
        )
    panels = list(dict.fromkeys(point.knowledge for point in drawn))
    runs = list(dict.fromkeys(point.run for point in drawn))
    columns = min(len(panels), columns)
    rows = -(-len(panels) // columns)
    # No pyplot: it holds global state and looks for a screen.
    figure = Figure(figsize=(1.8 + 2.9 * columns, 1.2 + 2.9 * rows), dpi=200, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, panel in zip(grid, panels, strict=False):
        _lines(axes, panel, buy_and_hold)
        for point in drawn:
            if point.knowledge == panel:
                _draw(axes, point, runs.index(point.run))
    for axes in grid[len(panels) :]:
        axes.remove()
    _label(figure, title, undefined=[point.run for point in points if point.sharpe is None])
    return figure


def _lines(axes: "Axes", panel: str, buy_and_hold: float | None) -> None:
    """What the points of a panel are compared with."""
    axes.axvline(0, color="#999999", linewidth=0.9, zorder=1, label="no change")
    if buy_and_hold is not None:
        axes.axhline(buy_and_hold, color=BUY_AND_HOLD, linewidth=1.6, zorder=1, label="buy-and-hold")
    axes.set_title(panel, loc="left", fontsize=9, parse_math=False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.locator_params(axis="x", nbins=5)


def _draw(axes: "Axes", point: TradeOff, index: int) -> None:
    """One point with both bars; colour and shape by the run's number."""
    colour = COLOURS[index % len(COLOURS)]
    marker = MARKERS[(index + index // len(COLOURS)) % len(MARKERS)]
    # A percentile interval need not hold its estimate where few items changed; a bar has no negative length.
    left, right = max(point.change - point.low, 0.0), max(point.high - point.change, 0.0)
    axes.errorbar(
        100 * point.change,
        point.sharpe or 0.0,
        xerr=[[100 * left], [100 * right]],
        yerr=NORMAL_95 * (point.sharpe_error or 0.0),
        marker=marker,
        linestyle="none",
        markersize=6.5,
        color=colour,
        markeredgecolor="white",
        markeredgewidth=0.7,
        ecolor=(colour, 0.4),
        elinewidth=1.1,
        label=point.run,
        zorder=3,
    )


def _label(figure: "Figure", title: str, *, undefined: list[str]) -> None:
    """Names of axes, the title, and a legend that has each run once."""
    low, high = figure.axes[0].get_xlim()
    figure.axes[0].set_xlim(min(low, -LEAST_WIDTH), max(high, LEAST_WIDTH))
    for axes in figure.axes:
        place = axes.get_subplotspec()
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("accuracy change, points [95 %]", fontsize=8)
        if place is not None and place.is_first_col():
            axes.set_ylabel("Sharpe ratio, test window [95 %]", fontsize=8)
    absent = f"\nnot drawn, their Sharpe ratio is undefined: {', '.join(dict.fromkeys(undefined))}"
    heading = title + (absent if undefined else "")
    figure.suptitle(heading, x=0.01, ha="left", fontsize=10, parse_math=False)
    entries = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    legend = figure.legend(
        entries.values(), entries.keys(), loc="outside right upper", frameon=False, fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
