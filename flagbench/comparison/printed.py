"""Rows that others printed, kept as they stand there, to be set beside ours."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from flagbench.audit.auditing import audit_rows
from flagbench.audit.claim import FLAGS, Claim, make_claim
from flagbench.audit.finding import Finding
from flagbench.market.asset import load_asset
from flagbench.market.market import Market
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


def printed_tables() -> list[str]:
    """Names of the installed papers."""
    return sorted(task_files("printed"))


def printed_claims(name: str) -> list[Claim]:
    """The rows of one installed paper as `flagbench audit` takes them."""
    return [claim_of(row) for row in read_yaml(PrintedRows, task_files("printed")[name]).rows]


def claim_of(row: PrintedRow) -> Claim:
    """What a printed row says, on the test window of the installed asset."""
    figures = {flag: getattr(row, metric) for flag, metric in FLAGS.items()}
    period = load_asset(row.asset).windows.test
    return make_claim(figures, asset=row.asset, period=period, name=row.agent)


def printed_rows(asset: str) -> Sequence[tuple[PrintedRows, PrintedRow]]:
    """Every installed printed row of an asset, with the paper that it is from."""
    papers = [read_yaml(PrintedRows, path) for _, path in sorted(task_files("printed").items())]
    return [(paper, row) for paper in papers for row in paper.rows if row.asset == asset]


def audit_printed(market: Market) -> tuple[Finding, ...]:
    """Every installed printed row of a market's asset, audited; none on a replica, or without its window."""
    claims = [claim_of(row) for _, row in printed_rows(market.asset.id)]
    if market.kind != "market" or not all(_covers(market, claim) for claim in claims):
        return ()
    return tuple(audit_rows(claims, lambda _: market))


def _covers(market: Market, claim: Claim) -> bool:
    period = claim.period or market.asset.windows.test
    first, last = (np.datetime64(day) for day in period)
    return bool(market.dates[0] <= first and last <= market.dates[-1])
