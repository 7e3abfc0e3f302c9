"""The table of a track: all entries, to be sorted and filtered by the script, and complete without it."""

from collections.abc import Sequence

from markupsafe import Markup

from flagbench.board.columns import COLUMNS, MORE, Cell, Column
from flagbench.board.entry import Entry
from flagbench.board.shell import entry_address, name_html
from flagbench.board.standing import Reference, Standing

SHORT = COLUMNS[:2]
"""Columns of the overview."""

NAMES = {"buy-and-hold": "= buy-and-hold", "always-flat": "= always-flat"}
"""How an agent that collapsed to a policy is marked."""


def entries_table(standing: Standing, *, key: str = "entries") -> Markup:
    """All entries of a track with the form that filters them.

    Args:
        standing: the track.
        key: the table's address in the page.
    """
    return Markup(
        '<div>{form}<p class="count" role="status"></p>\n'
        '<div class="table" role="region" tabindex="0" aria-label="{caption}">\n'
        '<table class="figures entries" id="{key}">\n<caption>{caption}</caption>\n'
        "<thead><tr>{heads}</tr></thead>\n{bodies}</table>\n</div>\n"
        '<p class="more" hidden><button type="button">Show all</button></p></div>\n'
    ).format(
        form=_form(key),
        caption=f"All entries of {standing.title}",
        key=key,
        heads=_heads(),
        bodies=Markup("").join(_bodies(standing)),
    )


def short_table(standing: Standing, placed: Sequence[Entry | Reference]) -> Markup:
    """Some rows with few columns, for the overview.

    Args:
        standing: the track.
        placed: the rows.
    """
    heads = Markup("").join(Markup('<th scope="col">{}</th>').format(column.heading) for column in SHORT)
    rows = Markup("").join(_short_row(standing, each) for each in placed)
    return Markup(
        '<div class="table" role="region" tabindex="0" aria-label="{caption}">\n'
        '<table class="figures entries">\n<caption>{caption}</caption>\n'
        '<thead><tr><th scope="col" class="who">Agent</th>{heads}<th scope="col" class="words">Badge</th>'
        "</tr></thead>\n<tbody>{rows}</tbody></table>\n</div>\n"
    ).format(caption=f"The first entries of {standing.title}", heads=heads, rows=rows)


def _short_row(standing: Standing, row: Entry | Reference) -> Markup:
    is_reference = isinstance(row, Reference)
    return Markup('<tr{}><th scope="row" class="who">{}</th>{}<td class="words">{}</td></tr>\n').format(
        Markup(' class="reference"') if is_reference else "",
        _reference_name(standing, row) if isinstance(row, Reference) else _link(standing, row),
        _cells(standing, row, SHORT),
        "" if isinstance(row, Reference) else badge_html(row),
    )


def _form(key: str) -> Markup:
    return Markup("""<form class="filters" data-table="{}" hidden>
<label class="field">Name, author or backbone<input type="search" name="words" autocomplete="off"></label>
<label class="field">Badge<select name="badge"><option value="">any</option>
<option value="reproduced">reproduced</option><option value="replayed">replayed</option>
<option value="not-reproduced">not reproduced</option></select></label>
<label class="tick"><input type="checkbox" data-hides="collapsed">hide collapsed</label>
<label class="tick"><input type="checkbox" data-hides="pretraining">hide inside pre-training</label>
</form>
""").format(key)


def _heads() -> Markup:
    heads = [
        Markup('<th scope="col">{}</th>').format(MORE["rank"][0]),
        Markup('<th scope="col" class="who" data-first="ascending">Agent</th>'),
    ]
    for index, column in enumerate(COLUMNS):
        heads.append(
            Markup('<th scope="col" data-first="{}"{}{}>{}</th>').format(
                column.first,
                Markup(' class="primary" aria-sort="descending"') if index == 0 else "",
                Markup(""),
                column.heading,
            )
        )
    heads.append(Markup('<th scope="col" class="words">Badge and marks</th>'))
    return Markup("").join(heads)


def _bodies(standing: Standing) -> list[Markup]:
    ranked = [row for row in standing.placed if isinstance(row, Reference) or row.is_ranked]
    groups: list[tuple[str, Sequence[Entry | Reference]]] = [
        ("", ranked),
        ("listed, not ranked", standing.listed),
        ("calibration, not ranked: given the future", standing.calibration),
    ]
    return [_body(heading, [_row(standing, row) for row in rows]) for heading, rows in groups if rows]


