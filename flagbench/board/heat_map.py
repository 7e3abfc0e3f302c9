"""Assets by agents: each cell a figure on a colour, so that nobody needs the colour to read it."""

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from flagbench.board.columns import number_text
from flagbench.board.entry import Entry
from flagbench.board.forest import cut_note, first_entries
from flagbench.board.shell import entry_address, name_html
from flagbench.board.standing import Standing
from flagbench.reports.page import paragraph

CUTS = (-2.0, -1.0, -0.5, -0.1, 0.1, 0.5, 1.0, 2.0)
"""Between the nine colours, in yearly Sharpe ratios. In a window of 150 days their standard error is about
1.3, so the middle colours are differences that mean nothing."""


def heat_map(standing: Standing) -> Markup:
    """The Sharpe ratio less buy-and-hold's, asset by asset."""
    chosen = first_entries(standing)
    assets = [asset.asset for asset in chosen[0].results.assets] if chosen else []
    words = (
        "Sharpe ratio less buy-and-hold's, asset by asset, interquartile mean over seeds. Bold: in the "
        "90 % confidence set of mean daily return on that asset; it means nothing "
        f"else.{cut_note(standing)}"
    )
    heads = Markup("").join(Markup('<th scope="col">{}</th>').format(asset) for asset in assets)
    rows = Markup("").join(_row(standing, entry, assets) for entry in chosen)
    return Markup(
        '{}<div class="table" role="region" tabindex="0" aria-label="Heat map of assets and agents">\n'
        '<table class="heat">\n<caption>Assets and agents</caption>\n'
        '<thead><tr><th scope="col">Agent</th>{}</tr></thead>\n'
        "<tbody>\n{}</tbody></table>\n</div>\n{}"
    ).format(paragraph(words), heads, rows, _key())


def heat(value: float) -> int:
    """The colour of a difference: 0 for far below buy-and-hold, 4 for about the same, 8 for far above."""
    return sum(value > cut for cut in CUTS)


def _row(standing: Standing, entry: Entry, assets: Sequence[str]) -> Markup:
    found = {asset.asset: asset.paired.value for asset in entry.results.assets}
    cells = Markup("").join(_cell(standing, entry, asset, found.get(asset)) for asset in assets)
    return Markup('<tr><th scope="row"><a href="{}">{}</a></th>{}</tr>\n').format(
        entry_address(standing.id, entry.name), name_html(entry.label), cells
    )


def _cell(standing: Standing, entry: Entry, asset: str, value: float | None) -> Markup:
    if value is None:
        return Markup('<td class="none">–</td>')
    test = standing.joint.tests.get(asset)
    bold = test is not None and test.in_set.get(entry.name, False)
    text = number_text(value)
    if bold:
        text = Markup("<strong>{}</strong>").format(text)
    return Markup('<td class="h{}">{}</td>').format(heat(value), text)


def _key() -> Markup:
    """The colours in words."""
    texts = [
        f"below {number_text(CUTS[0])}",
        *(f"{number_text(low)} to {number_text(high)}" for low, high in pairwise(CUTS)),
        f"above {number_text(CUTS[-1])}",
    ]
    items = Markup("").join(
        Markup('<li class="h{}">{}</li>').format(index, text) for index, text in enumerate(texts)
    )
    return Markup('<ul class="key" aria-label="Colours of the heat map">{}</ul>\n').format(items)
