"""Results that are missing or out of date, and making them anew where the market data is at hand."""

from collections.abc import Iterator
from pathlib import Path

from flagbench.errors import FlagbenchError, RecordError
from flagbench.submissions.layout import content_sha256, results_path, submission_folders
from flagbench.submissions.results import read_results, write_results
from flagbench.submissions.verifying import verify


def stale_results(board: Path) -> list[Path]:
    """Submissions whose results are missing, broken, or of another content.

    Raises:
        RecordError: a submission's folder holds what none may hold.
    """
    return [folder for folder in submission_folders(board) if _is_stale(folder)]


def _is_stale(folder: Path) -> bool:
    digest = content_sha256(folder)
    try:
        return read_results(results_path(folder)).submission_sha256 != digest
    except RecordError:
        return True


def refresh_results(board: Path, *, data: str | None = None) -> Iterator[Path]:
    """Recompute what is stale, one submission at a time, and yield each file that was written.

    Args:
        board: with `submissions` in it.
        data: a data folder; None for FLAGBENCH_DATA or the user's cache folder.

    Raises:
        RecordError: a submission is not valid, or what it takes to recompute it is not at hand.
    """
    for folder in stale_results(board):
        path = results_path(folder)
        try:
            verified = verify(folder, data=data)
        except FlagbenchError as error:
            raise RecordError(
                f"{folder} has no results that are up to date, and they cannot be made here: {error.message}",
                hint=error.hint or "give the market data with --data",
            ) from error
        if verified.results is None:
            raise RecordError(
                f"{folder} is no valid submission: {verified.failures[0]}",
                hint=f"flagbench submit validate {folder} says all that is wrong",
            )
        write_results(verified.results, path)
        yield path
