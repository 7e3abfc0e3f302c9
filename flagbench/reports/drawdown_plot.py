"""Equity of every seed against buy-and-hold, and below it how far each stood under its highest."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.reports.equity_plot import EquityCurves
from flagbench.reports.figure_style import (
    axis_labels,
    calm,
    curve_colour,
    curve_style,
    date_axis,
    is_narrow,
    legend_above,
    new_figure,
    panel_title,
)
from flagbench.reports.retention_plot import BUY_AND_HOLD
from flagbench.scoring.metrics import max_drawdown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SeedCurves = Mapping[str, Mapping[str, EquityCurves]]
"""Curves by seed, such as `seed 0`, and by window."""

WINDOWS = ("train", "test")


def drawdown(equity: FloatArray) -> FloatArray:
    """How far each value lies below the highest so far, as a fraction of that: 0 or negative.

    Its least value is `max_drawdown` with the sign turned.

    Args:
        equity: (n,) positive.
    """
    below: FloatArray = equity / np.maximum.accumulate(equity) - 1
    return below


def drawdown_figure(seeds: SeedCurves, width: float) -> "Figure":
    """A column a window: equity above, drawdown below; on a phone the windows stand below each other.

    Args:
        seeds: each with both windows.
        width: in inches.
    """
    narrow = is_narrow(width)
    columns = 1 if narrow else len(WINDOWS)
    heights = [2.2, 1] * (len(WINDOWS) // columns)
    figure = new_figure(width, 6.6 if narrow else 4.6)
    # Windows side by side share one scale, so that the eye may compare them.
    grid = figure.subplots(len(heights), columns, squeeze=False, height_ratios=heights, sharey="row")
    for index, window in enumerate(WINDOWS):
        above, below = (grid[2 * index : 2 * index + 2, 0]) if narrow else (grid[:, index])
        curves = {seed: windows[window] for seed, windows in seeds.items()}
        _draw_equity(above, curves)
        _draw_drawdown(below, curves)
        panel_title(above, f"{window} window")
        below.sharex(above)
        above.tick_params(labelbottom=False)
        date_axis(below, ticks=5 if narrow else 6)
        if narrow or index == 0:
            axis_labels(above, y="equity, first day = 1")
            axis_labels(below, y="drawdown")
    legend_above(figure, columns=2 if narrow else 6)
    return figure


def _draw_equity(axes: "Axes", curves: Mapping[str, EquityCurves]) -> None:
    calm(axes)
    axes.axhline(1, color="#999999", linewidth=0.7, zorder=1)
    first = next(iter(curves.values()))
    _draw_held(axes, first, first.buy_and_hold)
    for index, (seed, curve) in enumerate(curves.items()):
        _draw_own(axes, curve, curve.agent, index=index, seed=seed)


def _draw_drawdown(axes: "Axes", curves: Mapping[str, EquityCurves]) -> None:
    from matplotlib.ticker import PercentFormatter

    calm(axes)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.locator_params(axis="y", nbins=3)
    first = next(iter(curves.values()))
    _draw_held(axes, first, drawdown(first.buy_and_hold))
    for index, (seed, curve) in enumerate(curves.items()):
        _draw_own(axes, curve, drawdown(curve.agent), index=index, seed=seed)


def _draw_held(axes: "Axes", curve: EquityCurves, values: FloatArray) -> None:
    # Buy-and-hold lies below, wide and pale, so that an agent identical to it can still be seen.
    axes.plot(_days(curve), values, color=BUY_AND_HOLD, linewidth=3, alpha=0.5, label="buy-and-hold")


def _draw_own(axes: "Axes", curve: EquityCurves, values: FloatArray, *, index: int, seed: str) -> None:
    colour, style = curve_colour(index), curve_style(index)
    axes.plot(_days(curve), values, color=colour, linestyle=style, linewidth=1.3, label=seed)


def _days(curve: EquityCurves) -> Any:
    return curve.dates.astype("datetime64[D]").tolist()


def drawdown_words(seeds: SeedCurves) -> str:
    """The figure in words: where each curve of the test window ends, and how deep it fell."""
    parts = [_words(seed, windows["test"].agent) for seed, windows in seeds.items()]
    held = next(iter(seeds.values()))["test"].buy_and_hold
    return (
        "Line charts of equity and drawdown in the training and the test window. Test window, "
        f"starting at 1: {'; '.join(parts)}; {_words('buy-and-hold', held)}."
    )


def _words(name: str, equity: FloatArray) -> str:
    return f"{name} ends at {equity[-1]:.3f}, deepest drawdown {100 * max_drawdown(equity):.1f} %"
