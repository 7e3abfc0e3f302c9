"""A run that walked forward as rows of text: a row a test window, and all windows pooled."""

from collections.abc import Mapping, Sequence
from typing import Any

from flagbench.registry import load_metrics
from flagbench.reports.score_table import TableText, check_comparable, formatted, score_table

RecordJson = Mapping[str, Any]

BY_WINDOW = ("cumulative_return", "sharpe_ratio", "max_drawdown")
"""A table each; the pooled table has every metric, and `flagbench show WINDOW` too."""


def walked_forward(records: Sequence[RecordJson]) -> bool:
    """Whether records are those of several windows of one run."""
    return len({record.get("window") for record in records}) > 1


def window_tables(records: Sequence[RecordJson]) -> list[TableText]:
    """One table a figure: a row a test window, a column a seed, buy-and-hold on the same bars beside them.

    Args:
        records: `record.json` of every window and seed of one run.

    Raises:
        ComparabilityError: they are not of one run.
    """
    check_comparable(records)
    metrics = load_metrics()
    seeds = sorted({record["seed"] for record in records})
    by_place = {(record["window"], record["seed"]): record for record in records}
    windows = sorted({record["window"] for record in records})
    tables = []
    for name in BY_WINDOW:
        rows = []
        for window in windows:
            own = [by_place.get((window, seed)) for seed in seeds]
            shown = next(record for record in own if record is not None)
            first, last = shown["scores"]["test"]["period"]
            cells = [
                "" if record is None else _cell(record["scores"]["test"], name, metrics) for record in own
            ]
            held = _cell(shown["buy_and_hold"]["test"], name, metrics)
            rows.append([f"window {window}, {first} to {last}", *cells, held])
        title = f"{name.replace('_', ' ')} by test window" + (
            ", 95 % interval" if name == "sharpe_ratio" else ""
        )
        tables.append(TableText(title, ["", *(f"seed {seed}" for seed in seeds), "buy-and-hold"], rows, []))
    return tables


def _cell(score: Mapping[str, Any], name: str, metrics: Mapping[str, Any]) -> str:
    cell = formatted(score.get(name), metrics[name].unit)
    if name != "sharpe_ratio":
        return cell
    sure = score["uncertainty"]["sharpe_ratio"]
    if sure.get("low") is not None:
        return f"{cell} [{sure['low']:.2f}, {sure['high']:.2f}]"
    return cell if sure["se"] is None else f"{cell} ± {sure['se']:.3f}"


def pooled_table(pooled: Sequence[Mapping[str, Any]]) -> list[TableText]:
    """Every figure over all test windows in a row, a column a seed; none where no seed is complete.

    Args:
        pooled: `PooledRecord` of each seed as plain values.
    """
    if not pooled:
        return []
    columns = {f"seed {record['seed']}": record["test"] for record in pooled}
    columns["buy-and-hold"] = pooled[0]["buy_and_hold"]
    count, days = len(pooled[0]["windows"]), pooled[0]["test"]["bars"] - 1
    first, last = pooled[0]["test"]["period"]
    title = f"pooled: {days} daily returns of {count} test windows in a row, {first} to {last}"
    return [score_table(title, columns)]


def windows_line(records: Sequence[RecordJson]) -> str:
    """How the windows follow each other, in a line."""
    rule = records[0]["protocol"]["walk_forward"]
    count = len({record["window"] for record in records})
    return (
        f"{count} consecutive test windows of {rule['test_bars']} bars, "
        f"each trained anew on the {rule['train_bars']} bars before it"
    )
