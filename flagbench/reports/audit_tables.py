"""Audited rows as tables of text, and as Markdown."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flagbench.audit.claim import FLAGS, Claim, Printed
from flagbench.audit.explanation import like, range_text, sentences
from flagbench.audit.finding import Finding
from flagbench.audit.interval import Interval
from flagbench.reports.comparison_markdown import escaped
from flagbench.reports.comparison_terminal import wrapped
from flagbench.reports.score_table import TableText

REPLAY = "To replay it: "

LABELS = {"cr": "return", "sr": "Sharpe ratio", "av": "volatility a year", "mdd": "max drawdown"}


class AuditedRow(NamedTuple):
    """A finding, and where its path was written to."""

    finding: Finding
    certificate: str | None = None
    """The file."""
    replay: str | None = None
    """The command that scores it."""


def audit_tables(rows: Sequence[AuditedRow]) -> list[TableText]:
    """A row in detail, or many side by side, with what is to be said of each below."""
    return [figures_table(rows[0])] if len(rows) == 1 else [overview_table(rows)]


def overview_table(rows: Sequence[AuditedRow], *, explained: bool = True) -> TableText:
    """One line a row.

    Args:
        rows: in the order that they were given in.
        explained: whether the sentences on each stand below.
    """
    lines = []
    for row in rows:
        claim = row.finding.claim
        figures = [_shown(claim, flag) for flag in FLAGS]
        flags = ", ".join(row.finding.flags) or "–"
        lines.append([claim.name, claim.asset, row.finding.verdict, flags, *figures])
    header = ["row", "asset", "verdict", "flags", "CR", "SR", "AV", "MDD"]
    notes = [note for row in rows for note in _notes(row)] if explained else []
    return TableText(f"Audit of {len(rows)} rows", header, lines, notes, numeric=False)


def _notes(row: AuditedRow) -> Iterator[str]:
    yield f"{name_of(row.finding.claim)}: {' '.join(sentences(row.finding))}"
    if row.replay:
        yield f"{REPLAY}{row.replay}"


def figures_table(row: AuditedRow) -> TableText:
    """What was printed, what holding the asset comes to, and between what bounds every path lies."""
    finding = row.finding
    held, ranges = finding.ranges.always_long, finding.ranges
    tops = [f"{100 * most:.2f} % at {year}" for year, most in ranges.highest_volatility.items()]
    bounds = {
        "cr": _between(ranges.cumulative_return),
        "sr": "–",
        "av": f"at most {', '.join(tops)}",
        "mdd": _between(ranges.drawdown_given_rest, "with the other three"),
    }
    lines = []
    for flag, metric in FLAGS.items():
        printed: Printed = getattr(finding.claim, metric)
        own = like(printed, float(getattr(held, metric)), percent=flag != "sr")
        lines.append([LABELS[flag], _shown(finding.claim, flag), own, bounds[flag]])
    return TableText(
        title_of(finding), ["", "printed", "always long", "any path"], lines, remarks(row), numeric=False
    )


def title_of(finding: Finding) -> str:
    """Row, window, positions, verdict and flags."""
    flags = f" ({', '.join(finding.flags)})" if finding.flags else ""
    window = f"{finding.period.first} to {finding.period.last}"
    return f"{name_of(finding.claim)}, {window}, {finding.claim.positions}: {finding.verdict}{flags}"


def name_of(claim: Claim) -> str:
    """The row and its asset, where they are two."""
    return claim.name if claim.name == claim.asset else f"{claim.name} on {claim.asset}"


def remarks(row: AuditedRow) -> list[str]:
    """The explanation, and how to replay the path that was found."""
    said = sentences(row.finding)
    return [*said, f"{REPLAY}{row.replay}"] if row.replay else said


def audit_terminal(rows: Sequence[AuditedRow]) -> str:
    """All tables, their sentences wrapped; a command to copy is not."""
    lines = []
    for table in audit_tables(rows):
        widths = [max(map(len, column)) for column in zip(table.header, *table.rows, strict=True)]
        rule = ["─" * width for width in widths]
        lines += [table.title, ""]
        for cells in (table.header, rule, *table.rows):
            padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
        lines += ["", *_wrapped(table.notes)]
    return "\n".join(lines) + "\n"


def _wrapped(notes: Sequence[str]) -> Iterator[str]:
    for note in notes:
        yield from [note] if note.startswith(REPLAY) else wrapped([note])


def audit_markdown(rows: Sequence[AuditedRow]) -> str:
    """All tables, each with a heading and its notes."""
    return "\n".join(map(_markdown, audit_tables(rows)))


def _markdown(table: TableText) -> str:
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    drawn = ["| " + " | ".join(map(_cell, line)) + " |" for line in lines]
    notes = [line for note in table.notes for line in ("", escaped(note))]
    return "\n".join([f"## {escaped(table.title)}", "", *drawn, *notes]) + "\n"


def _cell(text: str) -> str:
    return text if text == "---" else escaped(text)


def _shown(claim: Claim, flag: str) -> str:
    printed: Printed = getattr(claim, FLAGS[flag])
    if printed.is_undefined:
        return "undefined"
    return printed.text if flag == "sr" else f"{printed.text} %"


def _between(interval: Interval | None, condition: str = "") -> str:
    if interval is None or not all(map(math.isfinite, interval)):
        return "–"
    return f"{range_text(interval)} {condition}".rstrip()
