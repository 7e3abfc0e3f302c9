"""A comparison for a terminal: as wide as it needs to be, bold and a star where an agent is in the set."""

from collections.abc import Sequence
from typing import Any

from flagbench.reports.comparison_tables import Cell, PrintedTable

UNBOUNDED = 100_000
"""Columns; a figure that is wrapped or cut would be another figure."""

CAPTION_WIDTH = 110
"""Columns that sentences are wrapped at, as wide as the project's lines."""

LINES = "    \n    \n ── \n    \n ── \n ── \n    \n    \n"
"""rich's SIMPLE_HEAD with a line between sections too: under the head, and above who is not ranked."""

STAR = " *"
"""Stands beside bold, which a file or a pipe does not show."""


def comparison_terminal(tables: Sequence[PrintedTable], *, styled: bool) -> str:
    """Every table with its title, its caption and its notes.

    Args:
        tables: from `comparison_tables`.
        styled: whether the reader is a terminal, which can show bold.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(
        highlight=False, width=UNBOUNDED, force_terminal=styled, color_system="standard" if styled else None
    )
    with console.capture() as captured:
        for table in tables:
            console.print(Text(table.title, style="bold underline"))
            console.print(_drawn(table))
            starred = any(cell.in_set for row in table.rows for cell in row)
            meaning = [f"{STAR.strip()} stands for bold, where bold is not shown"] if starred else []
            for line in wrapped([*table.notes, *meaning, *table.caption]):
                console.print(line, markup=False)
            console.print()
    return captured.get()


def wrapped(sentences: Sequence[str]) -> list[str]:
    """Sentences at most `CAPTION_WIDTH` wide, the later lines of one indented."""
    from textwrap import wrap

    return [line for text in sentences for line in wrap(text, CAPTION_WIDTH, subsequent_indent="  ")]


def _drawn(table: PrintedTable) -> Any:
    from rich.box import Box
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=Box(LINES), pad_edge=False)
    for index, heading in enumerate(table.header):
        drawn.add_column(Text(heading), justify="right" if index else "left")
    has_star = any(cell.in_set for row in [*table.rows, *table.below] for cell in row)

    def text(cell: Cell, column: int) -> Text:
        starred = has_star and any(row[column].in_set for row in table.rows)
        mark = (STAR if cell.in_set else " " * len(STAR)) if starred else ""
        return Text(cell.text + mark, style="bold" if cell.in_set else "")

    for row in table.rows:
        drawn.add_row(*(text(cell, column) for column, cell in enumerate(row)))
    if table.below:
        drawn.add_section()
    for row in table.below:
        drawn.add_row(*(text(cell, column) for column, cell in enumerate(row)))
    return drawn
