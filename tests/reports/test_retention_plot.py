from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import ConfigError
from flagbench.knowledge.retention import TaskRetention
from flagbench.reports.retention_plot import TradeOff, plot_retention, retention_figure, trade_off

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure

POINTS = [
    TradeOff("seed 0", "finance_basics", 0.8, 1.3, -0.03, -0.05, -0.01),
    TradeOff("seed 1", "finance_basics", -0.2, 1.2, 0.01, -0.01, 0.04),
    TradeOff("seed 0", "basics", 0.8, 1.3, -0.02, -0.03, 0.0),
]


def figure_of(points: list[TradeOff], buy_and_hold: float | None = 0.45) -> "Figure":
    return retention_figure(points, title="flag on TOY", buy_and_hold=buy_and_hold)


def drawn(axes: "Axes") -> dict[str, "ErrorbarContainer"]:
    """Marker and bars of each run."""
    from matplotlib.container import ErrorbarContainer

    return {str(bar.get_label()): bar for bar in axes.containers if isinstance(bar, ErrorbarContainer)}


def points_of(axes: "Axes") -> dict[str, tuple[float, float]]:
    """Where each run's marker stands."""
    markers = {run: bar.lines[0] for run, bar in drawn(axes).items()}
    assert all(line is not None for line in markers.values())
    return {
        run: (float(np.asarray(line.get_xdata())[0]), float(np.asarray(line.get_ydata())[0]))
        for run, line in markers.items()
        if line is not None
    }


def looks_of(axes: "Axes") -> dict[str, tuple[object, object]]:
    """Colour and shape of each run."""
    markers = {run: bar.lines[0] for run, bar in drawn(axes).items()}
    return {run: (line.get_color(), line.get_marker()) for run, line in markers.items() if line is not None}


def bars_of(axes: "Axes", run: str) -> list[list[float]]:
    """Ends of a run's bars: accuracy change, then Sharpe ratio."""
    across, up = (bars.get_segments()[0] for bars in drawn(axes)[run].lines[2])
    return [[float(across[0][0]), float(across[1][0])], [float(up[0][1]), float(up[1][1])]]


def test_a_picture_is_written(tmp_path: Path) -> None:
    from matplotlib.image import imread

    path = tmp_path / "retention.png"
    plot_retention(POINTS, path, title="flag on TOY", buy_and_hold=0.45)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    height, width, _ = imread(path).shape
    assert (height, width) == (820, 1520)


def test_each_task_has_a_panel_with_its_runs_in_percentage_points() -> None:
    finance, whole = figure_of(POINTS).axes
    assert (finance.get_title(loc="left"), whole.get_title(loc="left")) == ("finance_basics", "basics")
    assert points_of(finance) == {"seed 0": (-3.0, 0.8), "seed 1": (1.0, -0.2)}
    assert points_of(whole) == {"seed 0": (-2.0, 0.8)}
    assert finance.get_xlim() == whole.get_xlim()
    assert finance.get_ylim() == whole.get_ylim()


def test_both_bars_are_95_percent_intervals() -> None:
    finance, whole = figure_of(POINTS).axes
    change, sharpe = bars_of(finance, "seed 0")
    assert change == pytest.approx([-5.0, -1.0])
    assert sharpe == pytest.approx([0.8 - 1.96 * 1.3, 0.8 + 1.96 * 1.3], abs=1e-4)
    assert bars_of(finance, "seed 1")[0] == pytest.approx([-1.0, 4.0])
    assert bars_of(whole, "seed 0")[0] == pytest.approx([-3.0, 0.0])


def test_each_panel_has_the_lines_to_compare_with() -> None:
    for axes in figure_of(POINTS).axes:
        lines = {str(line.get_label()): line for line in axes.lines}
        assert np.asarray(lines["buy-and-hold"].get_ydata()).tolist() == [0.45, 0.45]
        assert np.asarray(lines["no change"].get_xdata()).tolist() == [0, 0]


def test_without_a_sharpe_ratio_of_buy_and_hold_there_is_no_line_of_it() -> None:
    figure = figure_of(POINTS, buy_and_hold=None)
    assert "buy-and-hold" not in [line.get_label() for axes in figure.axes for line in axes.lines]


