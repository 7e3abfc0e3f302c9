"""One run as a section of a page: in words, figures, tables, and what it was made of."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from flagbench.reports.knowledge_table import knowledge_tables
from flagbench.reports.manifest import manifest_tables, provenance_table, run_again
from flagbench.reports.page import (
    RowGroups,
    Section,
    command_line,
    data_table,
    details,
    facts,
    notes,
    notice,
    picture_html,
)
from flagbench.reports.reading import run_reading
from flagbench.reports.run_pictures import RunPictures, Shown
from flagbench.reports.score_table import TableText, run_heading, run_tables
from flagbench.reports.window_table import pooled_table, window_tables, windows_line

RecordJson = Mapping[str, Any]

COST_ROWS = frozenset({"turnover", "trades", "cost paid"})
POLICY_ROWS = frozenset(
    {
        "exposure",
        "hit rate",
        "redundant actions",
        "unparsed actions",
        "identical to",
        "agrees with buy-and-hold",
        "timing p-value",
    }
)


def run_section(key: str, title: str, records: Sequence[RecordJson], pictures: RunPictures) -> Section:
    """Everything about one run.

    Args:
        key: the section's address in the page; those inside begin with it.
        title: its heading.
        records: `record.json` of each seed.
        pictures: from `run_pictures`.
    """
    return Section(
        key,
        title,
        [
            facts(*run_heading(records[0])),
            notice(*run_reading(records)),
            Section(f"{key}-equity", "Equity and drawdown", _shown(pictures.equity)),
            Section(f"{key}-scores", "Scores, cost and policy", _score_tables(records)),
            Section(f"{key}-actions", "Actions on the price", _shown(pictures.actions)),
            Section(f"{key}-training", "Training", _shown(pictures.training)),
            Section(
                f"{key}-knowledge",
                "Knowledge before and after training",
                [*map(data_table, knowledge_tables(records)), *_shown(pictures.knowledge)],
            ),
            Section(f"{key}-provenance", "Provenance", _provenance(records)),
        ],
    )


def windows_section(
    key: str,
    title: str,
    windows: Sequence[Section],
    *,
    records: Sequence[RecordJson],
    pooled: Sequence[RecordJson],
) -> Section:
    """A run that walked forward: all windows in one table, pooled, and a section for each.

    Args:
        key: the section's address in the page.
        title: its heading.
        windows: from `run_section`, one a window.
        records: `record.json` of every window and seed.
        pooled: `PooledRecord` of each seed as plain values; a seed with a window missing has none.
    """
    incomplete = sorted({record["seed"] for record in records} - {record["seed"] for record in pooled})
    missing = [
        f"seed {seed}: not all of its windows are there, so it has no pooled score" for seed in incomplete
    ]
    return Section(
        key,
        title,
        [
            facts(*run_heading(records[0]), windows_line(records)),
            *map(data_table, window_tables(records)),
            *(data_table(table, groups=score_groups(table)) for table in pooled_table(pooled)),
            notes(missing),
            *windows,
        ],
    )


def _shown(shown: Shown) -> list[Markup]:
    return [*map(picture_html, shown.pictures), notes(shown.missing)]


def _score_tables(records: Sequence[RecordJson]) -> list[Markup]:
    """The test window first: it is what counts."""
    train, test = run_tables(records)
    return [data_table(table, groups=score_groups(table)) for table in (test, train)]


def score_groups(table: TableText) -> RowGroups:
    """The rows of a score table by what they are about; a row that is in no list is a score."""
    scores, cost, policy = "scores and how sure they are", "cost and trading", "policy"
    groups: dict[str, list[list[str]]] = {scores: [], cost: [], policy: []}
    for row in table.rows:
        label = row[0]
        groups[cost if label in COST_ROWS else policy if label in POLICY_ROWS else scores].append(row)
    return groups


def _provenance(records: Sequence[RecordJson]) -> list[Markup]:
    return [
        data_table(provenance_table(records)),
        command_line(
            "To make it again, with the packages above and the market of that hash:",
            run_again(records[0]["spec"]),
        ),
        details("Every field of the record", *map(data_table, manifest_tables(records))),
    ]
