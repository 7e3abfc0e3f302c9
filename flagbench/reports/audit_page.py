"""Audited rows as one HTML page."""

from collections.abc import Sequence

from flagbench.audit.finding import FLAG_MEANINGS, VERDICT_MEANINGS
from flagbench.reports.audit_tables import AuditedRow, figures_table, name_of, overview_table
from flagbench.reports.page import Section, command_line, data_table, facts, notes, page
from flagbench.reports.score_table import TableText

TITLE = "Audit of printed results"
LEAD = "What conventions and what positions could have given each row, on the prices of its window."


def audit_page(rows: Sequence[AuditedRow]) -> str:
    """All rows side by side, then one by one, then what the words mean."""
    sections = [Section("rows", "All rows", [data_table(overview_table(rows, explained=False))])]
    sections += [_row(f"row-{number}", row) for number, row in enumerate(rows, start=1)]
    return page(TITLE, [*sections, _meanings()], lead=LEAD)


def _row(key: str, row: AuditedRow) -> Section:
    finding, table = row.finding, figures_table(row._replace(replay=None))
    content = [
        facts(
            f"{finding.period.first} to {finding.period.last}, {finding.claim.positions}; "
            f"{finding.asked} conventions were tried.",
            f"Flags: {', '.join(finding.flags) or 'none'}",
        ),
        data_table(table._replace(title="Printed figures, and what they can be", notes=[])),
        notes(table.notes),
    ]
    if row.replay:
        content.append(command_line("To replay the path that was found:", row.replay))
    return Section(key, f"{name_of(finding.claim)}: {finding.verdict}", content)


def _meanings() -> Section:
    words = [[word, meaning] for word, meaning in (*VERDICT_MEANINGS.items(), *FLAG_MEANINGS.items())]
    table = TableText("Verdicts and flags", ["word", "meaning"], words, [], numeric=False)
    return Section("words", "What the words mean", [data_table(table)])
