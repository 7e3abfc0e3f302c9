from pathlib import Path

import pytest

from flagbench.errors import RecordError
from flagbench.submissions.layout import (
    LIMITS,
    badge_path,
    content_sha256,
    inspect,
    results_path,
    submission_folders,
)


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_the_hash_of_a_content_knows_names_and_bytes(tmp_path: Path) -> None:
    one = make(tmp_path / "one", "card.md", "actions/A/seed-0.csv")
    same = make(tmp_path / "same", "actions/A/seed-0.csv", "card.md")
    assert content_sha256(one) == content_sha256(same)
    (same / "card.md").write_text("other")
    assert content_sha256(one) != content_sha256(same)
    moved = make(tmp_path / "moved", "card.md")
    (moved / "actions" / "A").mkdir(parents=True)
    (moved / "actions" / "A" / "seed-1.csv").write_text("actions/A/seed-0.csv")
    assert content_sha256(one) != content_sha256(moved)
    make(same, "stranger")
    with pytest.raises(RecordError, match="an unknown file"):
        content_sha256(same)


def test_a_deep_tree_is_one_stranger(tmp_path: Path) -> None:
    deep = tmp_path / "a"
    for _ in range(200):
        deep /= "a"
    deep.mkdir(parents=True)
    files, failures = inspect(tmp_path)
    assert files == []
    assert [failure.file for failure in failures] == ["a/a/a"]


def test_more_files_than_any_track_needs(tmp_path: Path) -> None:
    folder = tmp_path / "actions" / "A"
    folder.mkdir(parents=True)
    for seed in range(5001):
        (folder / f"seed-{seed}.csv").touch()
    files, (failure,) = inspect(tmp_path)
    assert (files, failure.what) == ([], "number of files")


def test_all_files_together_have_a_limit(tmp_path: Path) -> None:
    for name in ("ledger.jsonl", "ledger-2.jsonl", "ledger-3.jsonl"):
        with (tmp_path / name).open("wb") as stream:
            stream.truncate(30 * 2**20)  # sparse: nothing is written
    files, (failure,) = inspect(tmp_path)
    assert (files, failure.what) == ([], "size of all files")


@pytest.mark.parametrize(
    "name",
    [
        "actions/../card.md",
        "actions/.hidden/seed-0.csv",
        "actions/A/seed-00.csv",
        "actions/A/seed-1.csv\n",
        "knowledge/ABC.jsonl.gz",
        "ledger-1.jsonl",
        "ledger-10.jsonl",
        "Card.md",
    ],
)
def test_names_that_are_almost_right_are_not(name: str) -> None:
    assert not any(pattern.fullmatch(name) for pattern, _ in LIMITS)


def test_a_boards_submissions_are_found_by_track_and_name(tmp_path: Path) -> None:
    for name in ("replica/b__2026-01-01", "replica/a__2026-01-01", "market-paper/c__2026-01-01"):
        make(tmp_path / "submissions" / name, "submission.json")
    make(tmp_path / "submissions" / "replica" / ".partial", "submission.json")
    make(tmp_path / "submissions" / "replica" / "empty", "card.md")
    (tmp_path / "submissions" / "linked").symlink_to(tmp_path / "submissions" / "replica")
    found = [str(folder.relative_to(tmp_path / "submissions")) for folder in submission_folders(tmp_path)]
    assert found == ["market-paper/c__2026-01-01", "replica/a__2026-01-01", "replica/b__2026-01-01"]
    assert submission_folders(tmp_path / "nowhere") == []


def test_what_maintainers_write_lies_outside(tmp_path: Path) -> None:
    folder = make(tmp_path / "submissions" / "replica" / "a__2026-01-01", "submission.json")
    assert results_path(folder) == tmp_path.resolve() / "results" / "replica" / "a__2026-01-01.json"
    assert badge_path(folder) == tmp_path.resolve() / "badges" / "replica" / "a__2026-01-01.json"
