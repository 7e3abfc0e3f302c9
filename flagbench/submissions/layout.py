"""The folder of a submission: which files lie in it, how large they may be, and where others speak of it.

    <board>/submissions/<track>/<name>__<date>/
        submission.json                    flagbench.submissions.submission.Submission
        card.md                            what the submitter says
        actions/<asset>/seed-<k>.csv       date,action
        knowledge/<sha256>.jsonl.gz        answers of a language model, without the right ones
        ledger.jsonl                       the trial ledger; ledger-2.jsonl … where there were several

What maintainers write lies outside it, so that no submitter can: `<board>/results/<track>/<folder>.json` and
`<board>/badges/<track>/<folder>.json`.
"""

import os
import re
import stat
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from flagbench.errors import RecordError
from flagbench.submissions.failure import Failure, failure

SUBMISSION = "submission.json"
CARD = "card.md"
ACTIONS = "actions"
KNOWLEDGE = "knowledge"

KIB, MIB = 2**10, 2**20

LIMITS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"submission\.json"), MIB),
    (re.compile(r"card\.md"), 64 * KIB),
    (re.compile(r"actions/[A-Za-z0-9][A-Za-z0-9._-]{0,63}/seed-(0|[1-9][0-9]{0,9})\.csv"), 256 * KIB),
    (re.compile(r"knowledge/[0-9a-f]{64}\.jsonl\.gz"), 4 * MIB),
    (re.compile(r"ledger(-[2-9])?\.jsonl"), 32 * MIB),
)
"""Every file that may be there and its most bytes. Ours: ten times what a track of nine assets needs."""

DEPTH = 2
"""Folders below one another, such as `actions/TSLA`."""

TOTAL = 64 * MIB
FILES = 5000
"""Of a whole submission; nine assets and five seeds with answers to knowledge items make about 150."""


def actions_file(asset: str, seed: int) -> str:
    """Where a run's actions lie in the folder."""
    return f"{ACTIONS}/{asset}/seed-{seed}.csv"


def samples_file(digest: str) -> str:
    """Where answers of that sha256 lie in the folder."""
    return f"{KNOWLEDGE}/{digest}.jsonl.gz"


def inspect(folder: Path) -> tuple[list[str], list[Failure]]:
    """List the files without following anything, and find what must not be there.

    Returns:
        files that may be opened, sorted, and failures: links, devices, strangers, sizes.

    Raises:
        RecordError: `folder` is no folder.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder} is no folder", hint="give one that `flagbench submit prepare` printed")
    files: list[str] = []
    failures: list[Failure] = []
    total = 0
    for name, status in _entries(folder):
        limit = next((size for pattern, size in LIMITS if pattern.fullmatch(name)), None)
        if not stat.S_ISREG(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "no plain file"
            failures.append(failure(name, "kind of file", found=kind, expected="a plain file"))
        elif limit is None:
            expected = "only the files that `flagbench submit prepare` writes"
            failures.append(failure(name, "file", found="an unknown file", expected=expected))
        elif status.st_size > limit:
            failures.append(
                failure(name, "size", found=f"{status.st_size} bytes", expected=f"at most {limit}")
            )
        else:
            files.append(name)
            total += status.st_size
        if len(files) + len(failures) > FILES:
            return [], [failure(".", "number of files", found="more", expected=f"at most {FILES}")]
    if total > TOTAL:
        return [], [failure(".", "size of all files", found=f"{total} bytes", expected=f"at most {TOTAL}")]
    return sorted(files), failures


def _entries(folder: Path, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Everything but plain folders, by its name below the folder; links are not followed."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            name = f"{prefix}{entry.name}"
            # A folder deeper than any of ours is a stranger itself, so nobody makes this recurse for long.
            if entry.is_dir(follow_symlinks=False) and name.count("/") < DEPTH:
                yield from _entries(folder / entry.name, f"{name}/")
            else:
                yield name, entry.stat(follow_symlinks=False)


def content_sha256(folder: Path) -> str:
    """Hash of all files with their names: what results and badges speak of.

    Raises:
        RecordError: the folder holds what no submission may hold.
    """
    files, failures = inspect(folder)
    if failures:
        raise RecordError(f"{folder}: {failures[0]}")
    digest = sha256()
    for name in files:
        digest.update(f"{name}\0{sha256((folder / name).read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def submission_folders(board: Path) -> list[Path]:
    """The submissions of a board, by track and name; hidden folders and links are left out."""
    return [
        folder
        for track in _folders(board / "submissions")
        for folder in _folders(track)
        if (folder / SUBMISSION).is_file()
    ]


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    found = (each for each in path.iterdir() if each.is_dir() and not each.is_symlink())
    return sorted(each for each in found if not each.name.startswith("."))


def results_path(folder: Path) -> Path:
    """Where the recomputed figures of a board's submission lie.

    Raises:
        RecordError: the folder lies on no board.
    """
    return _beside(folder, "results")


def badge_path(folder: Path) -> Path:
    """Where the badge of a board's submission lies.

    Raises:
        RecordError: the folder lies on no board.
    """
    return _beside(folder, "badges")


def _beside(folder: Path, what: str) -> Path:
    absolute = folder.resolve()
    track, submissions = absolute.parent, absolute.parent.parent
    if submissions.name != "submissions":
        raise RecordError(
            f"{folder} lies on no board",
            hint="a board's submissions are <board>/submissions/<track>/<name>__<date>",
        )
    return submissions.parent / what / track.name / f"{absolute.name}.json"
