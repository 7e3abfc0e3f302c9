"""Tables on stdout."""

import os
import sys
from typing import Any

from flagbench.reports.score_table import TableText

UNBOUNDED = 100_000
"""Columns; wider than any table, so that nothing is wrapped or cut in a file or a pipe."""


def print_json(value: Any) -> None:
    """One JSON object on stdout and nothing else."""
    import json

    print(json.dumps(value, allow_nan=False, indent=2))


def print_tables(tables: list[TableText]) -> None:
    """Tables with their notes, as wide as they need to be when stdout is no terminal."""
    from rich.console import Console
    from rich.text import Text

    # A terminal may wrap a long line of figures; a figure that is cut would be another figure.
    fits = sys.stdout.isatty() and not any(table.numeric for table in tables)
    console = Console(highlight=False, width=None if fits else UNBOUNDED)
    # rich itself would leave with 1 when the reader of a pipe has left, so only `print` writes.
    with console.capture() as captured:
        for table in tables:
            console.print(Text(table.title, style="bold"))  # a table's own title is wrapped to its width
            console.print(_rich(table))
            for note in table.notes:
                console.print(note, markup=False)
    print(captured.get(), end="")


def _rich(table: TableText) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(table.header):
        drawn.add_column(Text(heading), justify="right" if table.numeric and index else "left")
    for row in table.rows:
        drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def leave_process_group() -> None:
    """A launcher's processes must part in order, or torch warns of a leak."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()
