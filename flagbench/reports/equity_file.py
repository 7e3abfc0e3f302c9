"""`equity.csv` of a seed: the curves of both windows, read back and held against the record."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from flagbench.errors import RecordError
from flagbench.records.run_record import RunRecord
from flagbench.reports.equity_plot import EquityCurves

HEADER = ["window", "date", "equity", "buy_and_hold"]

TOLERANCE = 1e-9
"""Of a return, beyond which a curve is not that of the record; it is written with all its digits."""


def read_curves(folder: Path, record: RunRecord) -> dict[str, EquityCurves] | None:
    """Curves by window, each from 1.

    Args:
        folder: of a seed.
        record: of the same seed.

    Returns:
        None where the folder has no such file.

    Raises:
        RecordError: the file is broken, or a curve does not come to the return that was recorded.
    """
    path = folder / "equity.csv"
    if not path.is_file():
        return None
    rows = _read(path)
    curves = {window: _curves(path, window, rows) for window in ("train", "test")}
    for window, scores in record.scores.items():
        _check(path, curves[window], scores)
    return curves


def _read(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordError(f"{path} cannot be read as CSV: {error}") from error
    if header != HEADER or any(len(row) != len(HEADER) for row in rows):
        raise RecordError(f"{path} has not the columns {','.join(HEADER)}")
    return rows


def _curves(path: Path, window: str, rows: list[list[str]]) -> EquityCurves:
    own = [row[1:] for row in rows if row[0] == window]
    try:
        dates = np.array([row[0] for row in own], dtype="datetime64[D]")
        values = np.array([[float(cell) for cell in row[1:]] for row in own], dtype=np.float64)
    except ValueError as error:
        raise RecordError(f"{path}, {window} window: {error}") from None
    if len(own) < 2 or not bool((np.isfinite(values) & (values > 0)).all()):
        raise RecordError(f"{path}, {window} window: two bars or more are needed, each equity above 0")
    return EquityCurves(window, dates, values[:, 0] / values[0, 0], values[:, 1] / values[0, 1])


def _check(path: Path, curves: EquityCurves, score: Mapping[str, object]) -> None:
    recorded = score.get("cumulative_return")
    growth = float(curves.agent[-1])
    found = math.log(growth) if score.get("scoring") == "paper" else growth - 1
    if not isinstance(recorded, (int, float)) or abs(found - recorded) > TOLERANCE * max(1.0, abs(recorded)):
        raise RecordError(
            f"{path}, {curves.window} window: the curve comes to a return of {found:.6f}, "
            f"the record says {recorded}",
            hint="the file or the record was changed after the run",
        )
