"""What one seed came to over all test windows of a walk-forward run: `<run>/pooled/seed-<k>.json`."""

import json
from pathlib import Path
from typing import Any, Literal

from flagbench.errors import ConfigError, RecordError
from flagbench.records.whole_file import write_whole
from flagbench.settings import Settings, parse

SCHEMA_VERSION: Literal[1] = 1


class PooledRecord(Settings):
    """Scores over the test windows of one seed; everything else stands in the windows' own records."""

    schema_version: Literal[1] = SCHEMA_VERSION
    run_id: str
    agent: str
    seed: int
    windows: tuple[tuple[str, str], ...]
    """First and last date of each test window, oldest first."""
    actions_sha256: tuple[str, ...]
    """Of each window's actions file."""
    test: dict[str, Any]
    """The pooled score, as `flagbench score --json` prints one."""
    buy_and_hold: dict[str, Any]
    """The same of buy-and-hold on the same windows, bought anew in each."""


def pooled_path(run: Path, seed: int) -> Path:
    """Where the pooled record of a seed lies in its run's folder."""
    return run / "pooled" / f"seed-{seed}.json"


def write_pooled(record: PooledRecord, run: Path) -> Path:
    """Write it whole or not at all.

    Raises:
        RecordError: it cannot be written.
    """
    path = pooled_path(run, record.seed)
    write_whole(path, json.dumps(record.model_dump(mode="json"), indent=2, allow_nan=False))
    return path


def read_pooled(run: Path) -> list[PooledRecord]:
    """Those of a run, by seed; empty where no seed has all its windows.

    Raises:
        RecordError: a file is broken or of another schema version.
    """
    paths = [path for path in (run / "pooled").glob("seed-*.json") if path.stem[5:].isdecimal()]
    return [_read(path) for path in sorted(paths, key=lambda path: int(path.stem[5:]))]


def _read(path: Path) -> PooledRecord:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    found = values.get("schema_version") if isinstance(values, dict) else None
    if found != SCHEMA_VERSION:
        raise RecordError(f"{path} has schema version {found}, this flagbench reads {SCHEMA_VERSION}")
    try:
        return parse(PooledRecord, values, origin=str(path))
    except ConfigError as error:
        raise RecordError(error.message, hint=error.hint) from None
