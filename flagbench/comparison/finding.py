"""From the folders that a user names to the seeds of runs that lie in or below them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flagbench.errors import RecordError
from flagbench.records.run_record import RunRecord, read_record


@dataclass(frozen=True, kw_only=True, eq=False)
class SeedRun:
    """One seed of a run, as it lies on disk.

    Attributes:
        folder: with `record.json` and `actions.csv` in it.
        record: what was read from it.
    """

    folder: Path
    record: RunRecord

    @property
    def name(self) -> str:
        """How an error calls it."""
        return str(self.folder)


def find_seeds(paths: Sequence[Path]) -> list[SeedRun]:
    """Every seed in or below the folders, once, in an order that does not depend on the order of `paths`.

    Args:
        paths: runs' folders, seeds' folders, or folders above them.

    Raises:
        RecordError: a folder holds no run, or a record is broken.
    """
    folders = {found.resolve(): found for path in sorted(set(paths)) for found in _below(path)}
    runs = [SeedRun(folder=folder, record=read_record(folder)) for folder in folders.values()]
    return sorted(runs, key=_place)


def _place(run: SeedRun) -> tuple[str, str, int, str, str]:
    record = run.record
    return str(record.asset.get("id")), record.agent, record.seed, record.created, record.run_id


def _below(path: Path) -> Iterator[Path]:
    found = False
    # A hidden folder is a seed that is still being written, or one that was interrupted.
    for file in sorted(path.rglob("record.json")):
        if not any(part.startswith(".") for part in file.relative_to(path).parts):
            found = True
            yield file.parent
    if not found:
        what = "holds no run: no record.json lies in or below it" if path.is_dir() else "is no folder"
        raise RecordError(
            f"{path} {what}", hint="give folders that `flagbench run` printed, or one above them"
        )
