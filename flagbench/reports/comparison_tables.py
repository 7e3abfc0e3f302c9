"""A comparison as tables of text: what every format prints, with nothing of a format in it."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from flagbench.comparison.comparison import AgentResult, AssetResult, Comparison, CostPoint, Endpoint, Spread
from flagbench.registry import load_metrics
from flagbench.reports.comparison_caption import asset_caption, endpoint_caption, tests_caption
from flagbench.reports.knowledge_table import p_value_text
from flagbench.scoring.metric import Unit

RISK = ("annualized_volatility", "max_drawdown", "sortino_ratio", "calmar_ratio", "cvar_95")
"""Metrics of the second table of an asset; those of the first are the return and the Sharpe ratio."""

TRADING = ("turnover", "exposure", "trades", "hit_rate", "cost_paid")
"""Metrics of the third; metrics that others registered stand behind them."""

LABELS = {
    "cumulative_return": "return",
    "sharpe_ratio": "Sharpe ratio",
    "annualized_volatility": "volatility a year",
    "max_drawdown": "max drawdown",
    "sortino_ratio": "Sortino ratio",
    "calmar_ratio": "Calmar ratio",
    "cvar_95": "CVaR 95 %",
    "turnover": "turnover a year",
    "hit_rate": "hit rate",
    "cost_paid": "cost paid",
}


class Cell(NamedTuple):
    """One cell."""

    text: str
    in_set: bool = False
    """Whether the agent is in the confidence set; the only thing that bold stands for."""


class PrintedTable(NamedTuple):
    """A table as text.

    Attributes:
        title: a few words.
        caption: sentences that make the table readable alone; empty for one that goes with the table before.
        header: one a column.
        rows: a cell a column; the first is the agent.
        below: rows below a line: agents that are not ranked, or rows that others printed.
        notes: reasons and remarks on single rows.
    """

    title: str
    caption: list[str]
    header: list[str]
    rows: list[list[Cell]]
    below: list[list[Cell]]
    notes: list[str]


def comparison_tables(comparison: Comparison) -> list[PrintedTable]:
    """The primary endpoint first, then five tables an asset: results, tests, risk, trading, costs."""
    tables = [_endpoint_table(comparison)]
    for asset in comparison.assets:
        tables += [
            _results_table(comparison, asset),
            _tests_table(asset),
            _metrics_table(asset, "risk", RISK),
            _trading_table(asset),
            _cost_table(asset),
        ]
    return tables


def said_once(tables: Sequence[PrintedTable]) -> list[PrintedTable]:
    """The tables without sentences that stand below an earlier one, for formats that are read in a row."""
    said: set[str] = set()
    fresh: list[PrintedTable] = []
    for table in tables:
        fresh.append(table._replace(caption=[text for text in table.caption if text not in said]))
        said.update(table.caption)
    return fresh


def figure(value: float, unit: Unit) -> str:
    """A figure without its unit, fractions in percent; a dash for undefined."""
    if math.isnan(value):
        return "–"
    text = (
        f"{100 * value:.2f}" if unit == "fraction" else f"{value:.0f}" if unit == "count" else f"{value:.2f}"
    )
    return text.removeprefix("-") if not float(text) else text


def spread_text(spread: Spread, unit: Unit) -> str:
    """The IQM, with its interval where it has one."""
    if spread.undefined:
        return f"undefined in {spread.undefined} of {len(spread.values)}"
    mean = f"{spread.iqm:.1f}" if unit == "count" and len(spread.values) > 1 else figure(spread.iqm, unit)
    return mean + interval_text(spread.low, spread.high, unit)


def interval_text(low: float, high: float, unit: Unit) -> str:
    """Two ends in brackets, or nothing where there are none."""
    return "" if math.isnan(low) else f" [{figure(low, unit)}, {figure(high, unit)}]"


def range_text(spread: Spread, unit: Unit) -> str:
    """Least and largest value of a seed; a dash where there is one seed, or none has a value."""
    if len(spread.values) < 2 or not spread.defined:
        return "–"
    low, high = figure(spread.minimum, unit), figure(spread.maximum, unit)
    return "all equal" if low == high else f"{low} … {high}"


def heading_of(name: str, unit: Unit) -> str:
    """A metric's name as a heading."""
    label = LABELS.get(name, name.replace("_", " "))
    whole = f"{label}, %" if unit == "fraction" else label
    return f"{whole} [resampled range]" if name == "max_drawdown" else whole