def _body(heading: str, rows: Sequence[Markup]) -> Markup:
    above = Markup('<tr class="group"><th scope="rowgroup" colspan="{}"><span>{}</span></th></tr>\n').format(
        len(COLUMNS) + 3, heading
    )
    return Markup("<tbody>\n{}{}</tbody>\n").format(above if heading else "", Markup("").join(rows))


def _row(standing: Standing, row: Entry | Reference) -> Markup:
    if isinstance(row, Reference):
        return Markup(
            '<tr class="reference" data-row data-always><td></td><th scope="row" class="who">{}</th>{}'
            '<td class="words marks"></td></tr>\n'
        ).format(_reference_name(standing, row), _cells(standing, row, COLUMNS))
    return _entry_row(standing, row)


def _entry_row(standing: Standing, entry: Entry) -> Markup:
    marks = marks_of(entry)
    return Markup(
        '<tr data-row data-badge="{badge}" data-marks="{marks}" data-words="{words}"><td>{rank}</td>'
        '<th scope="row" class="who">{who}</th>{cells}<td class="words marks">{seal} {shown}</td></tr>\n'
    ).format(
        badge=entry.status,
        marks=" ".join(marks),
        words=search_words(entry),
        rank=standing.place(entry) or "–",
        who=_link(standing, entry),
        cells=_cells(standing, entry, COLUMNS),
        seal=badge_html(entry),
        shown=marks_html(entry),
    )


def _cells(standing: Standing, row: Entry | Reference, columns: Sequence[Column]) -> Markup:
    return Markup("").join(
        _cell(column, column.held(row) if isinstance(row, Reference) else column.cell(row, standing))
        for column in columns
    )


def _cell(column: Column, cell: Cell) -> Markup:
    """The value stands in the attribute in full only where it is sorted by, to seven digits."""
    return Markup("<td{kind}{value}>{text}{below}</td>").format(
        kind=Markup(' class="primary"') if column.key == COLUMNS[0].key else "",
        value="" if cell.value is None else Markup(' data-v="{:.7g}"').format(cell.value),
        text=cell.text,
        below=Markup("<small>{}</small>").format(cell.below) if cell.below else "",
    )


def _link(standing: Standing, entry: Entry) -> Markup:
    return Markup('<a href="{}">{}</a><small>{} · {}</small>').format(
        entry_address(standing.id, entry.name),
        name_html(entry.label),
        entry.submission.date.isoformat(),
        name_html(", ".join(entry.submission.card.authors)),
    )


def _reference_name(standing: Standing, reference: Reference) -> Markup:
    name = Markup("buy-and-hold")
    if reference.entries:
        # Whoever hands in the same actions later does not get the reader who looks for the reference.
        first = min(reference.entries, key=lambda each: (each.status != "reproduced", each.submission.date))
        address = entry_address(standing.id, first.name)
        name = Markup('<a href="{}">buy-and-hold</a>').format(address)
    return Markup("{}<small>computed</small>").format(name)


def search_words(entry: Entry) -> str:
    """What a reader may look for that the row does not show."""
    card = entry.submission.card
    backbone = [] if card.backbone is None else [card.backbone.name]
    return " ".join([*card.authors, *backbone, entry.submission.agent.name, card.description])


def badge_html(entry: Entry) -> Markup:
    """The badge as a word in a frame."""
    return Markup('<span class="badge {}">{}</span>').format(entry.status, entry.status.replace("-", " "))


def marks_of(entry: Entry) -> dict[str, list[str]]:
    """The marks of an entry: what each says, under its key of `MORE`."""
    assets = entry.results.assets
    cells = sum(len(asset.seeds) for asset in assets)
    policies = sorted({name for asset in assets for name in asset.collapsed})
    collapsed = [
        f"{NAMES.get(name, f'= {name}')} in {sum(asset.collapsed.get(name, 0) for asset in assets)} of "
        f"{cells}"
        for name in policies
    ]
    inside = sum(asset.pretraining == "inside" for asset in assets)
    unknown = sum(asset.pretraining == "unknown" for asset in assets)
    found = {
        "calibration": [] if entry.results.ranked else ["calibration"],
        "collapsed": collapsed,
        "pretraining": [f"inside pre-training on {inside} of {len(assets)}"] if inside else [],
        "cut-off": ["cut-off unknown"] if unknown else [],
    }
    return {key: texts for key, texts in found.items() if texts}


def marks_html(entry: Entry) -> Markup:
    """All marks, each in a frame."""
    texts = [text for found in marks_of(entry).values() for text in found]
    return Markup(" ").join(Markup('<span class="mark">{}</span>').format(text) for text in texts)
