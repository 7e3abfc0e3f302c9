from typing import Any

import numpy as np
import pytest

from flagbench.reports.figure_style import NARROW, WIDE
from flagbench.reports.forest_plot import (
    ForestRow,
    Interval,
    forest_figure,
    forest_words,
    interval_text,
    sharpe_interval,
)

ROWS = [
    ForestRow("TSLA", "flag, seed 0", Interval(0.5, -1.5, 2.5)),
    ForestRow("TSLA", "flat, seed 0", Interval(None, None, None), "it never traded"),
    ForestRow("TSLA", "buy-and-hold", Interval(-0.25, -2.0, 1.5), is_reference=True),
    ForestRow("HON $x^$", "flag, seed 0", Interval(1.0, None, None)),
]


def score(value: float | None, **uncertainty: Any) -> dict[str, Any]:
    return {"sharpe_ratio": value, "uncertainty": {"sharpe_ratio": uncertainty}}


def test_without_a_recorded_interval_it_is_1_96_errors_to_either_side() -> None:
    assert list(sharpe_interval(score(0.5, se=1.0))) == pytest.approx([0.5, -1.459964, 2.459964])


def test_a_recorded_interval_is_taken_as_it_is() -> None:
    assert sharpe_interval(score(0.5, se=1.0, low=-1.0, high=3.0, level=0.95)) == (0.5, -1.0, 3.0)
    assert sharpe_interval(score(0.5, se=1.0, low=None, high=None))[1] == pytest.approx(-1.459964)


def test_what_is_undefined_has_no_interval() -> None:
    assert sharpe_interval(score(None, se=None)) == (None, None, None)
    assert sharpe_interval(score(0.5, se=None)) == (0.5, None, None)


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_each_group_has_a_panel_and_each_row_a_line_on_one_scale(width: float) -> None:
    figure = forest_figure(ROWS, width)
    tsla, hon = figure.axes
    assert (tsla.get_title(loc="left"), hon.get_title(loc="left")) == ("TSLA", "HON $x^$")
    assert tsla.get_xlim() == hon.get_xlim()
    labels = [label.get_text() for label in tsla.get_yticklabels()]
    assert labels == ["flag, seed 0", "flat, seed 0", "buy-and-hold"]
    drawn = [np.asarray(line.get_xydata()).tolist() for line in tsla.lines]
    assert [[-1.5, 0], [2.5, 0]] in drawn
    assert [[0.5, 0]] in drawn
    assert [[-2.0, 2], [1.5, 2]] in drawn
    assert not any(point[1] == 1 for line in drawn for point in line if len(line) == 1)
    assert "undefined" in [text.get_text() for text in tsla.texts]


def test_rows_stand_from_top_to_bottom() -> None:
    bottom, top = forest_figure(ROWS, WIDE).axes[0].get_ylim()
    assert top < 0
    assert bottom > 2  # the last of three rows


def test_figures_stand_beside_the_rows_where_there_is_room() -> None:
    wide, narrow = (forest_figure(ROWS, width).axes[0] for width in (WIDE, NARROW))
    assert "0.50 [−1.50, 2.50]" in [text.get_text() for text in wide.texts]
    assert [text.get_text() for text in narrow.texts] == ["undefined"]


def test_intervals_are_written_with_two_digits() -> None:
    assert interval_text(Interval(-0.256, -2, 1.5)) == "−0.26 [−2.00, 1.50]"
    assert interval_text(Interval(1.0, None, None)) == "1.00"
    assert interval_text(Interval(None, None, None)) == "–"


def test_the_words_have_every_row() -> None:
    words = forest_words(ROWS)
    assert "TSLA, flag, seed 0: 0.50 [−1.50, 2.50]" in words
    assert "flat, seed 0: undefined, it never traded" in words
