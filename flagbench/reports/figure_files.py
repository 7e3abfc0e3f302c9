"""A figure as SVG for a page that is light or dark, and as PNG and PDF files."""

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from flagbench.errors import ConfigError
from flagbench.reports.figure_style import DARK, WIDE
from flagbench.reports.own_style import own_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
"""The letters of page and figures: those of the reader's own system."""

_STYLE = re.compile(r'style="[^"]*"')
_COLOUR = re.compile(r"#[0-9a-f]{6}")


class Picture(NamedTuple):
    """A figure that can be drawn in any width, and what it says in words."""

    name: str
    """Of its files, without an ending; no other picture of a report has it."""
    draw: Callable[[float], "Figure"]
    """Makes it anew, so many inches wide."""
    alt: str
    """What it shows, with its main figures, for who cannot see it."""
    caption: str
    """How to read it."""


def svg_of(picture: Picture, width: float) -> str:
    """The picture as SVG, so many inches wide, whose colours follow the reader's choice of light or dark.

    Words stay text, in the fonts of the page. The same picture gives the same bytes.
    """
    from matplotlib import rc_context

    stream = StringIO()
    with own_style(), rc_context({"svg.fonttype": "none", "svg.hashsalt": "flagbench"}):
        picture.draw(width).savefig(stream, format="svg", metadata={"Date": None})
    _, start, body = stream.getvalue().partition("<svg")
    drawn = _STYLE.sub(_themed, body)
    return start + drawn.replace("</svg>", f"<style>{_stylesheet()}</style></svg>")


def _themed(style: "re.Match[str]") -> str:
    return _COLOUR.sub(lambda colour: f"var({_variable(colour[0])})", style[0])


def _variable(colour: str) -> str:
    return f"--c{colour[1:]}"


def _stylesheet() -> str:
    light = "".join(f"{_variable(colour)}:{colour};" for colour in DARK)
    dark = "".join(f"{_variable(colour)}:{other};" for colour, other in DARK.items())
    return (
        f"svg{{{light}}}"
        f"@media (prefers-color-scheme:dark){{svg{{{dark}}}}}"
        # matplotlib names its own fonts in each text, and no colour where it is black.
        f"text{{font-family:{FONTS} !important;fill:var({_variable('#000000')})}}"
    )


def write_pictures(pictures: list[Picture], folder: Path) -> None:
    """Write each picture as PNG and as PDF, light, as wide as on a desktop.

    Raises:
        ConfigError: the folder cannot be written.
    """
    from matplotlib import rc_context

    try:
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            # TrueType, which publishers ask for; and no date, so that the same run gives the same file.
            with own_style(), rc_context({"pdf.fonttype": 42}):
                figure = picture.draw(WIDE)
                figure.savefig(folder / f"{picture.name}.png")
                figure.savefig(folder / f"{picture.name}.pdf", metadata={"CreationDate": None})
    except OSError as error:
        raise ConfigError(
            f"the figures cannot be written to {folder}: {error}", hint="choose another --figures"
        ) from error
