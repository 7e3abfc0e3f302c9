"""Scores as rows of text: numbers become percent signs and dashes here and nowhere before."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flagbench.agents.backbone_name import has_random_weights
from flagbench.errors import ComparabilityError
from flagbench.records.run_record import agent_label
from flagbench.registry import load_metrics
from flagbench.reports.uncertainty_rows import uncertainty_notes, uncertainty_rows
from flagbench.scoring.metric import Unit

ScoreJson = Mapping[str, Any]

COMPARED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "kind of market": lambda record: record["market"]["kind"],
    "market": lambda record: record["market"]["sha256"][:12],
    "protocol": lambda record: f"{record['protocol']['id']} v{record['protocol']['version']}",
}
"""What all records in one table have in common."""


class TableText(NamedTuple):
    """A table as text: header, rows, and notes to be printed below it."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: list[str]
    numeric: bool = True
    """Whether all columns but the first are figures, which stand to the right."""


def formatted(value: float | None, unit: Unit) -> str:
    """A figure as people write it; a dash for undefined."""
    if value is None:
        return "–"
    if unit == "fraction":
        return f"{100 * value:.2f} %"
    return f"{value:.0f}" if unit == "count" else f"{value:.3f}"


def score_table(title: str, columns: Mapping[str, ScoreJson]) -> TableText:
    """One column a score; a row a metric, how sure it is below it; then what the policy amounts to.

    Args:
        title: above the table.
        columns: `Score.to_json()` by heading.
    """
    scores = list(columns.values())
    rows: list[list[str]] = []
    for name, metric in load_metrics().items():
        cells = [formatted(score.get(name), metric.unit) for score in scores]
        if name == "sharpe_ratio":
            cells = [_with_error(cell, score) for cell, score in zip(cells, scores, strict=True)]
        rows.append([_label(name), *cells])
        rows += uncertainty_rows(name, scores)
    for name in ("redundant", "unparsed"):
        rows.append([f"{name} actions", *(str(score[name]) for score in scores)])
    rows.append(["identical to", *(score["policy"]["identical_to"] or "–" for score in scores)])
    agreement = [score["policy"]["agreement_with_buy_and_hold"] for score in scores]
    rows.append(["agrees with buy-and-hold", *(formatted(share, "fraction") for share in agreement)])
    rows.append(
        ["timing p-value", *(formatted(score["policy"]["timing"]["p_value"], "ratio") for score in scores)]
    )
    return TableText(title, ["", *columns], rows, _notes(columns) + uncertainty_notes(columns))


def _label(name: str) -> str:
    return {"cvar_95": "CVaR 95 %"}.get(name, name.replace("_", " "))


def _with_error(cell: str, score: ScoreJson) -> str:
    error = score["uncertainty"]["sharpe_ratio"]["se"]
    return cell if error is None else f"{cell} ± {error:.3f}"


def _notes(columns: Mapping[str, ScoreJson]) -> list[str]:
    """Why a figure is missing, each reason once, with the columns it applies to."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for heading, score in columns.items():
        for metric, reason in score["undefined"].items():
            reasons.setdefault(reason, {}).setdefault(heading, []).append(_label(metric))
    return [
        f"– {heading}: {', '.join(metrics)} undefined: {reason}"
        for reason, by_heading in reasons.items()
        for heading, metrics in by_heading.items()
    ]


def check_comparable(records: Sequence[Mapping[str, Any]]) -> None:
    """Only scores on one market under one protocol may stand in one table; a replica is no market.

    Args:
        records: `record.json` of each.

    Raises:
        ComparabilityError: two of them differ in the kind of market, its content hash or the protocol.
    """
    for what, of in COMPARED.items():
        values = sorted({of(record) for record in records})
        if len(values) > 1:
            raise ComparabilityError(
                f"one table holds one {what}, these records have {len(values)}: {', '.join(values)}",
                hint="show them one by one",
            )


def run_tables(records: Sequence[Mapping[str, Any]]) -> list[TableText]:
    """Train and test tables of a run: a column a seed, buy-and-hold on the same bars beside them.

    Args:
        records: `record.json` of each seed of one run.

    Raises:
        ComparabilityError: they are not of one run.
    """
    check_comparable(records)
    tables = []
    for window in ("train", "test"):
        columns = {f"seed {record['seed']}": record["scores"][window] for record in records}
        columns["buy-and-hold"] = records[0]["buy_and_hold"][window]
        first, last = records[0]["scores"][window]["period"]
        bars = records[0]["scores"][window]["bars"]
        tables.append(score_table(f"{window} {first} to {last}, {bars} bars", columns))
    return tables


def run_heading(record: Mapping[str, Any]) -> list[str]:
    """What a run was, in three lines: who, under which rules, on which data.

    Args:
        record: `record.json` of one of its seeds.
    """
    asset, protocol, market = record["asset"], record["protocol"], record["market"]
    replica = " (replica)" if market["kind"] == "replica" else ""
    backbone = record["params"].get("backbone")
    who = f"{agent_label(record)} on {asset['id']}{replica} ({asset['name']})"
    if backbone:
        weights = ", random weights: says nothing of a trained model" if has_random_weights(backbone) else ""
        who += f", backbone {backbone}{weights}"
    rules = (
        f"protocol {protocol['id']} v{protocol['version']}: fill {protocol['fill'][asset['asset_class']]}, "
        f"{protocol['cost_bps']:g} bp a side, figures by the `{protocol['scoring']}` convention, "
        f"P = {asset['calendar']['periods_per_year']}"
    )
    lines = [who, rules, f"market {market['sha256'][:12]}, {market['first']} to {market['last']}"]
    if record["setup"]:
        setup = record["setup"]
        steps = (record["training"] or {}).get("env_steps", setup["env_steps"])
        lines.append(
            f"trained for {steps} steps in {setup['num_envs']} environments "
            f"on {record['observed']['processes']} process(es), {record['observed']['device']}"
        )
    return lines