def _endpoint_table(comparison: Comparison) -> PrintedTable:
    unit: Unit = load_metrics()[comparison.primary].unit
    label = LABELS[comparison.primary]
    header = ["agent", "IQM of differences [95 %]", "min … max", "assets", "asset × seed"]

    def row(endpoint: Endpoint) -> list[Cell]:
        spread = endpoint.difference
        assets = f"{endpoint.assets} of {len(comparison.assets)}"
        texts = [spread_text(spread, unit), range_text(spread, unit), assets, str(len(spread.values))]
        return [Cell(endpoint.label), *map(Cell, texts)]

    ranked = [row(endpoint) for endpoint in comparison.endpoints if endpoint.ranked]
    others = [row(endpoint) for endpoint in comparison.endpoints if not endpoint.ranked]
    notes = [f"{each.label}: {reason}" for each in comparison.endpoints for reason in each.difference.reasons]
    notes += comparison.notes
    title = f"Primary endpoint: {label} less buy-and-hold's"
    return PrintedTable(title, endpoint_caption(comparison), header, ranked, others, notes)


def _rows(
    asset: AssetResult, cells: Callable[[AgentResult], Sequence[Cell]]
) -> tuple[list[list[Cell]], list[list[Cell]]]:
    """Rows of the ranked and of the others."""

    def rows(*, ranked: bool) -> list[list[Cell]]:
        agents = [agent for agent in asset.agents if agent.ranked is ranked]
        return [[Cell(agent.label), *cells(agent)] for agent in agents]

    return rows(ranked=True), rows(ranked=False)


def _results_table(comparison: Comparison, asset: AssetResult) -> PrintedTable:
    header = ["agent", "seeds", "return, % [95 %]", "min … max", "Sharpe ratio [95 %]", "min … max"]

    def cells(agent: AgentResult) -> list[Cell]:
        earned, sharpe = agent.metrics["cumulative_return"], agent.metrics["sharpe_ratio"]
        return [
            Cell(seeds_text(agent.seeds) or "computed"),
            Cell(spread_text(earned, "fraction"), in_set=bool(agent.in_confidence_set)),
            Cell(range_text(earned, "fraction")),
            Cell(spread_text(sharpe, "ratio")),
            Cell(range_text(sharpe, "ratio")),
        ]

    ranked, others = _rows(asset, cells)
    notes = [*_reasons(asset), *asset.notes]
    return PrintedTable(
        f"{asset.label}: results", asset_caption(comparison, asset), header, ranked, others, notes
    )


