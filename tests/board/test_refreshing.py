from pathlib import Path

import pytest

from benchmarks.drawn_results import Kind
from benchmarks.drawn_submissions import write_entry
from flagbench.board.refreshing import refresh_results, stale_results
from flagbench.errors import RecordError
from flagbench.submissions.layout import results_path


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    """Drawn, so that its results are up to date and it would pass no validation."""
    folder: Path = write_entry(tmp_path, Kind("one", "flag"), assets=("TSLA",))
    return folder


def test_results_of_the_same_content_are_taken(submission: Path) -> None:
    board = submission.parents[2]
    assert stale_results(board) == []
    assert list(refresh_results(board)) == []


@pytest.mark.parametrize("what", ["missing", "broken", "other content"])
def test_others_are_stale(submission: Path, what: str) -> None:
    path = results_path(submission)
    if what == "missing":
        path.unlink()
    elif what == "broken":
        path.write_text("{")
    else:
        with (submission / "card.md").open("a") as stream:
            stream.write("more\n")
    assert stale_results(submission.parents[2]) == [submission]


def test_what_is_not_valid_is_not_recomputed_and_named(submission: Path) -> None:
    results_path(submission).unlink()
    with pytest.raises(RecordError, match=r"replica/one__2026-11-01 is no valid submission: ") as error:
        list(refresh_results(submission.parents[2]))
    assert "flagbench submit validate" in error.value.hint
    assert not results_path(submission).exists()
