import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from matplotlib import rc_context

from flagbench.errors import ConfigError
from flagbench.reports.figure_files import Picture, svg_of, write_pictures
from flagbench.reports.figure_style import DARK, LONG, calm, curve_colour, curve_style, new_figure
from flagbench.reports.retention_plot import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def svg_text(title: str = "a title") -> str:
    return svg_of(Picture("one", lambda width: figure(width, title), "", ""), 4.0)


def figure(width: float = 4.0, title: str = "a title") -> "Figure":
    made = new_figure(width, 2)
    axes = made.add_subplot()
    calm(axes)
    axes.plot([0, 1], [1, 2], color=COLOURS[0])
    axes.axvspan(0, 0.5, color=LONG)
    axes.set_title(title, parse_math=False)
    return made


def test_every_colour_of_a_figure_has_one_for_dark_pages() -> None:
    drawn, _, style = svg_text().rpartition("<style>")
    assert not re.findall(r'style="[^"]*#', drawn)
    used = set(re.findall(r"var\((--c[0-9a-f]{6})\)", drawn))
    assert {f"--c{COLOURS[0][1:]}", f"--c{LONG[1:]}", "--cffffff"} <= used
    light, _, dark = style.partition("prefers-color-scheme:dark")
    for name in used:
        assert f"{name}:#{name[3:]};" in light
        assert f"{name}:{DARK['#' + name[3:]]};" in dark


def test_what_is_light_on_a_light_page_is_dark_on_a_dark_one() -> None:
    def brightness(colour: str) -> int:
        return sum(int(colour[place : place + 2], 16) for place in (1, 3, 5))

    assert brightness(DARK["#ffffff"]) < 100
    assert brightness(DARK["#000000"]) > 600
    for colour in COLOURS:
        assert brightness(DARK[colour]) > brightness(colour)


def test_words_stay_text_in_the_fonts_of_the_page() -> None:
    root = ElementTree.fromstring(svg_text("a <b> & $x^$ title"))  # noqa: S314 our own
    words = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert "a <b> & $x^$ title" in words
    assert "system-ui" in svg_text()


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert svg_text() == svg_text()


def test_what_a_user_or_another_library_has_set_changes_no_figure(tmp_path: Path) -> None:
    """Importing quantstats sets colours and fonts of all figures of a process."""
    picture = Picture("equity", figure, "", "")
    write_pictures([picture], tmp_path / "before")
    before = svg_text()
    with rc_context({"text.color": "#333333", "axes.titlesize": 30, "savefig.dpi": 20, "axes.grid": True}):
        assert svg_text() == before
        write_pictures([picture], tmp_path / "after")
    for name in ("equity.png", "equity.pdf"):
        assert (tmp_path / "after" / name).read_bytes() == (tmp_path / "before" / name).read_bytes()


def test_the_first_24_curves_all_look_different() -> None:
    assert len({(curve_colour(index), str(curve_style(index))) for index in range(24)}) == 24


def test_pictures_are_written_twice_each(tmp_path: Path) -> None:
    picture = Picture("equity", figure, "", "")
    write_pictures([picture], tmp_path / "new" / "figures")
    folder = tmp_path / "new" / "figures"
    assert (folder / "equity.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert (folder / "equity.pdf").read_bytes().startswith(b"%PDF-")
    assert len(list(folder.iterdir())) == 2
    first = (folder / "equity.pdf").read_bytes()
    write_pictures([picture], folder)
    assert (folder / "equity.pdf").read_bytes() == first


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConfigError, match="taken"):
        write_pictures([Picture("equity", figure, "", "")], tmp_path / "taken")
