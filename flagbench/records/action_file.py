"""Actions as a CSV file: `date,action`, one row a bar; the last bar's row may be absent and is ignored."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.errors import ConfigError
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.scoring.score import positions_of
from flagbench.trading.action import NAMES

_ACTIONS = {name: int(action) for action, name in NAMES.items()}
_POSITIONS = {"-1": -1.0, "0": 0.0, "1": 1.0}


class ActionRows(NamedTuple):
    """The file's decisions for a window of n bars; exactly one of the two arrays is there."""

    actions: npt.NDArray[np.int8] | None  # (n − 1,)
    given_positions: FloatArray | None  # (n − 1,) −1, 0 or 1

    @property
    def positions(self) -> FloatArray:
        """(n − 1,) held after each decision."""
        if self.given_positions is not None:
            return self.given_positions
        return positions_of(self.actions if self.actions is not None else np.empty(0, dtype=np.int8))


def write_actions(path: Path, dates: DateArray, actions: npt.NDArray[np.int8]) -> None:
    """Write n − 1 decisions.

    Args:
        path: the file.
        dates: (n − 1,) datetime64[D].
        actions: (n − 1,) of `Action` or `UNPARSED`.
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["date", "action"])
        writer.writerows((str(day), NAMES[int(action)]) for day, action in zip(dates, actions, strict=True))


def read_actions(path: Path, dates: DateArray, *, positions_allowed: bool = False) -> ActionRows:
    """Read the decisions of a window of n bars.

    Args:
        path: the file.
        dates: (n,) datetime64[D], the window's bars.
        positions_allowed: whether `date,position` with −1, 0 or 1 may stand instead.

    Raises:
        ConfigError: no such file, another header, a word that is no action, or a date that is missing,
            twice or not in the window; each with its line.
    """
    header, rows = _read(path)
    if header == ["date", "position"] and not positions_allowed:
        raise ConfigError(
            f"{path} holds positions; only actions can be played through a protocol",
            hint="add --scoring investorbench to score positions",
        )
    if header not in (["date", "action"], ["date", "position"]):
        allowed = "`date,action` or `date,position`" if positions_allowed else "`date,action`"
        raise ConfigError(f"{path}: the header is `{','.join(header)}`, needed: {allowed}")
    words: dict[str, float] = _ACTIONS if header[1] == "action" else _POSITIONS  # type: ignore[assignment]
    values: list[float] = []
    for index, (line, cells) in enumerate(rows):
        if len(cells) != 2:
            raise ConfigError(f"{path}, line {line}: {len(cells)} cells, two are needed")
        day, word = cells[0].strip(), cells[1].strip().lower()
        expected = str(dates[index]) if index < len(dates) else None
        if day != expected:
            raise ConfigError(
                f"{path}, line {line}: date {day}, expected {expected or 'the end of the file'}",
                hint=f"one row for each bar from {dates[0]} to {dates[-1]}, oldest first",
            )
        if index == len(dates) - 1:
            continue  # after the last close nothing can be decided
        if word not in words:
            raise ConfigError(f"{path}, line {line}: `{word}` is none of {', '.join(words)}")
        values.append(words[word])
    decisions = len(dates) - 1
    if len(values) < decisions:
        raise ConfigError(f"{path} ends before {dates[len(values)]}; {decisions} decisions are needed")
    chosen = np.array(values)
    if header[1] == "action":
        return ActionRows(chosen.astype(np.int8), None)
    return ActionRows(None, chosen)


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream)
            header = [cell.strip().lower() for cell in next(reader, [])]
            return header, [(reader.line_num, cells) for cells in reader if cells]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as CSV: {error}") from error
