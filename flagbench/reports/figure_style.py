"""How every figure of a report looks: colours for a light and a dark page, sizes, and axes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from flagbench.reports.retention_plot import BUY_AND_HOLD, COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 9.0
"""Inches of a figure on a desktop: 864 CSS pixels, about the width of the page's column."""

NARROW = 3.7
"""Inches of a figure on a phone: 355 CSS pixels, so that its letters are not shrunk."""

MUTED = "#5c6370"
LINE = "#c9cdd4"
LONG = "#dfeaf2"
"""The shade that `equity_plot` gives the test window; here it marks days with a position."""
BOUGHT, SOLD = "#009e73", "#d55e00"

DARK: Mapping[str, str] = {
    "#ffffff": "#15181d",
    "#000000": "#e3e6ea",
    "#999999": "#7d8590",
    MUTED: "#9aa3ae",
    LINE: "#3a4048",
    LONG: "#1f3444",
    BUY_AND_HOLD: "#e8a93a",
    "#0072b2": "#5cb3ee",
    "#009e73": "#3cc79b",
    "#cc79a7": "#e29cc3",
    "#56b4e9": "#9ad6f8",
    "#d55e00": "#f58a4b",
    "#444444": "#c2c7cf",
}
"""Every colour of a figure on a light page, and what stands for it on a dark one."""

LINE_STYLES = ("solid", (0, (4, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
"""After each round of colours the next style, so that the first 24 curves differ."""


def is_narrow(width: float) -> bool:
    """Whether a figure of that many inches is for a phone, where panels stand below each other."""
    return width < (NARROW + WIDE) / 2


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure that looks for no screen.

    Args:
        width: in inches.
        height: in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it holds global state and looks for a screen.
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def curve_colour(index: int) -> str:
    """Of the seed with that number, in every figure of a run."""
    return COLOURS[index % len(COLOURS)]


def curve_style(index: int) -> "str | tuple[int, tuple[float, ...]]":
    """How the line of that seed is broken."""
    return LINE_STYLES[index // len(COLOURS) % len(LINE_STYLES)]


def calm(axes: "Axes") -> None:
    """No frame, a faint grid, small letters."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.grid(color=LINE, linewidth=0.5, alpha=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8, color=LINE, labelcolor=MUTED)


def panel_title(axes: "Axes", text: str) -> None:
    """A title above the left end; never read as a formula."""
    axes.set_title(text, loc="left", fontsize=9, parse_math=False)


def axis_labels(axes: "Axes", *, x: str = "", y: str = "") -> None:
    """Small names of the axes; never read as formulas."""
    axes.set_xlabel(x, fontsize=8, color=MUTED, parse_math=False)
    axes.set_ylabel(y, fontsize=8, color=MUTED, parse_math=False)


def date_axis(axes: "Axes", *, ticks: int) -> None:
    """At most so many dates, the year once."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=ticks)
    formatter = ConciseDateFormatter(locator)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(formatter)
    axes.xaxis.get_offset_text().set(fontsize=8, color=MUTED)


def legend_above(figure: "Figure", *, columns: int) -> None:
    """One legend over all panels that has each label once; its words are never read as formulas."""
    entries = {
        label: handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if not entries:
        return
    legend = figure.legend(
        entries.values(), entries.keys(), loc="outside upper left", ncols=columns, frameon=False, fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
