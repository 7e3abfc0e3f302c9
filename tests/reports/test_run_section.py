from flagbench.reports.run_section import COST_ROWS, POLICY_ROWS, score_groups
from flagbench.reports.score_table import TableText


def test_no_row_of_a_score_table_is_lost_or_shown_twice() -> None:
    names = ["sharpe ratio", "turnover", "a metric of somebody's", "identical to"]
    groups = score_groups(TableText("test", ["", "seed 0"], [[name, "1"] for name in names], []))
    assert {heading: [row[0] for row in rows] for heading, rows in groups.items()} == {
        "scores and how sure they are": ["sharpe ratio", "a metric of somebody's"],
        "cost and trading": ["turnover"],
        "policy": ["identical to"],
    }


def test_no_row_belongs_to_two_groups() -> None:
    assert not COST_ROWS & POLICY_ROWS
