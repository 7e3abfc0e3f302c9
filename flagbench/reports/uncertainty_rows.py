"""How sure the figures of a score are, as rows of its table and notes below it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flagbench.scoring.bootstrap import FEW_BLOCKS

ScoreJson = Mapping[str, Any]

DASH = "–"

NOT_NOTED = frozenset({"the two series are identical"})
"""Reasons that a row of their own already gives."""


class Row(NamedTuple):
    """A row: its label, the metric that it stands below, and its cell."""

    label: str
    below: str
    cell: Callable[[ScoreJson], str]


def _interval(name: str, *, percent: bool) -> Callable[[ScoreJson], str]:
    def cell(score: ScoreJson) -> str:
        low, high = (score["uncertainty"].get(name, {}).get(end) for end in ("low", "high"))
        if low is None:
            return DASH
        return f"{100 * low:.1f} to {100 * high:.1f} %" if percent else f"{low:.2f} to {high:.2f}"

    return cell


def _probability(score: ScoreJson) -> str:
    psr = score["uncertainty"].get("psr")
    return DASH if psr is None else f"{psr:.3f}"


def _deflated(score: ScoreJson) -> str:
    sure = score["uncertainty"]
    return DASH if sure.get("dsr") is None else f"{sure['dsr']:.3f} (N = {sure['n_trials']})"


def _record(score: ScoreJson) -> str:
    bars = score["uncertainty"].get("min_track_record")
    return DASH if bars is None else f"{bars:.0f}"


def _paired(score: ScoreJson) -> str:
    test = score.get("against_buy_and_hold") or {}
    return DASH if test.get("difference") is None else f"{test['difference']:.2f} (p {test['p_value']:.3f})"


def _detectable(score: ScoreJson) -> str:
    found = (score.get("against_buy_and_hold") or {}).get("smallest_detectable")
    return DASH if found is None else f"{found:.2f}"


ROWS = (
    Row("return 95 % interval", "cumulative_return", _interval("cumulative_return", percent=True)),
    Row("Sharpe 95 % interval", "sharpe_ratio", _interval("sharpe_ratio", percent=False)),
    Row("Sharpe above 0 (PSR)", "sharpe_ratio", _probability),
    Row("after N trials (DSR)", "sharpe_ratio", _deflated),
    Row("bars needed for 95 %", "sharpe_ratio", _record),
    Row("less buy-and-hold's", "sharpe_ratio", _paired),
    Row("detectable difference", "sharpe_ratio", _detectable),
    Row("drawdown 95 % range", "max_drawdown", _interval("max_drawdown", percent=True)),
)
"""In the order of the table. Intervals are those of 95 %, `flagbench.scoring.bootstrap.LEVEL`."""

LABELS = {
    "cumulative_return": "return interval",
    "sharpe_ratio": "Sharpe interval",
    "max_drawdown": "drawdown range",
    "psr": "PSR",
    "dsr": "DSR",
}


def uncertainty_rows(name: str, scores: Sequence[ScoreJson]) -> list[list[str]]:
    """Rows that stand below a metric's; none where no score has them, as in records of the first versions.

    Args:
        name: of the metric.
        scores: `Score.to_json()` of each column.
    """
    if not any("psr" in score["uncertainty"] for score in scores):
        return []
    return [[row.label, *(row.cell(score) for score in scores)] for row in ROWS if row.below == name]


def uncertainty_notes(columns: Mapping[str, ScoreJson]) -> list[str]:
    """What a reader of the rows must know: few blocks, one trial, what is missing and why.

    Args:
        columns: `Score.to_json()` by heading.
    """
    known = {heading: score for heading, score in columns.items() if "psr" in score["uncertainty"]}
    notes = []
    for heading, score in known.items():
        blocks = score["uncertainty"]["blocks"]
        if blocks is not None and blocks < FEW_BLOCKS:
            notes.append(
                f"warning: {heading}: {blocks:.1f} effective blocks of days, fewer than {FEW_BLOCKS}: "
                "its intervals are rough"
            )
        notes += _missing(heading, score)
    counts = {score["uncertainty"]["n_trials"] for score in known.values()}
    if 1 in counts:
        notes.append("N = 1: no other trial on these bars is known of, so DSR is PSR")
    if known:
        notes.append("drawdown 95 % range: of resampled days, no confidence interval")
    return notes


def _missing(heading: str, score: ScoreJson) -> list[str]:
    """Why a figure is missing, unless the table says so elsewhere."""
    reasons: dict[str, list[str]] = {}
    if score.get("sharpe_ratio") is not None:
        for name, reason in score.get("uncertainty_undefined", {}).items():
            if name in LABELS:
                reasons.setdefault(reason, []).append(LABELS[name])
        paired = score.get("against_buy_and_hold", {}).get("reason")
        if paired and paired not in NOT_NOTED:
            reasons.setdefault(paired, []).append("comparison with buy-and-hold")
    return [f"– {heading}: {', '.join(names)} undefined: {reason}" for reason, names in reasons.items()]
