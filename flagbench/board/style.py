"""The style sheet of the board: that of a report, themes to choose from, and the board's own rules."""

from importlib.resources import files

from flagbench.reports.figure_style import DARK
from flagbench.reports.page_style import DARK_PAGE, LIGHT_PAGE, STYLESHEET, variables
from flagbench.reports.retention_plot import BUY_AND_HOLD, COLOURS

HEAT_LIGHT = (
    "#e08b3e",
    "#f0ad6b",
    "#f7cfa3",
    "#fce8d2",
    "#f4f4f4",
    "#dceaf4",
    "#b5d4ea",
    "#86b9de",
    "#5c9fd1",
)
"""Orange for below buy-and-hold, blue for above, which the colour-blind can tell apart. The page's letters
have a contrast of 4.5 on every one of them, as WCAG 2.2 asks for."""

HEAT_DARK = (
    "#8f4a12",
    "#70401a",
    "#52341f",
    "#3a2d22",
    "#262b32",
    "#1f3240",
    "#1e4058",
    "#1d5075",
    "#1f6090",
)
"""The same on a dark page."""


def stylesheet() -> str:
    """Colours for both themes, then the rules."""
    light, dark = variables(_colours(dark=False)), variables(_colours(dark=True))
    rules = (files("flagbench") / "board" / "board.css").read_text(encoding="utf-8")
    return (
        f"{STYLESHEET}\n"
        f":root{{{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
        f":root[data-theme=light]{{color-scheme:light;{variables(LIGHT_PAGE)}{light}}}\n"
        f":root[data-theme=dark]{{color-scheme:dark;{variables(DARK_PAGE)}{dark}}}\n"
        f"{rules}"
    )


def _colours(*, dark: bool) -> dict[str, str]:
    """Curves, marks and heat, by name."""
    drawn = {f"curve{index}": colour for index, colour in enumerate(COLOURS)} | {"held": BUY_AND_HOLD}
    shown = {name: DARK[colour] if dark else colour for name, colour in drawn.items()}
    heat = HEAT_DARK if dark else HEAT_LIGHT
    return shown | {f"heat{index}": colour for index, colour in enumerate(heat)}
