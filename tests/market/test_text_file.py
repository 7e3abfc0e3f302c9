import gzip
import json
from pathlib import Path

import pytest

from flagbench.errors import MarketDataError
from flagbench.market.text_file import TextItem, read_text

GOOD = '{"date": "2020-07-01", "kind": "news", "text": "up"}'


def written(folder: Path, *lines: str, end: str = "\n", encoding: str = "utf-8") -> Path:
    path = folder / "text.jsonl.gz"
    path.write_bytes(gzip.compress((end.join(lines) + end).encode(encoding)))
    return path


def item(date: object, text: object, kind: object = "news") -> str:
    return json.dumps({"date": date, "kind": kind, "text": text}, ensure_ascii=False)


def refused(path: Path) -> str:
    with pytest.raises(MarketDataError) as caught:
        read_text(path)
    return caught.value.message


def test_items_are_sorted_by_date_and_keep_the_order_of_the_file_within_one(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        item("2020-07-02", "b"),
        item("2020-07-01", "z", "10k"),
        item("2020-07-02", "a", "10q"),
        item("2020-07-01", "y"),
    )
    assert read_text(path) == (
        TextItem("2020-07-01", "10k", "z"),
        TextItem("2020-07-01", "news", "y"),
        TextItem("2020-07-02", "news", "b"),
        TextItem("2020-07-02", "10q", "a"),
    )


@pytest.mark.parametrize("undated", [item(None, "x"), item("", "x"), '{"kind": "news", "text": "x"}'])
def test_undated_text_is_dropped(tmp_path: Path, undated: str) -> None:
    assert read_text(written(tmp_path, undated, GOOD)) == (TextItem("2020-07-01", "news", "up"),)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\r\n \r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_empty_lines_and_byte_order_mark_change_nothing(
    tmp_path: Path, end: str, encoding: str
) -> None:
    path = written(tmp_path, GOOD, GOOD, end=end, encoding=encoding)
    assert read_text(path) == (TextItem("2020-07-01", "news", "up"),) * 2


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_a_line_separator_inside_a_text_ends_no_line(tmp_path: Path, separator: str) -> None:
    text = f"Übersicht{separator}zwei"
    assert read_text(written(tmp_path, item("2020-07-01", text)))[0].text == text


def test_dates_are_kept_in_one_form(tmp_path: Path) -> None:
    assert read_text(written(tmp_path, item("20200701", "x")))[0].date == "2020-07-01"


def test_a_file_without_lines_has_no_items(tmp_path: Path) -> None:
    assert read_text(written(tmp_path)) == ()


BROKEN_LINES = {
    '{"date": "2020-07-01",': "no JSON: Expecting property name enclosed in double quotes",
    "just words": "no JSON: Expecting value",
    '["2020-07-01", "news", "up"]': "an object with `date`, `kind` and `text` is needed",
    '{"date": "2020-07-01", "kind": "news"}': "an object with `date`, `kind` and `text` is needed",
    item("2020-07-01", 3): "an object with `date`, `kind` and `text` is needed",
    item("2020-07-01", "x", "tweet"): "kind `tweet`, allowed: news, 10k, 10q",
    item("2020-07-01", "x", None): "kind `None`, allowed: news, 10k, 10q",
    item("2020-07-01", "x", ["news"]): "kind `['news']`, allowed: news, 10k, 10q",
    item("2020-02-30", "x"): "`2020-02-30` is no ISO date",
    item("1 July 2020", "x"): "`1 July 2020` is no ISO date",
    item(20200701, "x"): "`20200701` is no ISO date",
    '{"date": "2020-07-01", "kind": "news", "text": "\\ud83d"}': "`text` holds half of a surrogate pair",
}


@pytest.mark.parametrize(("line", "message"), BROKEN_LINES.items())
def test_a_broken_line_is_refused_with_file_line_and_reason(tmp_path: Path, line: str, message: str) -> None:
    path = written(tmp_path, GOOD, "", line, GOOD)
    assert refused(path) == f"{path}, line 3: {message}"


PACKED = gzip.compress(GOOD.encode(), mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        PACKED[:-9],
        PACKED[:-8] + bytes(8),
        PACKED[:10] + b"\x07" + PACKED[11:],  # a kind of block that there is not, after the header
        gzip.compress(b"\xff\xfe\xff", mtime=0),
    ],
    ids=["plain text", "cut short", "wrong checksum", "damaged inside", "no UTF-8"],
)
def test_broken_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.jsonl.gz"
    path.write_bytes(content)
    assert refused(path).startswith(f"{path} is no gzip file of UTF-8 text: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.jsonl.gz"
    assert refused(path) == f"no text file at {path}"
