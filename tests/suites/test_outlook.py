from typing import TYPE_CHECKING

import pytest

from flagbench.suites.cells import CellState, plan_cells
from flagbench.suites.outlook import Estimate, States, duration, estimate, outlook_lines, outlook_table
from flagbench.suites.suite import load_suite

if TYPE_CHECKING:
    from tests.suites.conftest import SuiteFile

TODO = CellState("to do", 0, None, "")


def done(seconds: float) -> CellState:
    return CellState("done", 1, seconds, "")


@pytest.fixture
def states(suite_file: "SuiteFile") -> States:
    """Two agents of three seeds: 10, 30 and to do; failed, unreadable and to do."""
    path = suite_file({"agent": "random"}, {"agent": "buy-and-hold"}, seeds=[0, 1, 2])
    cells = plan_cells(load_suite(str(path)), out=path.parent, fallback=False)
    failed, broken = CellState("failed", 0, None, "no luck"), CellState("unreadable", 0, None, "no JSON")
    return dict(zip(cells, (done(10), done(30), TODO, failed, broken, TODO), strict=True))


def test_the_rest_takes_what_finished_cells_took_and_nothing_is_guessed(states: States) -> None:
    assert estimate(states) == Estimate(20.0, {"buy-and-hold": 2})


def test_the_table_has_a_row_an_agent_and_asset_and_a_column_a_seed(states: States) -> None:
    table = outlook_table("title", states)
    assert table.header == ["agent", "asset", "seed 0", "seed 1", "seed 2", "a cell takes"]
    assert table.rows == [
        ["random", "TSLA (replica)", "done", "done", "to do", "20 s"],
        ["buy-and-hold", "TSLA (replica)", "failed", "unreadable", "to do", "unknown"],
    ]


def test_the_lines_below_it_count_and_estimate(states: States) -> None:
    assert outlook_lines(states, jobs=2) == [
        "6 cells: 2 done, 2 to do, 1 failed, to do again, 1 unreadable",
        "estimated time: 10 s with 2 at once; unknown for buy-and-hold (2), of which no cell is finished",
    ]


def test_where_nothing_is_known_nothing_is_said_of_seconds(states: States) -> None:
    fresh = dict.fromkeys(states, TODO)
    assert outlook_lines(fresh, jobs=1)[1] == (
        "estimated time: unknown for random (3), buy-and-hold (3), of which no cell is finished"
    )
    assert outlook_lines(dict.fromkeys(states, done(1)), jobs=1)[1] == "estimated time: nothing is left to do"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (12.4, "12 s"), (119, "119 s"), (121, "3 min"), (7140, "119 min"), (12_000, "3 h 20 min")],
)
def test_a_duration_reads_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