def test_a_run_has_one_look_in_all_panels_and_the_legend_has_it_once() -> None:
    figure = figure_of(POINTS)
    finance, whole = (looks_of(axes) for axes in figure.axes)
    assert finance["seed 0"] == whole["seed 0"] != finance["seed 1"]
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert sorted(labels) == ["buy-and-hold", "no change", "seed 0", "seed 1"]


def test_thirty_runs_all_look_different() -> None:
    runs = [TradeOff(f"seed {seed}", "basics", 0.1 * seed, 1.0, 0.0, 0.0, 0.0) for seed in range(30)]
    (axes,) = figure_of(runs).axes
    assert len(set(looks_of(axes).values())) == 30


def test_an_undefined_sharpe_ratio_is_not_drawn_but_named() -> None:
    figure = figure_of([*POINTS, TradeOff("seed 7", "basics", None, None, -0.1, -0.2, 0.0)])
    assert "seed 7" not in points_of(figure.axes[1])
    assert figure.get_suptitle() == "flag on TOY\nnot drawn, their Sharpe ratio is undefined: seed 7"
    assert figure_of(POINTS).get_suptitle() == "flag on TOY"


def test_where_no_sharpe_ratio_is_defined_there_is_nothing_to_draw(tmp_path: Path) -> None:
    undefined = TradeOff("seed 0", "basics", None, None, 0.0, 0.0, 0.0)
    for points in ([], [undefined]):
        with pytest.raises(ConfigError, match="no Sharpe ratio is defined"):
            plot_retention(points, tmp_path / "none.png", title="", buy_and_hold=0.1)
    assert not (tmp_path / "none.png").exists()


def test_no_change_is_shown_on_a_scale_that_makes_no_drama_of_rounding() -> None:
    (axes,) = figure_of([TradeOff("seed 0", "basics", 0.8, 1.3, 0.0, 0.0, 0.0)]).axes
    low, high = axes.get_xlim()
    assert low <= -2 < 2 <= high


def test_an_interval_that_does_not_hold_its_estimate_has_no_negative_bar() -> None:
    (axes,) = figure_of([TradeOff("seed 0", "basics", 0.8, 1.3, -0.01, -0.005, 0.0)]).axes
    assert bars_of(axes, "seed 0")[0] == pytest.approx([-1.0, 0.0])


def test_four_tasks_stand_in_two_rows_and_leave_no_empty_panel() -> None:
    points = [TradeOff("seed 0", f"task {index}", 0.8, 1.3, 0.0, 0.0, 0.0) for index in range(4)]
    figure = figure_of(points)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [f"task {index}" for index in range(4)]


@pytest.mark.parametrize("name", ["$x^$", "a_b", "100 %", "{}"])
def test_a_name_is_no_formula(tmp_path: Path, name: str) -> None:
    plot_retention(
        [TradeOff(name, name, 0.8, 1.3, 0.0, 0.0, 0.0)], tmp_path / "x.png", title=name, buy_and_hold=0.1
    )


def test_a_point_is_read_from_a_score_and_a_retention() -> None:
    kept = TaskRetention(
        suite="basics",
        task=None,
        version="1/1",
        items=600,
        clusters=600,
        before=0.85,
        after=0.83,
        difference=-0.02,
        low=-0.04,
        high=-0.005,
        p_value=0.01,
        test="mcnemar",
        forgotten=15,
        gained=3,
        smallest_detectable_difference=0.02,
        noise=None,
        unparsed_before=0,
        unparsed_after=0,
        truncated_before=0,
        truncated_after=0,
    )
    score = {"sharpe_ratio": 0.7, "uncertainty": {"sharpe_ratio": {"se": 1.3}}}
    point = trade_off("seed 0", score, kept.to_json())
    assert point == TradeOff("seed 0", "basics", 0.7, 1.3, -0.02, -0.04, -0.005)
    with pytest.raises(ConfigError, match="seed 0: "):
        trade_off("seed 0", score, {})
