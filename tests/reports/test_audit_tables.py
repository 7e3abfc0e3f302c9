import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.audit.auditing import audit_claim
from flagbench.audit.claim import make_claim
from flagbench.audit.finding import FLAG_MEANINGS, VERDICT_MEANINGS
from flagbench.market.period import Period
from flagbench.reports.audit_page import audit_page
from flagbench.reports.audit_tables import (
    AuditedRow,
    audit_markdown,
    audit_tables,
    audit_terminal,
    figures_table,
    title_of,
)

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

WILD = {"cr": "10.00", "sr": "1.5", "av": "99.0", "mdd": "5"}
FLAT = {"cr": "0.00", "sr": "nan", "av": "0.00", "mdd": "0.00"}


@pytest.fixture(scope="module")
def rows(synthetic_market: "MarketFactory") -> list[AuditedRow]:
    """One that is as volatile as nothing, and one that never trades."""
    steps = np.random.default_rng(0).normal(0, 0.01, 30)
    market = synthetic_market(list(100 * np.exp(np.cumsum(steps))))
    period = Period.of(market.dates[4].item(), market.dates[25].item())
    claims = [
        make_claim(texts, asset="TOY", name=name, period=period)
        for name, texts in (("wild", WILD), ("calm", FLAT))
    ]
    return [AuditedRow(audit_claim(market, claim)) for claim in claims]


def test_one_row_is_shown_beside_holding_the_asset_and_the_bounds(rows: list[AuditedRow]) -> None:
    (table,) = audit_tables(rows[:1])
    assert table.title.startswith("wild on TOY, 2020-01-07 to 2020-02-05, long-flat: unreachable")
    assert table.header == ["", "printed", "always long", "any path"]
    figures = {row[0]: row[1:] for row in table.rows}
    held = rows[0].finding.ranges.always_long
    assert figures["return"][:2] == ["10.00 %", f"{100 * held.cumulative_return:.2f} %"]
    assert figures["Sharpe ratio"] == ["1.5", f"{held.sharpe_ratio:.1f}", "–"]
    assert figures["volatility a year"][2].startswith("at most ")
    assert figures["max drawdown"][2] == "–"


def test_many_rows_are_a_line_each_and_a_note_each(rows: list[AuditedRow]) -> None:
    (table,) = audit_tables(rows)
    assert [row[0] for row in table.rows] == ["wild", "calm"]
    assert table.rows[1] == ["calm", "TOY", "always-flat", "–", "0.00 %", "undefined", "0.00 %", "0.00 %"]
    assert [note.partition(":")[0] for note in table.notes] == ["wild on TOY", "calm on TOY"]


def test_a_command_is_never_wrapped(rows: list[AuditedRow]) -> None:
    command = "flagbench score " + "long/" * 40 + "path.csv"
    text = audit_terminal([rows[1]._replace(certificate="path.csv", replay=command)])
    assert f"To replay it: {command}\n" in text
    assert max(len(line) for line in text.splitlines() if command not in line) <= 110


def test_a_name_in_a_title_says_what_it_is_on(rows: list[AuditedRow]) -> None:
    claim = rows[1].finding.claim._replace(name="TOY")
    assert title_of(rows[1].finding._replace(claim=claim)).startswith("TOY, 2020-01-07")


def test_markdown_has_a_table_and_a_paragraph_a_note(rows: list[AuditedRow]) -> None:
    text = audit_markdown(rows)
    assert text.startswith("## Audit of 2 rows\n\n| row | asset | verdict | flags | CR |")
    assert re.search(
        r"^\| wild \| TOY \| unreachable \| .* \| 10.00 % \| 1.5 \| 99.0 % \| 5 % \|$", text, re.M
    )
    assert "\n\ncalm on TOY: Return and volatility are 0" in text


def test_the_page_has_a_section_a_row_and_says_what_words_mean(rows: list[AuditedRow]) -> None:
    html = audit_page([rows[0], rows[1]._replace(certificate="c.csv", replay="flagbench score c.csv")])
    assert html.count('<section id="row-') == 2
    assert "<pre><code>flagbench score c.csv</code></pre>" in html
    for word in (*VERDICT_MEANINGS, *FLAG_MEANINGS):
        assert f">{word}</th>" in html
    assert figures_table(rows[0]).notes[0] in html
