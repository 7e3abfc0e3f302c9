"""Rows that others printed, kept as they stand there, to be set beside ours."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from flagbench.registry import task_files
from flagbench.settings import Settings, read_yaml

Printed = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$")]


class PrintedRow(Settings):
    """One row; figures in percent as printed, but for the Sharpe ratio."""

    asset: str
    agent: str
    cumulative_return: Printed
    sharpe_ratio: Printed
    annualized_volatility: Printed
    max_drawdown: Printed
    convention: str
    """How the figures were computed, as far as it is known."""
    remark: str = ""
    """What is known to be wrong with them."""


class PrintedRows(Settings):
    """The rows of one paper."""

    paper: str
    source: str
    """Where they are printed."""
    rows: tuple[PrintedRow, ...]


def printed_rows(asset: str) -> Sequence[tuple[PrintedRows, PrintedRow]]:
    """Every installed printed row of an asset, with the paper that it is from."""
    papers = [read_yaml(PrintedRows, path) for _, path in sorted(task_files("printed").items())]
    return [(paper, row) for paper in papers for row in paper.rows if row.asset == asset]
