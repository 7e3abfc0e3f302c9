"""The whole board: from a folder of submissions to a static site, the same bytes for the same input."""

import re
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from flagbench.board import shell
from flagbench.board.data_files import bars_data, entry_data, index_data
from flagbench.board.entry_page import entry_page
from flagbench.board.pages import columns_page, compare_page, index_page, track_page
from flagbench.board.shell import Link, Shell, entry_address, track_address
from flagbench.board.standing import Standing
from flagbench.board.style import stylesheet
from flagbench.board.track import TrackBoard, read_track
from flagbench.comparison.comparison import RESAMPLES
from flagbench.errors import ConfigError, RecordError
from flagbench.submissions.layout import submission_folders

LISTING = "files.txt"
"""Names every file of a site, so that a later build takes away what is gone and touches nothing else."""

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}"
"""Of a track, and of an entry with its date: as submissions are named, with room for the date."""

ORDER = ("market-standard", "market-paper", "replica")
"""Of the tracks that flagbench ships; others follow by name."""


class Board(NamedTuple):
    """A site, and what is kept for the next build."""

    site: dict[str, str]
    """Text of every file by its path in the site."""
    joints: dict[Path, str]
    """Text of each track's `<board>/joint/<track>.json`."""


def build_board(board: Path, *, resamples: int = RESAMPLES) -> Board:
    """Every file of the site, from submissions whose results are up to date.

    Args:
        board: with `submissions`, `results`, and `badges`.
        resamples: of intervals that are not kept yet.

    Raises:
        ComparabilityError: entries of a track may not share a table.
        RecordError: a folder has a name that no page can have.
        FlagbenchError: a file is missing or broken.
    """
    by_track: dict[str, list[Path]] = {}
    for folder in submission_folders(board):
        _check_names(folder)
        by_track.setdefault(folder.parent.name, []).append(folder)
    tracks = [
        read_track(board, name, by_track[name], resamples=resamples) for name in sorted(by_track, key=_place)
    ]
    standings = [track.standing for track in tracks]
    frame = Shell([Link(track_address(standing.id), standing.title) for standing in standings])
    site = {
        shell.INDEX: index_page(frame, standings),
        shell.COMPARE: compare_page(frame),
        shell.COLUMNS: columns_page(frame),
        shell.STYLE: stylesheet(),
        shell.SCRIPT: (files("flagbench") / "board" / shell.SCRIPT).read_text(encoding="utf-8"),
        "data/index.js": index_data(standings),
    }
    for track in tracks:
        site |= _track_files(frame, track)
    site[LISTING] = "".join(f"{name}\n" for name in sorted(site))
    return Board(site, {track.joint_path: track.joint_text for track in tracks})


def _check_names(folder: Path) -> None:
    """Names of folders become names of files and addresses."""
    track = folder.parent.name
    wrong = [name for name in (track, folder.name) if re.fullmatch(NAME, name) is None]
    if track_address(track) in (shell.INDEX, shell.COMPARE, shell.COLUMNS):
        wrong.append(track)
    if wrong:
        raise RecordError(
            f"{folder}: `{wrong[0]}` cannot be the name of a track or a submission",
            hint="`flagbench submit prepare` names the folder",
        )


def _place(track: str) -> tuple[int, str]:
    return (ORDER.index(track) if track in ORDER else len(ORDER)), track


def _track_files(frame: Shell, track: TrackBoard) -> dict[str, str]:
    standing: Standing = track.standing
    site = {
        track_address(standing.id): track_page(frame, standing),
        f"data/{standing.id}/assets.js": bars_data(standing.id, track.bars),
    }
    for entry in standing.entries:
        site[entry_address(standing.id, entry.name)] = entry_page(frame, standing, entry, track.holm)
        site[f"data/{standing.id}/{entry.name}.js"] = entry_data(standing, entry)
    return site


def write_board(board: Board, out: Path) -> list[Path]:
    """Write what differs, and take away files of an earlier build that are no more.

    Returns:
        the files that were written or taken away.

    Raises:
        ConfigError: the folder cannot be written.
    """
    changed, before = [], _listed(out)
    wanted = {out / name: text for name, text in board.site.items()} | board.joints
    try:
        for path, text in wanted.items():
            if _text(path) != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
                changed.append(path)
        for path in sorted(before - set(wanted)):
            path.unlink(missing_ok=True)
            changed.append(path)
    except OSError as error:
        raise ConfigError(
            f"the site cannot be written to {out}: {error}", hint="choose another --out"
        ) from error
    return changed


def stale_files(board: Board, out: Path) -> list[Path]:
    """Files of the site, and of what is kept for it, that are not what they would be if it were built now."""
    wanted = {out / name: text for name, text in board.site.items()} | board.joints
    differing = {path for path, text in wanted.items() if _text(path) != text}
    return sorted(differing | {path for path in _listed(out) - set(wanted) if path.exists()})


def _listed(out: Path) -> set[Path]:
    """The files that the last build says it wrote; names that lead elsewhere are nobody's business here."""
    names = (_text(out / LISTING) or "").splitlines()
    return {out / name for name in names if name and ".." not in name.split("/") and not name.startswith("/")}


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
