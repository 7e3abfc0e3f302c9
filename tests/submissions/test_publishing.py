"""Handed in to a folder, and pushed to real git repositories on this machine."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.errors import RecordError
from flagbench.submissions.layout import content_sha256, submission_folders
from flagbench.submissions.publishing import is_remote, publish_to_folder, publish_to_remote
from flagbench.submissions.reading import read_submission
from flagbench.submissions.submission import Submission

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared

IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "A. Author"), ("EMAIL", "a@example.org"))
}


def git(*arguments: str, at: Path) -> str:
    done = subprocess.run(["git", "-C", str(at), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings nor the name of whoever runs the tests."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    """A bare repository whose only commit has a board that ignores new files."""
    bare, work = tmp_path / "remote.git", tmp_path / "work"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True)
    subprocess.run(["git", "clone", "--quiet", str(bare), str(work)], check=True, capture_output=True)
    (work / ".gitignore").write_text("actions/\n*.jsonl\n")
    git("checkout", "--quiet", "-b", "main", at=work)
    git("add", ".gitignore", at=work)
    git("commit", "--quiet", "-m", "First", at=work)
    git("push", "--quiet", "origin", "main", at=work)
    return bare


@pytest.fixture
def manifest(prepared: "Prepared") -> Submission:
    return read_submission(prepared.folder)


def test_a_folder_gets_the_same_content(prepared: "Prepared", manifest: Submission, tmp_path: Path) -> None:
    board = tmp_path / "board"
    copied = publish_to_folder(prepared.folder, manifest, board)
    assert copied == board / "submissions" / "small" / prepared.folder.name
    assert content_sha256(copied) == content_sha256(prepared.folder)
    assert submission_folders(board) == [copied]
    with pytest.raises(RecordError, match="exists already"):
        publish_to_folder(prepared.folder, manifest, board)


def test_a_place_that_takes_nothing_is_named_by_its_option(
    prepared: "Prepared", manifest: Submission, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RecordError, match="cannot be written") as refused:
        publish_to_folder(prepared.folder, manifest, tmp_path / "file" / "board")
    assert refused.value.hint == "choose another --to"


def test_only_plain_files_of_a_submission_are_copied(submission: Path, tmp_path: Path) -> None:
    (submission / "more.py").write_text("x")
    with pytest.raises(RecordError, match="an unknown file"):
        publish_to_folder(submission, read_submission(submission), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_board_that_is_a_link_to_elsewhere_is_refused(
    prepared: "Prepared", manifest: Submission, tmp_path: Path
) -> None:
    (tmp_path / "board").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "board" / "submissions").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match="leads out of"):
        publish_to_folder(prepared.folder, manifest, tmp_path / "board")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_remote_gets_a_branch_of_one_commit_with_the_folder(
    prepared: "Prepared", manifest: Submission, remote: Path, tmp_path: Path
) -> None:
    branch = publish_to_remote(prepared.folder, manifest, str(remote))
    assert branch == f"submission/{prepared.folder.name}"
    assert set(git("branch", "--format=%(refname:short)", at=remote).splitlines()) == {"main", branch}
    assert git("rev-list", "--count", f"main..{branch}", at=remote) == "1"
    assert git("log", "-1", "--format=%s", branch, at=remote) == "Submission of random to small"
    subprocess.run(
        ["git", "clone", "--quiet", "--branch", branch, str(remote), str(tmp_path / "theirs")], check=True
    )
    (folder,) = submission_folders(tmp_path / "theirs" / "leaderboard")
    assert content_sha256(folder) == content_sha256(prepared.folder)


def test_an_empty_repository_can_be_pushed_to(
    prepared: "Prepared", manifest: Submission, tmp_path: Path
) -> None:
    bare = tmp_path / "empty.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(bare)], check=True)
    branch = publish_to_remote(prepared.folder, manifest, str(bare))
    assert git("rev-list", "--count", branch, at=bare) == "1"


def test_a_branch_that_is_there_is_left_as_it_is(
    prepared: "Prepared", manifest: Submission, remote: Path
) -> None:
    branch = publish_to_remote(prepared.folder, manifest, str(remote))
    before = git("rev-parse", branch, at=remote)
    with pytest.raises(RecordError, match=f"has a branch {branch} already"):
        publish_to_remote(prepared.folder, manifest, str(remote))
    assert git("rev-parse", branch, at=remote) == before


def test_a_submission_that_was_merged_before_is_not_pushed_again(
    prepared: "Prepared", manifest: Submission, remote: Path
) -> None:
    branch = publish_to_remote(prepared.folder, manifest, str(remote))
    git("update-ref", "refs/heads/main", branch, at=remote)
    git("branch", "-D", branch, at=remote)
    with pytest.raises(RecordError, match="exists already"):
        publish_to_remote(prepared.folder, manifest, str(remote))


def test_a_push_that_is_rejected_says_why_and_what_to_do(
    prepared: "Prepared", manifest: Submission, remote: Path
) -> None:
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RecordError, match="does not take the branch") as refused:
        publish_to_remote(prepared.folder, manifest, str(remote))
    assert "rejected" in refused.value.message
    assert "fork" in refused.value.hint
    assert git("branch", "--format=%(refname:short)", at=remote) == "main"


def test_a_repository_that_is_not_there(prepared: "Prepared", manifest: Submission, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read") as refused:
        publish_to_remote(prepared.folder, manifest, str(tmp_path / "nowhere.git"))
    assert "\n" not in refused.value.message
    with pytest.raises(RecordError, match="is no repository"):
        publish_to_remote(prepared.folder, manifest, "--upload-pack=touch x")


def test_without_a_name_git_says_what_it_needs(
    prepared: "Prepared", manifest: Submission, remote: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in IDENTITY:
        monkeypatch.delenv(name)
    nobody = tmp_path / "nobody"
    nobody.write_text("[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(nobody))
    with pytest.raises(RecordError, match="cannot be committed") as refused:
        publish_to_remote(prepared.folder, manifest, str(remote))
    assert "git config --global user.name" in refused.value.hint


def test_without_git_a_folder_is_left(
    prepared: "Prepared", manifest: Submission, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RecordError, match="git is not installed") as refused:
        publish_to_remote(prepared.folder, manifest, "https://example.org/board.git")
    assert refused.value.hint == "install it, or publish to a folder"


def test_a_board_that_is_a_link_in_the_repository_is_refused(
    prepared: "Prepared", manifest: Submission, remote: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    (work / "leaderboard").symlink_to(tmp_path)
    git("add", "leaderboard", at=work)
    git("commit", "--quiet", "-m", "A link", at=work)
    git("push", "--quiet", "origin", "main", at=work)
    with pytest.raises(RecordError, match="leaderboard is a link in"):
        publish_to_remote(prepared.folder, manifest, str(remote))
    assert not (tmp_path / "submissions").exists()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://example.org/board", True),
        ("ssh://git@example.org/board", True),
        ("git@example.org:owner/board", True),
        ("some/board.git", True),
        ("leaderboard", False),
        ("../other:board", False),
    ],
)
def test_what_a_remote_looks_like(target: str, expected: bool) -> None:
    assert is_remote(target) is expected


def test_a_bare_repository_is_a_remote_whatever_its_name(remote: Path, tmp_path: Path) -> None:
    assert is_remote(str(remote.rename(tmp_path / "board")))
    assert not is_remote(str(tmp_path / "work"))  # a checkout is a folder
