"""A comparison as Markdown: pipe tables, bold where an agent is in the confidence set."""

import re
from collections.abc import Sequence

from flagbench.reports.comparison_tables import Cell, PrintedTable


def comparison_markdown(tables: Sequence[PrintedTable]) -> str:
    """Every table with a heading, its notes and its caption."""
    return "\n".join(_table(table) for table in tables)


def _table(table: PrintedTable) -> str:
    lines = [f"## {escaped(table.title)}", ""]
    lines += [_line([escaped(heading) for heading in table.header])]
    lines += [_line(["---", *["---:"] * (len(table.header) - 1)])]
    lines += [_line([_cell(cell) for cell in row]) for row in table.rows]
    if table.below:
        # Markdown knows no line within a table; an empty row with words in it stands for one.
        lines.append(_line(["*not ranked:*", *[""] * (len(table.header) - 1)]))
        lines += [_line([_cell(cell) for cell in row]) for row in table.below]
    for sentence in [*table.notes, *table.caption]:
        lines += ["", escaped(sentence)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell) -> str:
    return f"**{escaped(cell.text)}**" if cell.in_set else escaped(cell.text)


def escaped(text: str) -> str:
    """Text with no letter that Markdown or a pipe table would read as its own."""
    plain = re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text)
    return plain.replace("\n", " ")
