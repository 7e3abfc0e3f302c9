"""Dated text: news and filings, one JSON object a line."""

import gzip
import json
import zlib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from flagbench.errors import MarketDataError

KINDS = ("news", "10k", "10q")


class TextItem(NamedTuple):
    """One dated piece of text."""

    date: str  # ISO
    kind: str  # one of KINDS
    text: str


def read_text(path: Path) -> tuple[TextItem, ...]:
    """Read a `text.jsonl.gz`, sorted by date, the file's order within one date; undated text is dropped.

    Raises:
        MarketDataError: no such file, not gzip, or the first line that is no `{date, kind, text}` object.
    """
    if not path.is_file():
        raise MarketDataError(f"no text file at {path}")
    try:
        # Not `splitlines`: news holds other line separators, which JSON allows inside a string.
        lines = gzip.decompress(path.read_bytes()).decode("utf-8-sig").split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise MarketDataError(f"{path} is no gzip file of UTF-8 text: {error}") from error
    items = [_item(line, path, number) for number, line in enumerate(lines, start=1) if line.strip()]
    return tuple(sorted((item for item in items if item is not None), key=lambda item: item.date))


def write_text(items: Iterable[TextItem], path: Path) -> None:
    """Write a `text.jsonl.gz` that `read_text` reads back; equal items give equal files."""
    lines = (json.dumps(item._asdict(), ensure_ascii=False) + "\n" for item in items)
    # No name and no time inside, so that equal texts are equal files.
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def _item(line: str, path: Path, number: int) -> TextItem | None:
    where = f"{path}, line {number}"
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise MarketDataError(f"{where}: no JSON: {error.msg}") from error
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise MarketDataError(f"{where}: an object with `date`, `kind` and `text` is needed")
    if not _is_unicode(value["text"]):
        raise MarketDataError(f"{where}: `text` holds half of a surrogate pair")
    if value.get("kind") not in KINDS:
        raise MarketDataError(f"{where}: kind `{value.get('kind')}`, allowed: {', '.join(KINDS)}")
    if not value.get("date"):
        return None
    try:
        day = date.fromisoformat(value["date"])
    except (TypeError, ValueError):
        raise MarketDataError(f"{where}: `{value['date']}` is no ISO date") from None
    return TextItem(day.isoformat(), value["kind"], value["text"])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
