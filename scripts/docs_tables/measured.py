"""What was measured: speed, and the board of this repository."""

import subprocess
import sys
from pathlib import Path

from docs_tables.markdown import table

ROOT = Path(__file__).resolve().parents[2]


def benchmarks() -> str | None:
    """What `benchmarks/run.py --full` measured; None before it has."""
    path = ROOT / "benchmarks" / "results.json"
    if not path.exists():
        return None
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--table", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.rstrip("\n")


def entries() -> str:
    """Every entry of the board in this repository, track by track, as its pages have it."""
    from flagbench.board.columns import COLUMNS
    from flagbench.board.standing import Reference, verdict
    from flagbench.board.track import read_track
    from flagbench.comparison.comparison import RESAMPLES
    from flagbench.submissions.layout import submission_folders

    columns = [column for column in COLUMNS if column.key in ("endpoint", "sharpe", "return", "knowledge")]
    board, by_track = ROOT / "leaderboard", dict[str, list[Path]]()
    for folder in submission_folders(board):
        by_track.setdefault(folder.parent.name, []).append(folder)
    texts = []
    for track, folders in sorted(by_track.items()):
        standing = read_track(board, track, folders, resamples=RESAMPLES).standing
        rows = []
        for entry in standing.placed:
            if isinstance(entry, Reference):
                name, mark, cells = "buy-and-hold", "", [column.held(entry) for column in columns]
            else:
                mark = "calibration" if entry in standing.calibration else entry.status
                name, cells = entry.label, [column.cell(entry, standing) for column in columns]
            rows.append([name, *(f"{cell.text} {cell.below}".strip() for cell in cells), mark])
        drawn = table([f"`{track}`", *(column.heading for column in columns), "badge"], rows)
        texts.append(f"{verdict(standing)}\n\n{drawn}")
    return "\n\n".join(texts)
