"""Run directories: `<out>/<asset>/<protocol>/<agent>/<run id>/seed-<k>/`, each whole or not there.

Under a protocol that walks forward, `window-<j>/` stands between the run id and the seed.
"""

import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from flagbench.errors import RecordError
from flagbench.records.run_record import RunRecord, read_record


def new_run_id(now: datetime) -> str:
    """A name that sorts by time and does not clash: `20201001T093000Z-1a2b3c`."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_folder(out: Path, *, asset: str, protocol: str, agent: str, run_id: str) -> Path:
    """Where a run's seeds lie."""
    parts = (asset, protocol, agent)
    return out.joinpath(*(re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in parts), run_id)


@contextmanager
def writing(folder: Path, *, option: str = "--out") -> Iterator[Path]:
    """A hidden folder beside `folder` to write into; it becomes `folder` at the end, or is removed.

    The last step is one rename, so a crash, a full disk or Ctrl-C leaves no half run under the name.

    Args:
        folder: to be made.
        option: of the command line, which chose the place; an error's hint names it.

    Raises:
        RecordError: `folder` is there already, at the beginning or at the end, or cannot be made.
    """
    if folder.exists():
        raise RecordError(f"{folder} exists already")
    missing = [parent for parent in folder.parents if not parent.exists()]
    partial = folder.with_name(f".{folder.name}.partial-{secrets.token_hex(3)}")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise RecordError(f"{folder} cannot be written: {error}", hint=f"choose another {option}") from error
    try:
        yield partial
        _rename(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        with suppress(OSError):  # parents that hold other runs by now stay
            for parent in missing:
                parent.rmdir()
        raise


def _rename(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError as error:
        raise RecordError(
            f"{folder} was written by another process in the meantime"
            if folder.exists()
            else f"{folder} cannot be written: {error}"
        ) from error


def read_run(path: Path) -> list[RunRecord]:
    """Records of a run, seed by seed, from its folder or from one of its seeds'.

    A run that walked forward has its records window by window, and seed by seed in each; so does the folder
    of one of its windows.

    Raises:
        RecordError: no run lies there.
    """
    if (path / "record.json").is_file():
        return [read_record(path)]
    folders = _numbered(path, "seed") or [
        seed for window in _numbered(path, "window") for seed in _numbered(window, "seed")
    ]
    if not folders:
        raise RecordError(
            f"{path} is no run: neither record.json nor seed-… lies in it",
            hint="give a folder that `flagbench run` printed",
        )
    return [read_record(folder) for folder in folders]


def _numbered(path: Path, kind: str) -> list[Path]:
    """Folders `<kind>-<number>` in the order of their numbers."""
    begin = len(kind) + 1
    found = [each for each in path.glob(f"{kind}-*") if each.name[begin:].isdecimal() and each.is_dir()]
    return sorted(found, key=lambda folder: int(folder.name[begin:]))
