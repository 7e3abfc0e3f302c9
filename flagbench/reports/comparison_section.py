"""Runs held against each other as a section of a page."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from flagbench.comparison.building import compare
from flagbench.comparison.comparison import Comparison
from flagbench.errors import FlagbenchError
from flagbench.reports.comparison_tables import Cell, PrintedTable, comparison_tables
from flagbench.reports.page import Section, data_table, notes, notice
from flagbench.reports.score_table import TableText

KEY, TITLE = "comparison", "Comparison"


def comparison_section(paths: Sequence[Path], *, data: str | None) -> Section:
    """All tables of a comparison; where runs cannot be compared, why.

    Args:
        paths: runs' folders, seeds' folders, or folders above them.
        data: a data folder instead of the one that the records name.
    """
    try:
        comparison = compare(paths, data=data)
    except FlagbenchError as error:
        return Section(KEY, TITLE, [notice(f"These runs are not compared: {error.message}.")])
    return Section(KEY, TITLE, comparison_content(comparison))


def comparison_content(comparison: Comparison) -> list[Markup]:
    """The tables with their captions below them; bold means "in the confidence set" and nothing else."""
    return [part for table in comparison_tables(comparison) for part in _table(table)]


def _table(table: PrintedTable) -> list[Markup]:
    rows, below = ([list(map(_cell, row)) for row in part] for part in (table.rows, table.below))
    text = TableText(table.title, table.header, rows, table.notes)
    shown = data_table(text, groups={"": rows, "not ranked": below})
    return [shown, notes(table.caption)]


def _cell(cell: Cell) -> str:
    return Markup("<strong>{}</strong>").format(cell.text) if cell.in_set else cell.text
