from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from flagbench.reports.equity_plot import EquityCurves, plot_equity

Pixels = npt.NDArray[np.float64]

TRAIN_SHADE, TEST_SHADE, AGENT, BUY_AND_HOLD = "#e8e6df", "#dfeaf2", "#14507a", "#d98e04"


def curves(
    agent: npt.NDArray[np.float64], buy_and_hold: npt.NDArray[np.float64], window: str = "train"
) -> EquityCurves:
    start = np.datetime64("2020-01-01" if window == "train" else "2020-07-01")
    return EquityCurves(window, start + np.arange(len(agent)), agent, buy_and_hold)


def drawn(folder: Path, parts: list[EquityCurves], *, title: str = "TOY", agent: str = "flag") -> Pixels:
    """The picture's pixels: (height, width, 3) from 0 to 1."""
    from matplotlib.image import imread

    path = folder / "equity.png"
    plot_equity(parts, path, title=title, agent=agent)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels: Pixels = imread(path)[:, :, :3].astype(np.float64)
    return pixels


def where(pixels: Pixels, colour: str, *, over: str | None = None, alpha: float = 1.0) -> Any:
    """Rows and columns of the pixels of a colour, laid over another if it is not opaque."""
    wanted = rgb(colour) if over is None else alpha * rgb(colour) + (1 - alpha) * rgb(over)
    return np.nonzero(np.abs(pixels - wanted).max(axis=2) < 1.5 / 255)


def rgb(colour: str) -> Pixels:
    return np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def test_both_windows_and_both_curves_are_in_the_picture(tmp_path: Path) -> None:
    up, down = np.linspace(1, 2, 120), np.linspace(1, 0.5, 120)
    pixels = drawn(tmp_path, [curves(up, down, "train"), curves(down, up, "test")])
    height, width, _ = pixels.shape
    assert (height, width) == (675, 1350)
    train, test = where(pixels, TRAIN_SHADE)[1], where(pixels, TEST_SHADE)[1]
    assert min(train.size, test.size) > 0.1 * height * width
    assert train.max() < test.min()
    assert where(pixels, AGENT)[0].size > 500
    for shade in (TRAIN_SHADE, TEST_SHADE):
        assert where(pixels, BUY_AND_HOLD, over=shade, alpha=0.55)[0].size > 500


def test_a_curve_that_rises_is_drawn_rising(tmp_path: Path) -> None:
    pixels = drawn(tmp_path, [curves(np.linspace(1, 2, 120), np.linspace(1, 0.5, 120))])
    shaded = where(pixels, TRAIN_SHADE)[0]
    top, bottom = shaded.min(), shaded.max()
    for colour, over, rises in ((AGENT, None, True), (BUY_AND_HOLD, TRAIN_SHADE, False)):
        rows, columns = where(pixels, colour, over=over, alpha=0.55 if over else 1.0)
        inside = (rows >= top) & (rows <= bottom)  # the legend lies outside
        left, right = rows[inside][columns[inside].argmin()], rows[inside][columns[inside].argmax()]
        # Rows are counted from the top.
        assert (right < left) == rises


def test_an_agent_that_is_buy_and_hold_can_still_be_seen(tmp_path: Path) -> None:
    same = np.linspace(1, 1.5, 120)
    pixels = drawn(tmp_path, [curves(same, same)])
    assert where(pixels, AGENT)[0].size > 500
    assert where(pixels, BUY_AND_HOLD, over=TRAIN_SHADE, alpha=0.55)[0].size > 500


def test_other_curves_make_another_picture(tmp_path: Path) -> None:
    flat, up = np.ones(50), np.linspace(1, 1.1, 50)
    one = drawn(tmp_path, [curves(flat, up)])
    assert np.array_equal(one, drawn(tmp_path, [curves(flat, up)]))
    assert not np.array_equal(one, drawn(tmp_path, [curves(up, flat)]))


def test_the_legend_and_the_title_show_names(tmp_path: Path) -> None:
    flat = np.ones(50)
    one = drawn(tmp_path, [curves(flat, flat)])
    assert not np.array_equal(one, drawn(tmp_path, [curves(flat, flat)], agent="somebody"))
    assert not np.array_equal(one, drawn(tmp_path, [curves(flat, flat)], title="ELSE"))


@pytest.mark.parametrize("name", ["$x^$", "a_b", "100 %", "{}"])
def test_a_name_is_no_formula(tmp_path: Path, name: str) -> None:
    drawn(tmp_path, [curves(np.ones(5), np.ones(5))], title=name, agent=name)


def test_two_bars_are_enough(tmp_path: Path) -> None:
    drawn(tmp_path, [curves(np.array([1, 0.9]), np.array([1, 1.1]), "test")])
