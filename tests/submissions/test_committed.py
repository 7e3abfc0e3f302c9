"""Every submission of this repository is valid, and its results are those of its content."""

import os
from pathlib import Path

import pytest

from flagbench.submissions.layout import content_sha256, results_path, submission_folders
from flagbench.submissions.reading import read_submission
from flagbench.submissions.results import read_results
from flagbench.submissions.track import load_track
from flagbench.submissions.validating import validate
from flagbench.submissions.verifying import verify

BOARD = Path(__file__).parents[2] / "leaderboard"
FOLDERS = submission_folders(BOARD)


def needs_data(folder: Path) -> None:
    """Markets are not in the repository; replicas are drawn."""
    track = read_submission(folder).track
    if load_track(track).kind == "market" and not os.environ.get("FLAGBENCH_DATA"):
        pytest.skip("FLAGBENCH_DATA is not set: this submission is about real markets")


def name_of(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


def test_every_folder_below_a_track_is_a_submission() -> None:
    tracks = (BOARD / "submissions").glob("*/*")
    assert sorted(tracks) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_it_is_valid(folder: Path) -> None:
    needs_data(folder)
    checked = validate(folder, audit=False)  # its rows were audited for its results, and they replay
    assert checked.failures == ()


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_its_results_are_of_its_content_and_hold_what_it_claims(folder: Path) -> None:
    results, submission = read_results(results_path(folder)), read_submission(folder)
    assert results.submission_sha256 == content_sha256(folder), "flagbench submit validate DIR --results"
    shown = [(asset, seed) for asset in results.assets for seed in asset.seeds]
    for run, (asset, seed) in zip(submission.runs, shown, strict=True):
        assert (asset.asset, seed.seed, seed.actions_sha256) == (run.asset, run.seed, run.actions_sha256)
        for metric, value in run.metrics.items():
            assert seed.metrics[metric] == (None if value is None else pytest.approx(value, rel=1e-5))
        assert [audit.verdict for audit in asset.audit if audit.verdict == "unreachable"] == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_its_results_come_out_again(folder: Path) -> None:
    needs_data(folder)
    verified = verify(folder)
    assert verified.failures == ()
    assert verified.results is not None
    kept = read_results(results_path(folder))
    assert verified.results.model_dump(exclude={"flagbench"}) == kept.model_dump(exclude={"flagbench"})
