"""A comparison as a fragment of HTML, for a page that brings its own style. All text is escaped."""

from html import escape

from flagbench.comparison.comparison import Comparison
from flagbench.reports.comparison_tables import Cell, PrintedTable, comparison_tables, said_once


def comparison_html(comparison: Comparison) -> str:
    """All tables of a comparison in one `section`; `strong` means "in the confidence set", nothing else."""
    return tables_html(said_once(comparison_tables(comparison)))


def tables_html(tables: list[PrintedTable]) -> str:
    """Tables with caption, notes and explanation, in one `section`."""
    return '<section class="comparison">\n' + "".join(_table(table) for table in tables) + "</section>\n"


def _table(table: PrintedTable) -> str:
    heads = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in table.header)
    body = "".join(_row(row) for row in table.rows)
    below = "".join(_row(row) for row in table.below)
    parts = [
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(table.title)}">\n<table>\n',
        f"<caption>{escape(table.title)}</caption>\n",
        f"<thead><tr>{heads}</tr></thead>\n",
        f"<tbody>\n{body}</tbody>\n",
        f'<tbody class="unranked">\n{below}</tbody>\n' if below else "",
        "</table>\n</div>\n",
        _list(table.notes),
        "".join(f"<p>{escape(sentence)}</p>\n" for sentence in table.caption),
    ]
    return "".join(parts)


def _list(notes: list[str]) -> str:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<ul>{items}</ul>\n" if items else ""


def _row(row: list[Cell]) -> str:
    head, *rest = row
    cells = "".join(f"<td>{_text(cell)}</td>" for cell in rest)
    return f'<tr><th scope="row">{_text(head)}</th>{cells}</tr>\n'


def _text(cell: Cell) -> str:
    return f"<strong>{escape(cell.text)}</strong>" if cell.in_set else escape(cell.text)
