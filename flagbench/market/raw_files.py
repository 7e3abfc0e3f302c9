"""The public files that markets are made from, as their owners wrote them."""

import csv
import json
import pickletools
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.errors import MarketDataError
from flagbench.market.asset import Source
from flagbench.market.text_file import KINDS, TextItem

MISSING = {"", "nan", "null", "none"}
COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")
PICKLES = {".pkl", ".pickle", ".p", ".pt", ".pth", ".joblib", ".npy"}
"""Endings of files that may run code when they are opened."""


class PublishedDay(NamedTuple):
    """What InvestorBench has of one day."""

    date: str  # ISO
    price: float | None
    text: tuple[TextItem, ...]


def check_format(source: Source) -> None:
    """Only formats that hold nothing but data are read.

    Raises:
        MarketDataError: a source is a pickle by its name, or in a format that is not read.
    """
    ending = Path(source.path).suffix.lower()
    if ending in PICKLES:
        raise _pickle(source.path)
    if ending not in (".csv", ".json"):
        raise MarketDataError(f"{source.path} ends in `{ending}`; only .csv and .json are read")


def check_content(path: Path) -> None:
    """A pickle under another name is refused; it is looked at and never opened as one.

    Raises:
        MarketDataError: the file is a pickle.
    """
    content = path.read_bytes()
    # Protocol 2 and later open with a byte that no text in UTF-8 begins with.
    if content.startswith(b"\x80") or _is_old_pickle(content):
        raise _pickle(str(path))


def _is_old_pickle(content: bytes) -> bool:
    """Whether bytes are a whole program of pickle opcodes, up to the one that stops; nothing is run."""
    try:
        return any(opcode.name == "STOP" for opcode, _, _ in pickletools.genops(content))
    except ValueError:
        return False


def _pickle(name: str) -> MarketDataError:
    return MarketDataError(
        f"{name} is a pickle, and opening one may run whatever its writer wished",
        hint="have its content as CSV or JSON",
    )


def read_price_rows(path: Path, source: Source) -> dict[str, list[str]]:
    """Rows of a price CSV that a source's `rows` cover, by ISO date: `COLUMNS`, as the strings they are.

    Columns are found by name in any order and case. `Adj Close` repeats `Close` where there is none. Rows
    without a date or a close are left out. Volume is written as an integer, empty where it is missing.

    Raises:
        MarketDataError: a column is missing, a date is none, a volume is not whole, or two rows of one
            date differ.
    """
    rows: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line, cells in _named_cells(csv.reader(stream), path):
                where = f"{path}, line {line}"
                label = cells["date"].strip()[:10]
                if not label or cells["close"].strip().lower() in MISSING:
                    continue
                day = _moved(label, source.days_later, where)
                if not source.covers(day):
                    continue
                row = [cells.get(name, cells["close"]).strip() for name in COLUMNS[:-1]]
                row.append(_whole(cells.get("volume", ""), where) if source.volume else "")
                if rows.setdefault(day, row) != row:
                    raise MarketDataError(f"{where}: {day} is there twice, with other numbers")
    except (UnicodeDecodeError, csv.Error) as error:
        raise MarketDataError(f"{path} is no CSV text file: {error}") from error
    return rows


def _named_cells(reader: Iterator[list[str]], path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row with its line, its cells by column; a short row's last cells are empty."""
    header = [name.strip().lower().replace(" ", "_") for name in next(reader, [])]
    for name in ("date", "open", "high", "low", "close"):
        if header.count(name) != 1:
            raise MarketDataError(f"{path}: column `{name}` is there {header.count(name)} times, not once")
    for line, cells in enumerate(reader, start=2):
        filled = [*cells, *[""] * (len(header) - len(cells))]
        yield line, dict(zip(header, filled, strict=False))


def _moved(label: str, days: int, where: str) -> str:
    try:
        return (date.fromisoformat(label) + timedelta(days=days)).isoformat()
    except ValueError:
        raise MarketDataError(f"{where}: `{label}` is no ISO date") from None


def _whole(cell: str, where: str) -> str:
    text = cell.strip()
    if text.lower() in MISSING:
        return ""
    try:
        number = float(text)
        if not number.is_integer():
            raise ValueError
    except ValueError:
        raise MarketDataError(f"{where}: volume `{text}` is no whole number") from None
    return str(int(number))


def read_investorbench(path: Path) -> list[PublishedDay]:
    """InvestorBench's file of an asset: a JSON object of dates, each with a price, news and filings.

    Text stands in the order news, annual and quarterly reports, within these in the file's; one that
    repeats within a date and kind is left out. Days stand in the order of their dates.

    Raises:
        MarketDataError: no such JSON, or something in it is not what it should be.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MarketDataError(f"{path} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise MarketDataError(f"{path} must hold a JSON object of dates")
    return [_published_day(day, value[day], f"{path}, {day}") for day in sorted(value)]


def _published_day(day: str, entry: Any, where: str) -> PublishedDay:
    if _moved(day, 0, where) != day:
        raise MarketDataError(f"{where}: dates are written as 2020-07-01")
    if not isinstance(entry, dict):
        raise MarketDataError(f"{where}: an object with `prices` is needed")
    price = entry.get("prices")
    if price is not None and (isinstance(price, bool) or not isinstance(price, (int, float))):
        raise MarketDataError(f"{where}: `prices` is {price!r}, a number is needed")
    text = []
    for kind in KINDS:
        listed = entry.get(kind) or []
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise MarketDataError(f"{where}: `{kind}` must be a list of texts")
        text += [TextItem(day, kind, item) for item in dict.fromkeys(listed)]
    return PublishedDay(day, None if price is None else float(price), tuple(text))
