"""A submission handed in: copied to another board's folder, or pushed as a branch to a git repository."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from flagbench.errors import RecordError
from flagbench.records.run_directory import writing
from flagbench.submissions.layout import inspect
from flagbench.submissions.submission import Submission

BOARD = "leaderboard"
"""Folder of the board in a repository."""

PATIENCE = 600
"""Seconds for one git command; ours, enough for a shallow clone over a slow line."""

_SCP = re.compile(r"^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:.+")


def is_remote(target: str) -> bool:
    """Whether a target is a git repository to push to, and no folder to copy into."""
    path = Path(target)
    is_bare = (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
    return "://" in target or bool(_SCP.match(target)) or target.endswith(".git") or is_bare


def publish_to_folder(folder: Path, submission: Submission, board: Path) -> Path:
    """Copy a valid submission to `<board>/submissions/<track>/<name>__<date>`.

    Raises:
        RecordError: it is there already, or cannot be written.
    """
    target = _place(board, submission)
    if target.parent.resolve() != board.resolve() / "submissions" / submission.track:
        raise RecordError(f"{target.parent} leads out of {board}", hint="remove the link")
    with writing(target, option="--to") as partial:
        _copy(folder, partial)
    return target


def publish_to_remote(folder: Path, submission: Submission, remote: str) -> str:
    """Commit a valid submission on a branch of its own and push it.

    Returns:
        the branch, `submission/<name>__<date>`; a pull request is opened by hand.

    Raises:
        RecordError: git is missing, the remote cannot be reached, the branch or folder is there, or the push
            was rejected; each with what git said.
    """
    if remote.startswith("-"):
        raise RecordError(f"`{remote}` is no repository")
    branch = f"submission/{submission.folder_name}"
    if _git("ls-remote", "--heads", "--", remote, f"refs/heads/{branch}", what=f"{remote} cannot be read"):
        raise RecordError(
            f"{remote} has a branch {branch} already",
            hint="delete it there, or change the card's name",
        )
    with tempfile.TemporaryDirectory(prefix="flagbench-") as scratch:
        clone = Path(scratch) / "clone"
        _git("clone", "--quiet", "--depth", "1", "--", remote, str(clone), what=f"{remote} cannot be cloned")
        if (clone / BOARD).is_symlink():
            raise RecordError(f"{BOARD} is a link in {remote}", hint="a board is a folder of its own")
        target = publish_to_folder(folder, submission, clone / BOARD)
        place = str(target.relative_to(clone))
        _git("checkout", "--quiet", "-b", branch, at=clone, what=f"no branch {branch} can be made")
        _git("add", "--force", "--", place, at=clone, what="the submission cannot be added")
        message = f"Submission of {submission.card.name} to {submission.track}"
        _git("commit", "--quiet", "--message", message, at=clone, what="the submission cannot be committed")
        _git(
            "push",
            "--quiet",
            "origin",
            f"HEAD:refs/heads/{branch}",
            at=clone,
            what=f"{remote} does not take the branch",
        )
    return branch


def _place(board: Path, submission: Submission) -> Path:
    return board / "submissions" / submission.track / submission.folder_name


def _copy(folder: Path, target: Path) -> None:
    """Only what a submission may hold, file by file; nothing is followed."""
    files, failures = inspect(folder)
    if failures:
        raise RecordError(f"{folder}: {failures[0]}")
    for name in files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)


def _git(*arguments: str, what: str, at: Path | None = None) -> str:
    """One git command that asks nobody for anything.

    Raises:
        RecordError: git is missing, took too long, or failed; the message ends with its own last line.
    """
    place = [] if at is None else ["-C", str(at)]
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", *place, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        raise RecordError("git is not installed", hint="install it, or publish to a folder") from None
    except subprocess.TimeoutExpired:
        raise RecordError(f"{what}: git took more than {PATIENCE} seconds") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise RecordError(f"{what}: {_reason(said)}", hint=_hint(done.stderr))
    return done.stdout.strip()


def _reason(said: list[str]) -> str:
    """The line in which git says what went wrong."""
    marks = ("fatal:", "error:", "remote: error", "! [")
    told = [line.strip() for line in said if any(mark in line for mark in marks)]
    return told[0] if told else (said[-1].strip() if said else "git said nothing")


def _hint(stderr: str) -> str:
    hints = {
        "tell me who you are": 'git config --global user.name "…" and user.email "…"',
        "unable to auto-detect email": 'git config --global user.name "…" and user.email "…"',
        "could not read Username": "log in with git first, or push to a fork of your own",
        "Permission denied": "push to a fork of your own and open the pull request from there",
        "[remote rejected]": "the repository refused it: push to a fork of your own",
    }
    return next((hint for mark, hint in hints.items() if mark in stderr), "")
