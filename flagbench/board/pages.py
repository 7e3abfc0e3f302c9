"""The pages of the board that are no single entry's: overview, tracks, columns, and two side by side."""

import json
from collections.abc import Sequence

from markupsafe import Markup

from flagbench.board import shell
from flagbench.board.columns import COLUMNS, MORE
from flagbench.board.forest import forest
from flagbench.board.heat_map import heat_map
from flagbench.board.shell import Shell, track_address
from flagbench.board.standing import Standing, verdict
from flagbench.board.table import entries_table, short_table
from flagbench.reports.knowledge_table import p_value_text
from flagbench.reports.page import Section, data_table, facts, notes, notice, paragraph
from flagbench.reports.score_table import TableText

FIRST = 5
"""Rows of a track on the overview."""


def index_page(board: Shell, standings: Sequence[Standing]) -> str:
    """The overview: each track, who leads it, and its first entries."""
    content: list[Markup | Section] = [
        paragraph(
            "Every figure is recomputed from the actions that were handed in, on markets whose content "
            "is known by its hash. An entry is ranked once a maintainer has trained a seed of it again; "
            "until then it is listed."
        )
    ]
    for standing in standings:
        first = standing.placed[:FIRST]
        content.append(
            Section(
                standing.id,
                standing.title,
                [
                    paragraph(standing.description) if standing.description else Markup(""),
                    notice(verdict(standing)),
                    short_table(standing, first),
                    Markup('<p><a href="{}">All {} entries of {}</a></p>\n').format(
                        track_address(standing.id), len(standing.compared), standing.title
                    ),
                ],
            )
        )
    if not standings:
        content.append(notice("No submission yet."))
    return board.page(
        shell.INDEX, "flagbench leaderboard", content, lead="Trading agents, held against buy-and-hold."
    )


def track_page(board: Shell, standing: Standing) -> str:
    """All entries of a track: table, forest plot, heat map, and the tests of all at once."""
    protocols = sorted({entry.results.protocol for entry in standing.entries})
    return board.page(
        track_address(standing.id),
        standing.title,
        [
            notice(verdict(standing)),
            facts(
                f"{len(standing.ranked)} ranked, {len(standing.listed)} listed, "
                f"{len(standing.calibration)} for calibration; protocol {', '.join(protocols)}",
                Markup('<a href="{}">What each column means</a>').format(shell.COLUMNS),
            ),
            Section("table", "Entries", [entries_table(standing)]),
            Section("forest", "How sure the differences are", [forest(standing)]),
            Section("heat", "Asset by asset", [heat_map(standing)]),
            Section("tests", "All ranked entries at once", list(_joint(standing))),
        ],
        lead=standing.description,
        wide=True,
    )


def _joint(standing: Standing) -> list[Markup]:
    if not standing.ranked:
        return [paragraph("Nobody is ranked yet, so nothing is tested.")]
    entry = standing.entries[0]
    rows, remarks = [], []
    for asset in entry.results.assets:
        test = standing.joint.tests.get(asset.asset)
        if test is None:
            continue
        inside = sum(test.in_set.values())
        p_value = "–" if test.spa_p_value is None else p_value_text(test.spa_p_value)
        members = f"{inside} of {len(test.in_set)}" if test.in_set else "–"
        rows.append(
            [
                asset.asset,
                asset.name,
                f"{asset.period[0]} to {asset.period[1]}",
                str(asset.bars - 1),
                p_value,
                members,
            ]
        )
        if test.reason:
            remarks.append(f"{asset.asset}: {test.reason}")
    remarks.append(
        "SPA: p-value of the hypothesis that no ranked agent earns more a day than buy-and-hold (Hansen, "
        "2005). Confidence set: how many, buy-and-hold among them, cannot be told from the best at 90 % "
        "(Hansen, Lunde and Nason, 2011)."
    )
    header = ["asset", "name", "test window", "returns", "SPA, p", "in the confidence set"]
    return [data_table(TableText("Tests of mean daily return", header, rows, remarks))]


def columns_page(board: Shell) -> str:
    """Every column and every mark in two sentences."""
    own = [(column.key, column.heading, column.explanation) for column in COLUMNS]
    more = [(key, heading, words) for key, (heading, words) in MORE.items()]
    items = Markup("").join(
        Markup('<dt id="{}">{}</dt>\n<dd>{}</dd>\n').format(key, heading, " ".join(words))
        for key, heading, words in [*own, *more]
    )
    return board.page(
        shell.COLUMNS,
        "What each column means",
        [Markup('<dl class="explained">\n{}</dl>\n').format(items)],
        lead="Two sentences each. The interquartile mean leaves out the lowest and the highest quarter.",
    )


def compare_page(board: Shell) -> str:
    """Two entries of a track side by side; the script fills it in."""
    columns = [[column.key, column.heading, column.digits, column.scale] for column in COLUMNS]
    return board.page(
        shell.COMPARE,
        "Two entries side by side",
        [
            Markup("<noscript>{}</noscript>").format(notice("This page needs its script.")),
            Markup("""<div data-columns="{columns}">
<form class="choose" hidden>
<label>Track<select name="track"></select></label>
<label>First<select name="a"></select></label>
<label>Second<select name="b"></select></label>
</form>
<p class="count" role="status"></p>
<div class="chosen" hidden>
<p class="links"></p>
{whole}
{notes}
{each}
<h2>Equity and drawdown</h2>
<ul class="legend"></ul>
<div class="curves"></div>
</div>
</div>
""").format(
                columns=json.dumps(columns, separators=(",", ":")),
                whole=_pair_table("Over all assets and seeds"),
                each=_pair_table("Asset by asset"),
                notes=notes(
                    [
                        "The difference is the first less the second. It is no test: two entries whose "
                        "intervals overlap may still differ, since both saw the same days."
                    ]
                ),
            ),
        ],
        wide=True,
    )


def _pair_table(caption: str) -> Markup:
    return Markup(
        '<div class="table" role="region" tabindex="0" aria-label="{0}">'
        '<table class="pair"><caption>{0}</caption>\n'
        '<thead><tr><td></td><th scope="col">First</th><th scope="col">Second</th>'
        '<th scope="col">Difference</th></tr></thead><tbody></tbody></table></div>'
    ).format(caption)
