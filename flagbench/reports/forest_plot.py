"""Sharpe ratios with their intervals, one line each: over agents, assets and seeds."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

from flagbench.reports.figure_style import (
    LINE,
    axis_labels,
    calm,
    is_narrow,
    new_figure,
    panel_title,
)
from flagbench.reports.retention_plot import BUY_AND_HOLD, COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVEL = 0.95


class Interval(NamedTuple):
    """A Sharpe ratio with its interval; all three are None where it is undefined."""

    value: float | None
    low: float | None
    high: float | None


class ForestRow(NamedTuple):
    """One line of the plot."""

    group: str
    """Asset, protocol and market; each has a panel of its own."""
    label: str
    """Such as `flag, seed 0`."""
    interval: Interval
    undefined: str = ""
    """The reason where there is no figure."""
    is_reference: bool = False
    """Whether it is buy-and-hold, which the others are compared with."""


def sharpe_interval(score: Mapping[str, Any]) -> Interval:
    """The interval that the record holds; else ± 1.96 of its standard errors.

    Args:
        score: `Score.to_json()`.
    """
    value = score["sharpe_ratio"]
    held = score["uncertainty"]["sharpe_ratio"]
    if value is None or held.get("se") is None:
        return Interval(value, None, None)
    if held.get("low") is not None and held.get("high") is not None:
        return Interval(value, held["low"], held["high"])
    reach = NormalDist().inv_cdf((1 + LEVEL) / 2) * held["se"]
    return Interval(value, value - reach, value + reach)


def forest_figure(rows: Sequence[ForestRow], width: float) -> "Figure":
    """A panel a group, all on one scale; a dotted line at 0 and a line at buy-and-hold.

    Args:
        rows: in their order, top to bottom.
        width: in inches.
    """
    groups = list(dict.fromkeys(row.group for row in rows))
    heights = [sum(row.group == group for row in rows) + 1.0 for group in groups]
    figure = new_figure(width, 0.55 + 0.27 * sum(heights) + 0.15 * len(groups))
    grid = figure.subplots(len(groups), 1, squeeze=False, sharex=True, height_ratios=heights).ravel()
    for axes, group in zip(grid, groups, strict=True):
        _draw_group(axes, [row for row in rows if row.group == group], narrow=is_narrow(width))
        panel_title(axes, _wrapped(group) if is_narrow(width) else group)
    axis_labels(grid[-1], x="Sharpe ratio a year, test window [95 %]")
    return figure


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 46)


def _draw_group(axes: "Axes", rows: Sequence[ForestRow], *, narrow: bool) -> None:
    calm(axes)
    axes.grid(visible=False, axis="y")
    axes.axvline(0, color="#999999", linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    for place, row in enumerate(rows):
        value, low, high = row.interval
        colour = BUY_AND_HOLD if row.is_reference else COLOURS[0]
        if row.is_reference and value is not None:
            axes.axvline(value, color=BUY_AND_HOLD, linewidth=3, alpha=0.25, zorder=0)
        if value is None:
            # At the left end, since it has no place on the scale.
            axes.annotate(
                "undefined",
                (0, place),
                xycoords=("axes fraction", "data"),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color="#999999",
            )
            continue
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        marker = "D" if row.is_reference else "o"
        axes.plot(value, place, marker, color=colour, markersize=5.5, markeredgecolor="#ffffff")
    _label_rows(axes, rows, narrow=narrow)


def _label_rows(axes: "Axes", rows: Sequence[ForestRow], *, narrow: bool) -> None:
    """Who at the left, and, where there is room, the figures at the right."""
    places = range(len(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(places, [row.label for row in rows], parse_math=False)
    axes.tick_params(axis="y", length=0, labelcolor="#000000")
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    if narrow:
        return
    for place, row in enumerate(rows):
        axes.annotate(
            interval_text(row.interval),
            (1, place),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            annotation_clip=False,
        )


def interval_text(interval: Interval) -> str:
    """`0.49 [−3.50, 4.48]`, or a dash."""
    value, low, high = interval
    if value is None:
        return "–"
    bounds = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    return f"{value:.2f}{bounds}".replace("-", "−")


def forest_words(rows: Sequence[ForestRow]) -> str:
    """The figure in words: each line once."""
    parts = [f"{row.group}, {row.label}: {_row_words(row)}" for row in rows]
    return f"Forest plot of Sharpe ratios with 95 % intervals. {'; '.join(parts)}."


def _row_words(row: ForestRow) -> str:
    if row.interval.value is None:
        return f"undefined, {row.undefined}" if row.undefined else "undefined"
    return interval_text(row.interval)
