"""Letters on the colours of the heat map can be read."""

import pytest

from flagbench.board.style import HEAT_DARK, HEAT_LIGHT, stylesheet
from flagbench.reports.page_style import DARK_PAGE, LIGHT_PAGE


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_formula() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("page", "heat"), [(LIGHT_PAGE, HEAT_LIGHT), (DARK_PAGE, HEAT_DARK)])
def test_every_colour_bears_the_pages_letters(page: dict[str, str], heat: tuple[str, ...]) -> None:
    assert len(set(heat)) == 9
    assert min(contrast(page["ink"], colour) for colour in heat) >= 4.5


@pytest.mark.parametrize("heat", [HEAT_LIGHT, HEAT_DARK])
def test_below_is_warm_and_above_is_cold(heat: tuple[str, ...]) -> None:
    """Red against blue: what stays apart for every common kind of colour blindness."""
    warmth = [int(colour[1:3], 16) - int(colour[5:7], 16) for colour in heat]
    assert warmth == sorted(warmth, reverse=True)
    assert warmth[0] > 80
    assert warmth[-1] < -80


def test_both_themes_can_be_chosen() -> None:
    sheet = stylesheet()
    for theme in ("light", "dark"):
        assert f":root[data-theme={theme}]{{color-scheme:{theme};" in sheet
    assert "http" not in sheet
    assert "@import" not in sheet