def _tests_table(asset: AssetResult) -> PrintedTable:
    header = [
        "agent",
        "PSR",
        "DSR",
        "Sharpe ratio less buy-and-hold's [95 %]",
        "p",
        "p (Holm)",
        "identical to",
    ]

    def cells(agent: AgentResult) -> list[Cell]:
        texts = [_probability(agent.psr), _probability(agent.dsr), *_paired(agent), _collapsed(agent)]
        return [Cell(text) for text in texts]

    ranked, others = _rows(asset, cells)
    notes = [
        f"{agent.label}: no test against buy-and-hold: {agent.paired.reason}"
        for agent in asset.agents
        if agent.paired is not None and agent.paired.reason
    ]
    return PrintedTable(f"{asset.label}: tests", tests_caption(asset), header, ranked, others, notes)


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds as they are given on the command line: `0-4`, `0,2`."""
    parts: list[str] = []
    for index, seed in enumerate(seeds):
        begins = not index or seeds[index - 1] != seed - 1
        ends = index + 1 == len(seeds) or seeds[index + 1] != seed + 1
        if begins:
            parts.append(str(seed))
        elif ends:
            parts[-1] += f"-{seed}"
    return ",".join(parts)


def _probability(spread: Spread) -> str:
    return "–" if math.isnan(spread.iqm) else f"{spread.iqm:.3f}"


def _paired(agent: AgentResult) -> list[str]:
    paired = agent.paired
    if paired is None:
        return ["–", "–", "–"]
    difference = figure(paired.difference, "ratio") + interval_text(paired.low, paired.high, "ratio")
    return [difference, *("–" if math.isnan(p) else p_value_text(p) for p in (paired.p_value, paired.holm))]


def _collapsed(agent: AgentResult) -> str:
    seeds = len(agent.metrics["cumulative_return"].values)
    if agent.is_reference:
        return "–"
    return ", ".join(f"{name} in {count} of {seeds}" for name, count in agent.collapsed.items()) or "–"


def _reasons(asset: AssetResult) -> Iterator[str]:
    """Why a figure of the results is missing."""
    for agent in asset.agents:
        for what, spread in (("Sharpe ratio", agent.metrics["sharpe_ratio"]), ("DSR", agent.dsr)):
            if spread.reasons:
                yield f"{agent.label}: {what} undefined: {', '.join(spread.reasons)}"


def _metrics_table(asset: AssetResult, title: str, names: Sequence[str]) -> PrintedTable:
    """Seeds' IQM of metrics, with least and largest where there are several seeds."""
    units: Mapping[str, Unit] = {name: load_metrics()[name].unit for name in names}
    header = ["agent", *(heading_of(name, unit) for name, unit in units.items())]
    ranked, others = _rows(
        asset, lambda agent: [Cell(_with_range(agent.metrics[name], unit)) for name, unit in units.items()]
    )
    return PrintedTable(f"{asset.label}: {title}", [], header, ranked, others, [])


def _with_range(spread: Spread, unit: Unit) -> str:
    seeds = range_text(spread, unit)
    return spread_text(spread, unit) + (f" ({seeds})" if "…" in seeds else "")


def _trading_table(asset: AssetResult) -> PrintedTable:
    own = {"cumulative_return", "sharpe_ratio", *RISK, *TRADING}
    table = _metrics_table(
        asset, "trading", [*TRADING, *(name for name in load_metrics() if name not in own)]
    )
    header = [*table.header, "unparsed, %", "knowledge before → after, %"]

    def cells(agent: AgentResult) -> list[Cell]:
        return [Cell(figure(agent.unparsed, "fraction")), Cell(_knowledge(agent))]

    ranked, others = _rows(asset, cells)
    rows = [[*left, *right[1:]] for left, right in zip(table.rows, ranked, strict=True)]
    below = [[*left, *right[1:]] for left, right in zip(table.below, others, strict=True)]
    return table._replace(header=header, rows=rows, below=below)


def _knowledge(agent: AgentResult) -> str:
    if agent.knowledge is None:
        return "–"
    sides = [spread_text(spread, "fraction") for spread in (agent.knowledge.before, agent.knowledge.after)]
    return " → ".join(sides)


def _cost_table(asset: AssetResult) -> PrintedTable:
    costs = [point.cost_bps for point in asset.agents[0].costs]
    header = ["agent", *(f"{cost:g} bp: {what}" for cost in costs for what in ("return, %", "SR ± s.e."))]

    def cells(agent: AgentResult) -> list[Cell]:
        return [Cell(text) for point in agent.costs for text in _cost_point(point)]

    ranked, others = _rows(asset, cells)
    return PrintedTable(f"{asset.label}: the same actions at other costs", [], header, ranked, others, [])


def _cost_point(point: CostPoint) -> tuple[str, str]:
    sharpe = spread_text(point.sharpe_ratio, "ratio")
    if not point.sharpe_ratio.undefined:
        sharpe += f" ± {figure(point.sharpe_standard_error, 'ratio')}"
    return spread_text(point.cumulative_return, "fraction"), sharpe
