from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.drawn_results import Kind
from benchmarks.drawn_submissions import write_entry
from flagbench.board.entry import Entry, read_entry
from flagbench.board.forest import Scale, scale_of
from flagbench.board.heat_map import CUTS, heat

if TYPE_CHECKING:
    from tests.board.conftest import SmallBoard


def test_a_scale_goes_from_0_to_100_percent_and_cuts_what_lies_beyond() -> None:
    scale = Scale(-1.0, 3.0)
    assert [scale.at(value) for value in (-1.0, 0.0, 3.0, 99.0, -99.0)] == [0.0, 25.0, 100.0, 100.0, 0.0]


def with_ends(entry: Entry, value: float, reach: float) -> Entry:
    from dataclasses import replace

    ends = {"value": value, "low": value - reach, "high": value + reach}
    endpoint = entry.results.endpoint.model_copy(update=ends)
    return replace(entry, results=entry.results.model_copy(update={"endpoint": endpoint}))


def test_one_wild_interval_does_not_squeeze_the_others(tmp_path: Path) -> None:
    entry = read_entry(write_entry(tmp_path, Kind("a", "flag"), assets=("TSLA",))).entry
    calm = [with_ends(entry, 0.1 * number, 0.5) for number in range(-4, 5)]
    scale = scale_of([*calm, with_ends(entry, 0.0, 1000.0)])
    assert -4 < scale.low < -0.9
    assert 0.9 < scale.high < 4
    assert scale_of([]) == Scale(-1.0, 1.0)


def test_the_colours_part_at_the_cuts() -> None:
    assert heat(-99) == 0
    assert heat(0.0) == 4
    assert heat(99) == 8
    assert [heat(cut) for cut in CUTS] == list(range(8))


def test_the_pictures_say_in_text_what_they_draw(small_board: "SmallBoard") -> None:
    html = (small_board.site / "replica.html").read_text(encoding="utf-8")
    forest = html.partition('<table class="forest">')[2].partition("</table>")[0]
    assert forest.count('<tr class="off">') == 3
    assert "oracle" not in forest
    heat_map = html.partition('<table class="heat">')[2].partition("</table>")[0]
    assert heat_map.count("<td") == 2 * 7
    assert heat_map.count('<td class="none">–</td>') == 2  # the one that never trades


@pytest.mark.parametrize("name", ["columns.html", "replica.html"])
def test_bold_in_the_heat_map_is_explained(small_board: "SmallBoard", name: str) -> None:
    html = (small_board.site / name).read_text(encoding="utf-8")
    assert "bold" in html.lower()
