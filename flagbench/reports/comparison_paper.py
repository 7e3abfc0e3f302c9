"""The layout of FLAG-Trader's own tables: CR, SR, AV and MDD, printed rows beside ours and named as such."""

from collections.abc import Iterator

from flagbench.audit.explanation import sentences
from flagbench.comparison.comparison import AgentResult, AssetResult, Comparison
from flagbench.comparison.printed import PrintedRow, PrintedRows, printed_rows
from flagbench.reports.comparison_caption import asset_caption
from flagbench.reports.comparison_tables import Cell, PrintedTable, seeds_text, spread_text
from flagbench.scoring.metric import Unit

HEADER = ["agent", "seeds", "CR, % [95 %]", "SR [95 %]", "AV, %", "MDD, % [resampled range]"]

COLUMNS = ("cumulative_return", "sharpe_ratio", "annualized_volatility", "max_drawdown")


def paper_tables(comparison: Comparison) -> list[PrintedTable]:
    """One table an asset: ours, below a line who is not ranked, then what was printed."""
    return [_table(comparison, asset) for asset in comparison.assets]


def _table(comparison: Comparison, asset: AssetResult) -> PrintedTable:
    printed = list(printed_rows(asset.asset_id)) if asset.kind == "market" else []
    below = [_ours(agent) for agent in asset.agents if not agent.ranked]
    below += [_theirs(paper, row) for paper, row in printed]
    return PrintedTable(
        title=f"{asset.label}: the paper's layout",
        caption=[*asset_caption(comparison, asset), *_basis(comparison, printed)],
        header=list(HEADER),
        rows=[_ours(agent) for agent in asset.agents if agent.ranked],
        below=below,
        notes=[*asset.notes, *_remarks(asset, printed)],
    )


def _ours(agent: AgentResult) -> list[Cell]:
    units: tuple[Unit, ...] = ("fraction", "ratio", "fraction", "fraction")
    texts = [spread_text(agent.metrics[name], unit) for name, unit in zip(COLUMNS, units, strict=True)]
    cells = [Cell(texts[0], in_set=bool(agent.in_confidence_set)), *map(Cell, texts[1:])]
    return [Cell(agent.label), Cell(seeds_text(agent.seeds) or "computed"), *cells]


def _theirs(paper: PrintedRows, row: PrintedRow) -> list[Cell]:
    figures = [getattr(row, name) for name in COLUMNS]
    return [Cell(f"{row.agent}, as printed in {paper.source}"), Cell("not stated"), *map(Cell, figures)]


def _basis(comparison: Comparison, printed: list[tuple[PrintedRows, PrintedRow]]) -> Iterator[str]:
    if not printed:
        yield "No printed row of this asset is kept."
        return
    yield (
        "Rows `as printed` were copied, not computed: they have no interval, no seeds and no known trials, "
        "and no test here includes them."
    )
    yield (
        "The printed Buy & Hold holds from the window's first close on. Ours fill an order after the close "
        "that it was decided on, so the first day is never theirs in full."
    )
    if comparison.protocol.scoring != "paper":
        yield (
            f"Ours follow protocol {comparison.protocol.id}, whose figures are of simple returns after cost: "
            "for the printed convention compare runs under protocol paper."
        )
    for _, row in printed:
        yield f"{row.agent}, as printed, convention: {row.convention}."


def _remarks(asset: AssetResult, printed: list[tuple[PrintedRows, PrintedRow]]) -> Iterator[str]:
    for _, row in printed:
        if row.remark:
            yield f"{row.agent}, as printed: {' '.join(row.remark.split())}"
    if not printed or asset.audits is None:
        return
    if not asset.audits:
        yield "The printed rows were not audited: the runs' prices do not cover their window."
    for finding in asset.audits:
        flags = f" ({', '.join(finding.flags)})" if finding.flags else ""
        found = f"{finding.claim.name}, as printed, audit: {finding.verdict}{flags}."
        yield " ".join([found, *sentences(finding)])
