"""The site of this repository is what its submissions, results and badges make."""

from pathlib import Path

from flagbench.board.refreshing import stale_results
from flagbench.board.site import build_board, stale_files
from flagbench.submissions.layout import submission_folders

BOARD = Path(__file__).parents[2] / "leaderboard"


def test_there_are_entries_and_their_pages_are_up_to_date() -> None:
    assert submission_folders(BOARD)
    assert stale_results(BOARD) == []
    assert stale_files(build_board(BOARD), BOARD / "site") == [], "flagbench leaderboard build"
