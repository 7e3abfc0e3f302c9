import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.reports.drawdown_plot import drawdown, drawdown_figure, drawdown_words
from flagbench.reports.equity_plot import EquityCurves
from flagbench.reports.figure_style import NARROW, WIDE
from flagbench.scoring.metrics import max_drawdown


def curves(window: str, agent: list[float]) -> EquityCurves:
    dates = np.datetime64("2020-01-01" if window == "train" else "2020-07-01") + np.arange(len(agent))
    return EquityCurves(window, dates, np.array(agent), np.linspace(1, 2, len(agent)))


SEEDS = {
    f"seed {seed}": {
        "train": curves("train", [1.0, 1.1, 1.2]),
        "test": curves("test", [1.0, 2.0, 1.0 + seed / 2, 1.5]),
    }
    for seed in (0, 1)
}


def test_drawdown_is_the_fall_from_the_highest_so_far() -> None:
    assert drawdown(np.array([1.0, 2.0, 1.0, 1.5, 4.0])).tolist() == [0, 0, -0.5, -0.25, 0]


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=40))
def test_its_least_value_is_the_max_drawdown(equity: list[float]) -> None:
    path = np.array(equity)
    assert -drawdown(path).min() == pytest.approx(float(max_drawdown(path)), abs=1e-12)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_window_has_its_equity_above_its_drawdown(width: float) -> None:
    figure = drawdown_figure(SEEDS, width)
    titled = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert {"train window", "test window"} <= set(titled)
    above = titled["test window"]
    (below,) = [axes for axes in figure.axes if axes is not above and axes.get_xlim() == above.get_xlim()]
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in below.lines}
    assert lines["seed 0"].tolist() == [0, 0, -0.5, -0.25]
    assert lines["seed 1"].tolist() == [0, 0, -0.25, -0.25]
    assert lines["buy-and-hold"].tolist() == [0, 0, 0, 0]
    figure.draw_without_rendering()
    assert above.get_position().y0 > below.get_position().y1
    assert above.get_position().x0 == pytest.approx(below.get_position().x0)


def test_on_a_phone_the_windows_stand_below_each_other() -> None:
    for width, rows in ((WIDE, 2), (NARROW, 4)):
        figure = drawdown_figure(SEEDS, width)
        figure.draw_without_rendering()
        assert len({round(axes.get_position().y0, 3) for axes in figure.axes}) == rows


def test_the_legend_has_each_curve_once() -> None:
    (legend,) = drawdown_figure(SEEDS, WIDE).legends
    assert [text.get_text() for text in legend.get_texts()] == ["buy-and-hold", "seed 0", "seed 1"]


def test_the_words_have_the_ends_and_the_deepest_falls() -> None:
    words = drawdown_words(SEEDS)
    assert "seed 0 ends at 1.500, deepest drawdown 50.0 %" in words
    assert "seed 1 ends at 1.500, deepest drawdown 25.0 %" in words
    assert "buy-and-hold ends at 2.000, deepest drawdown 0.0 %" in words
