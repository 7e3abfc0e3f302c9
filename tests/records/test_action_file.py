from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagbench.errors import ConfigError
from flagbench.records.action_file import read_actions, write_actions

DATES = np.arange("2020-03-02", "2020-03-06", dtype="datetime64[D]")
"""Four bars, so three decisions."""

GOOD = ["date,action", "2020-03-02,buy", "2020-03-03,hold", "2020-03-04,sell"]


def written(folder: Path, lines: list[str], *, start: str = "", end: str = "\n") -> Path:
    path = folder / "actions.csv"
    path.write_text(start + end.join(lines) + end, encoding="utf-8", newline="")
    return path


def actions_in(path: Path) -> list[int]:
    rows = read_actions(path, DATES)
    assert rows.actions is not None
    assert rows.given_positions is None
    assert rows.actions.dtype == np.int8
    return [int(action) for action in rows.actions]


def test_a_file_is_a_row_a_decision(tmp_path: Path) -> None:
    path = tmp_path / "actions.csv"
    write_actions(path, DATES[:-1], np.array([2, 1, -1], dtype=np.int8))
    assert path.read_bytes() == b"date,action\n2020-03-02,buy\n2020-03-03,hold\n2020-03-04,unparsed\n"


@given(st.lists(st.sampled_from([-1, 0, 1, 2]), min_size=3, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_reads_back(tmp_path: Path, actions: list[int]) -> None:
    path = tmp_path / "actions.csv"
    write_actions(path, DATES[:-1], np.array(actions, dtype=np.int8))
    assert actions_in(path) == actions


def test_a_date_without_an_action_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        write_actions(tmp_path / "actions.csv", DATES, np.array([2, 1, 0], dtype=np.int8))


@pytest.mark.parametrize("last", ["2020-03-05,buy", "2020-03-05,", "2020-03-05,none"])
def test_the_last_bars_row_may_be_there_and_is_ignored(tmp_path: Path, last: str) -> None:
    assert actions_in(written(tmp_path, [*GOOD, last])) == [2, 1, 0]


def test_spreadsheets_leave_marks_that_do_not_matter(tmp_path: Path) -> None:
    lines = ["Date, Action", "2020-03-02, BUY", "2020-03-03,Hold ", "", " 2020-03-04,sell"]
    assert actions_in(written(tmp_path, lines, start="\ufeff", end="\r\n")) == [2, 1, 0]


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        ([], "the header is ``, needed: `date,action`"),
        (GOOD[1:], "the header is `2020-03-02,buy`, needed: `date,action`"),
        (["date,action,why", *GOOD[1:]], "the header is `date,action,why`, needed: `date,action`"),
        (GOOD[:1], "ends before 2020-03-02; 3 decisions are needed"),
        (GOOD[:3], "ends before 2020-03-04; 3 decisions are needed"),
        (
            [*GOOD, "2020-03-05,hold", "2020-03-06,hold"],
            "line 6: date 2020-03-06, expected the end of the file",
        ),
        ([*GOOD[:2], GOOD[3]], "line 3: date 2020-03-04, expected 2020-03-03"),
        ([*GOOD[:2], *GOOD[1:]], "line 3: date 2020-03-02, expected 2020-03-03"),
        ([GOOD[0], GOOD[2], GOOD[1], GOOD[3]], "line 2: date 2020-03-03, expected 2020-03-02"),
        ([*GOOD[:3], "2020-03-04,short"], "line 4: `short` is none of unparsed, sell, hold, buy"),
        ([*GOOD[:3], "2020-03-04,2"], "line 4: `2` is none of unparsed, sell, hold, buy"),
        ([*GOOD[:3], "2020-03-04,"], "line 4: `` is none of unparsed, sell, hold, buy"),
        ([*GOOD[:3], "2020-03-04,sell,now"], "line 4: 3 cells, two are needed"),
        ([*GOOD[:3], "2020-03-04"], "line 4: 1 cells, two are needed"),
        (["date,position", *GOOD[1:]], "holds positions; only actions can be played through a protocol"),
    ],
)
def test_a_broken_file_is_refused_with_its_line(tmp_path: Path, lines: list[str], error: str) -> None:
    path = written(tmp_path, lines)
    with pytest.raises(ConfigError) as caught:
        read_actions(path, DATES)
    assert caught.value.message.startswith(str(path))
    assert error in caught.value.message


@pytest.mark.parametrize("content", [None, b"date,action\n2020-03-02,b\xfcy\n"])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "actions.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"actions\.csv cannot be read as CSV: "):
        read_actions(path, DATES)


def test_positions_are_read_where_they_are_allowed(tmp_path: Path) -> None:
    path = written(tmp_path, ["date,position", "2020-03-02,-1", "2020-03-03,0", "2020-03-04,1"])
    rows = read_actions(path, DATES, positions_allowed=True)
    assert rows.actions is None
    assert rows.positions.tolist() == [-1, 0, 1]


@pytest.mark.parametrize("word", ["0.5", "2", "long", "+1"])
def test_a_position_is_short_flat_or_long(tmp_path: Path, word: str) -> None:
    path = written(tmp_path, ["date,position", f"2020-03-02,{word}"])
    with pytest.raises(ConfigError, match="is none of -1, 0, 1"):
        read_actions(path, DATES, positions_allowed=True)


def test_where_positions_are_allowed_actions_still_are(tmp_path: Path) -> None:
    rows = read_actions(written(tmp_path, GOOD), DATES, positions_allowed=True)
    assert rows.positions.tolist() == [1, 1, 0]


def test_an_answer_that_was_no_action_keeps_the_position(tmp_path: Path) -> None:
    lines = [GOOD[0], GOOD[1], "2020-03-03,unparsed", "2020-03-04,hold"]
    assert read_actions(written(tmp_path, lines), DATES).positions.tolist() == [1, 1, 1]
