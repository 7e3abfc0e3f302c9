import math
from typing import Any

import numpy as np
import pytest

from flagbench.reports.figure_style import NARROW, WIDE
from flagbench.reports.training_plot import logged_figures, training_figure, training_words

LOGS: dict[str, list[dict[str, Any]]] = {
    "seed 0": [
        {"env_steps": 8, "iteration": 1, "td_error": 4.0, "entropy": 0.69, "greedy": True, "name": "x"},
        {"env_steps": 16, "iteration": 2, "td_error": None, "entropy": 0.6, "actions": {"buy": 0.5}},
    ],
    "seed 1": [{"env_steps": 8, "iteration": 1, "episode_return": 0.1, "entropy": 0.68}],
}


def test_known_figures_come_first_and_no_counter_is_one() -> None:
    assert logged_figures(LOGS) == ["episode_return", "entropy", "td_error"]
    assert logged_figures({"seed 0": [{"iteration": 1, "note": None}]}) == []


def test_a_panel_a_figure_has_a_curve_a_seed_and_gaps() -> None:
    figure = training_figure(LOGS, WIDE)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert list(panels) == ["episode return", "entropy", "td error"]
    first, second = panels["entropy"].lines
    assert np.asarray(first.get_xydata()).tolist() == [[8, 0.69], [16, 0.6]]
    assert np.asarray(second.get_xydata()).tolist() == [[8, 0.68]]
    values = np.asarray(panels["td error"].lines[0].get_ydata()).tolist()
    assert values[0] == 4.0
    assert math.isnan(values[1])


def test_without_steps_the_lines_are_counted() -> None:
    figure = training_figure({"seed 0": [{"loss": 2.0}, {"loss": 1.0}]}, NARROW)
    (axes,) = figure.axes
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == [1, 2]
    assert figure.get_supxlabel() == "lines of the log"
    assert training_figure(LOGS, NARROW).get_supxlabel() == "steps in the environments"


@pytest.mark.parametrize(("width", "columns"), [(WIDE, 4), (NARROW, 2)])
def test_panels_stand_side_by_side_as_there_is_room(width: float, columns: int) -> None:
    log = {"seed 0": [{f"figure_{number}": float(number) for number in range(5)}]}
    figure = training_figure(log, width)
    assert len(figure.axes) == 5
    figure.draw_without_rendering()
    assert len({round(axes.get_position().x0, 2) for axes in figure.axes}) == columns


def test_the_words_have_where_a_figure_began_and_ended() -> None:
    words = training_words(LOGS)
    assert "entropy of seed 0 from 0.69 to 0.6" in words
    assert "td error of seed 0 from 4 to 4" in words
    assert "td error of seed 1" not in words
