"""What an agent logged while it learned: a panel a figure, a curve a seed."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flagbench.reports.figure_style import (
    MUTED,
    calm,
    curve_colour,
    curve_style,
    is_narrow,
    legend_above,
    new_figure,
    panel_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TrainingLogs = Mapping[str, Sequence[Mapping[str, Any]]]
"""Lines of `train.jsonl` by seed, such as `seed 0`."""

FIRST = (
    "episode_return",
    "return_so_far",
    "mean_reward",
    "entropy",
    "reference_kl",
    "approx_kl",
    "value_loss",
    "policy_loss",
    "loss",
    "explained_variance",
    "clipfrac",
    "grad_norm",
    "learning_rate",
)
"""What is looked at first stands first; what else an agent logs follows in its own order."""

COUNTERS = frozenset({"iteration", "env_steps", "optimiser_steps", "episodes", "steps_per_second"})
"""Say how far the training was, not how it went."""

STEPS = "env_steps"

FEW = 12
"""Points below which a curve shows each, since one or two make no line."""

WORDED = 5
"""Figures that are told in words; the others stand in `train.jsonl`."""


def logged_figures(logs: TrainingLogs) -> list[str]:
    """Names of all figures that are a number in some line, in the order of their panels."""
    numbers: dict[str, None] = {}
    for lines in logs.values():
        for line in lines:
            numbers.update(dict.fromkeys(name for name, value in line.items() if _number(value) is not None))
    known = [name for name in FIRST if name in numbers]
    return known + [name for name in numbers if name not in FIRST and name not in COUNTERS]


def _number(value: object) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def training_figure(logs: TrainingLogs, width: float) -> "Figure":
    """One panel a figure over the steps in the environments; over the lines where no steps were logged.

    Args:
        logs: at least one with a figure.
        width: in inches.
    """
    names = logged_figures(logs)
    narrow = is_narrow(width)
    columns = min(2 if narrow else 4, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(width, 0.6 + 1.45 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axes, name in zip(grid, names, strict=False):
        _draw_panel(axes, name, logs)
        axes.locator_params(nbins=3 if narrow else 4)
    for axes in grid[len(names) :]:
        axes.remove()
    across = "steps in the environments" if _has_steps(logs) else "lines of the log"
    figure.supxlabel(across, fontsize=8, color=MUTED)
    legend_above(figure, columns=2 if narrow else 6)
    return figure


def _draw_panel(axes: "Axes", name: str, logs: TrainingLogs) -> None:
    calm(axes)
    panel_title(axes, name.replace("_", " "))
    axes.tick_params(labelsize=7, labelbottom=True)
    axes.yaxis.set_major_formatter("{x:.3g}")  # no factor in a corner, which is read past
    for index, (seed, lines) in enumerate(logs.items()):
        steps, values = _curve(lines, name, by_steps=_has_steps(logs))
        axes.plot(
            steps,
            values,
            color=curve_colour(index),
            linestyle=curve_style(index),
            linewidth=1.2,
            marker="o" if len(steps) < FEW else None,
            markersize=3,
            label=seed,
        )


def _has_steps(logs: TrainingLogs) -> bool:
    return all(_number(line.get(STEPS)) is not None for lines in logs.values() for line in lines)


def _curve(
    lines: Sequence[Mapping[str, Any]], name: str, *, by_steps: bool
) -> tuple[list[float], list[float]]:
    """Steps and values; a value that was no number leaves a gap."""
    steps = [float(line[STEPS]) if by_steps else float(place) for place, line in enumerate(lines, start=1)]
    numbers = (_number(line.get(name)) for line in lines)
    return steps, [float("nan") if number is None else number for number in numbers]


def training_words(logs: TrainingLogs) -> str:
    """The figure in words: where each of the first figures began and ended."""
    parts = []
    for name in logged_figures(logs)[:WORDED]:
        for seed, lines in logs.items():
            values = [line[name] for line in lines if _number(line.get(name)) is not None]
            if values:
                parts.append(f"{name.replace('_', ' ')} of {seed} from {values[0]:.4g} to {values[-1]:.4g}")
    return f"Line charts of what was logged in training: {'; '.join(parts)}."
