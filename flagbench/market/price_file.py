"""Reading price files: one row a bar, every rule checked, the first bad row named."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from flagbench.errors import MarketDataError

FloatArray = npt.NDArray[np.float64]
DateArray = npt.NDArray[np.datetime64]

OHLC = ("open", "high", "low", "close")


class PriceTable(NamedTuple):
    """A price file as arrays; row i of the arrays is line i + 2 of the file."""

    dates: DateArray  # (n,) datetime64[D], strictly rising
    columns: dict[str, FloatArray]  # each (n,)


class _Row(NamedTuple):
    line: int
    date: str
    numbers: list[float]


def read_price_table(
    path: Path, *, required: Sequence[str], optional: Sequence[str] = ("adj_close", "volume")
) -> PriceTable:
    """Read a CSV with a `date` column and price columns.

    Args:
        path: the file.
        required: columns that must be there; `Adj Close` is read as `adj_close`.
        optional: columns read where they are there; of these `volume` may be empty in any row.

    Raises:
        MarketDataError: no such file, a column that is missing or there twice, a date that is none,
            out of order or there twice, an empty, infinite or non-positive price, a high below its low.
    """
    if not path.is_file():
        raise MarketDataError(f"no price file at {path}")
    # Spreadsheets put a byte order mark before the header; `utf-8-sig` reads files with and without.
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        try:
            header = [name.strip().lower().replace(" ", "_") for name in next(reader, [])]
            names = _known_columns(header, path, required, optional)
            rows = list(_rows(reader, path, header, names))
        except (UnicodeDecodeError, csv.Error) as error:
            raise MarketDataError(f"{path} is no CSV text file: {error}") from error
    if not rows:
        raise MarketDataError(f"{path} holds no rows")
    dates = np.array([row.date for row in rows], dtype="datetime64[D]")
    numbers = np.array([row.numbers for row in rows], dtype=np.float64)
    table = PriceTable(dates, {name: numbers[:, index] for index, name in enumerate(names)})
    _check_order(table, path)
    _check_prices(table, path)
    return table


def _known_columns(
    header: list[str], path: Path, required: Sequence[str], optional: Sequence[str]
) -> list[str]:
    """The price columns that a file has."""
    for name in ("date", *required, *optional):
        if header.count(name) > 1:
            raise MarketDataError(f"{path}: column `{name}` is there twice")
        if name not in header and name not in optional:
            raise MarketDataError(
                f"{path}: no column `{name}`",
                hint=f"needed: date, {', '.join(required)}; may be there: {', '.join(optional) or 'none'}",
            )
    return [name for name in (*required, *optional) if name in header]


def _rows(reader: Iterator[list[str]], path: Path, header: list[str], names: list[str]) -> Iterator[_Row]:
    date_index = header.index("date")
    indices = [header.index(name) for name in names]
    for line, cells in enumerate(reader, start=2):
        if len(cells) != len(header):
            raise MarketDataError(f"{path}, line {line}: {len(cells)} cells, the header has {len(header)}")
        day = cells[date_index].strip()
        if not _is_iso_date(day):
            raise MarketDataError(f"{path}, line {line}: `{day}` is no ISO date such as 2020-07-01")
        numbers = [_number(cells[i], name, path, line) for i, name in zip(indices, names, strict=True)]
        yield _Row(line, day, numbers)


def _is_iso_date(text: str) -> bool:
    # numpy would take a bare number, such as a time stamp in seconds, for a year.
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _number(cell: str, column: str, path: Path, line: int) -> float:
    text = cell.strip()
    if text == "" or text.lower() == "nan":
        if column == "volume":
            return float("nan")
        raise MarketDataError(f"{path}, line {line}: `{column}` is empty; only `volume` may be")
    try:
        return float(text)
    except ValueError:
        raise MarketDataError(f"{path}, line {line}: `{column}` is `{text}`, a number is needed") from None


def _check_order(table: PriceTable, path: Path) -> None:
    steps = np.diff(table.dates).astype(np.int64)
    bad = np.flatnonzero(steps <= 0)
    if bad.size:
        row = int(bad[0]) + 1
        what = "is there twice" if steps[bad[0]] == 0 else f"comes after {table.dates[row - 1]}"
        raise MarketDataError(
            f"{path}, line {row + 2}: {table.dates[row]} {what}", hint="one row a date, oldest first"
        )


def _check_prices(table: PriceTable, path: Path) -> None:
    for name, values in table.columns.items():
        wrong = ~np.isfinite(values) | (values <= 0)
        if name == "volume":
            wrong = np.isinf(values) | (values < 0)
        if wrong.any():
            row = int(np.argmax(wrong))
            rule = "not negative" if name == "volume" else "positive and finite"
            raise MarketDataError(
                f"{path}, line {row + 2} ({table.dates[row]}): `{name}` is {values[row]}, it must be {rule}"
            )
    if {"high", "low"} <= table.columns.keys():
        high, low = table.columns["high"], table.columns["low"]
        below = np.flatnonzero(high < low)
        if below.size:
            row = int(below[0])
            raise MarketDataError(
                f"{path}, line {row + 2} ({table.dates[row]}): high {high[row]} lies below low {low[row]}"
            )
