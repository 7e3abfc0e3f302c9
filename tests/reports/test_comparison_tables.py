from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.audit.auditing import audit_claim
from flagbench.audit.claim import make_claim
from flagbench.comparison.comparison import (
    Comparison,
    Spread,
)
from flagbench.market.period import Period
from flagbench.registry import load_metrics
from flagbench.reports.comparison_paper import paper_tables
from flagbench.reports.comparison_tables import (
    Cell,
    PrintedTable,
    comparison_tables,
    figure,
    range_text,
    said_once,
    seeds_text,
    spread_text,
)
from tests.reports.comparisons import NAN, example, one

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

GOLDEN = Path(__file__).parents[1] / "golden" / "comparison.txt"


@pytest.fixture
def comparison() -> Comparison:
    return example()


def table_of(comparison: Comparison, title: str) -> PrintedTable:
    (table,) = [table for table in comparison_tables(comparison) if table.title == title]
    return table


def texts(row: list[Cell]) -> list[str]:
    return [cell.text for cell in row]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.12345, "fraction", "12.35"),
        (-0.00001, "fraction", "0.00"),
        (-1.5, "ratio", "-1.50"),
        (17, "count", "17"),
        (NAN, "ratio", "–"),
    ],
)
def test_figures_have_no_unit_and_no_negative_zero(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text  # type: ignore[arg-type]


def test_seeds_are_written_as_the_command_line_takes_them() -> None:
    assert [seeds_text(seeds) for seeds in ((), (0,), (0, 1, 2), (0, 2, 3, 9))] == ["", "0", "0-2", "0,2-3,9"]


def test_a_spread_is_its_mean_with_its_interval_and_its_seeds() -> None:
    whole = Spread(values=(1.0, 2.0), iqm=1.5, low=0.5, high=2.5)
    assert (spread_text(whole, "ratio"), range_text(whole, "ratio")) == ("1.50 [0.50, 2.50]", "1.00 … 2.00")
    assert range_text(replace(whole, values=(1.0, 1.0)), "ratio") == "all equal"
    assert range_text(one(1.0), "ratio") == "–"
    broken = Spread(values=(1.0, NAN, NAN), iqm=NAN)
    assert spread_text(broken, "ratio") == "undefined in 2 of 3"
    assert spread_text(Spread(values=(1.0, 2.0), iqm=1.5), "count") == "1.5"


def test_the_primary_endpoint_comes_first(comparison: Comparison) -> None:
    first = comparison_tables(comparison)[0]
    assert first.title == "Primary endpoint: Sharpe ratio less buy-and-hold's"
    assert texts(first.rows[0]) == ["flag", "1.00 [-1.00, 3.00]", "0.50 … 1.50", "1 of 1", "2"]
    assert texts(first.below[0])[0] == "oracle"


def test_bold_is_the_confidence_set_and_the_return_column_alone(comparison: Comparison) -> None:
    bold = [
        (table.title, row[0].text, table.header[column])
        for table in comparison_tables(comparison)
        for row in (*table.rows, *table.below)
        for column, cell in enumerate(row)
        if cell.in_set
    ]
    column = "return, % [95 %]"
    assert bold == [("HON: results", name, column) for name in ("buy-and-hold", "flag")]


def test_every_row_has_a_cell_a_column(comparison: Comparison) -> None:
    for table in [*comparison_tables(comparison), *paper_tables(comparison)]:
        assert {len(row) for row in (*table.rows, *table.below)} == {len(table.header)}


def test_every_metric_stands_in_one_table(comparison: Comparison) -> None:
    """Two in the results, five in each of the tables after the tests; and two columns of answers."""
    widths = [len(table_of(comparison, f"HON: {title}").header) - 1 for title in ("risk", "trading")]
    assert sum(widths) - 2 + 2 == len(load_metrics())


def test_tests_and_collapsed_policies_are_shown(comparison: Comparison) -> None:
    rows = {row[0].text: texts(row)[1:] for row in table_of(comparison, "HON: tests").rows}
    assert rows["flag"] == [
        "0.925",
        "0.750",
        "1.00 [-1.00, 3.00]",
        "< 0.001",
        "< 0.001",
        "buy-and-hold in 1 of 2",
    ]
    assert rows["buy-and-hold"][2:] == ["–", "–", "–", "–"]


def test_the_caption_states_all_that_a_referee_asks_for(comparison: Comparison) -> None:
    caption = " ".join(table_of(comparison, "HON: results").caption)
    for part in (
        "Protocol standard v1",
        "10 bp a side",
        "2020-10-01 to 2021-05-06, 149 returns, trained on 2020-07-01 to 2020-09-30",
        "fill at the next open",
        "market 0123456789ab",
        "N = 7 trials",
        "5000 resamples",
        "80 % power: 2.80",
        "all paired tests of the comparison, 1 in number",
        "90 % model confidence set",
        "p = 0.250",
    ):
        assert part in caption
    first = " ".join(comparison_tables(comparison)[0].caption)
    assert "set-up: env_steps 6400, num_envs 8" in first
    assert "7.5 blocks" in " ".join(table_of(comparison, "HON: results").notes)


def test_a_sentence_is_said_once_where_tables_are_read_in_a_row(comparison: Comparison) -> None:
    said = [text for table in said_once(comparison_tables(comparison)) for text in table.caption]
    assert len(said) == len(set(said))
    assert set(said) == {text for table in comparison_tables(comparison) for text in table.caption}


def test_the_papers_layout_has_printed_rows_below_ours_and_says_what_they_are(comparison: Comparison) -> None:
    (table,) = paper_tables(comparison)
    assert [row[0].text for row in table.below] == [
        "oracle",
        "Buy & Hold, as printed in arXiv 2502.11433, results tables",
        "FLAG-Trader, as printed in arXiv 2502.11433, results tables",
    ]
    assert texts(table.below[-1])[2:] == ["34.342", "2.429", "23.913", "10.872"]
    assert not any(cell.in_set for row in table.below for cell in row)
    caption = " ".join(table.caption)
    assert "copied, not computed" in caption
    assert "150 closes" in caption
    assert "compare runs under protocol paper" in caption
    assert any("always being long" in note for note in table.notes)


def test_the_audit_of_printed_rows_stands_below_them(
    comparison: Comparison, synthetic_market: "MarketFactory"
) -> None:
    texts = {"cr": "10.00", "sr": "1.5", "av": "99.0", "mdd": "5"}
    claim = make_claim(texts, asset="HON", name="FLAG-Trader")
    finding = audit_claim(synthetic_market([100.0, 101.0, 100.0, 102.0] * 10), claim)
    (asset,) = comparison.assets
    (table,) = paper_tables(replace(comparison, assets=(replace(asset, audits=(finding,)),)))
    assert table.notes[-1].startswith("FLAG-Trader, as printed, audit: unreachable. No path")
    (table,) = paper_tables(replace(comparison, assets=(replace(asset, audits=()),)))
    assert table.notes[-1].startswith("The printed rows were not audited")


def test_printed_rows_never_stand_beside_a_replica(comparison: Comparison) -> None:
    (asset,) = comparison.assets
    drawn = replace(comparison, assets=(replace(asset, kind="replica"),))
    (table,) = paper_tables(drawn)
    assert [row[0].text for row in table.below] == ["oracle"]
    assert "No printed row of this asset is kept." in table.caption


def test_another_endpoint_is_named_as_chosen(comparison: Comparison) -> None:
    changed = replace(comparison, primary="cumulative_return")
    first = comparison_tables(changed)[0]
    assert first.title == "Primary endpoint: return less buy-and-hold's"
    assert any(
        "the endpoint that flagbench declares is the yearly Sharpe ratio" in text for text in first.caption
    )


def test_a_walk_forward_says_how_many_windows_and_no_single_training(comparison: Comparison) -> None:
    (asset,) = comparison.assets
    later = Period(date(2021, 5, 7), date(2021, 9, 1))
    walked = replace(asset, tests=(*asset.tests, later), train=None, trials=None)
    caption = " ".join(table_of(replace(comparison, assets=(walked,)), "HON: results").caption)
    assert "test 2020-10-01 to 2021-09-01 in 2 windows" in caption
    assert "trained on" not in caption
    assert "N unknown, no ledger" in caption
