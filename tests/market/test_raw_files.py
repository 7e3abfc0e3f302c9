import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import MarketDataError
from flagbench.market.asset import Source
from flagbench.market.raw_files import (
    PublishedDay,
    check_content,
    check_format,
    read_investorbench,
    read_price_rows,
)
from flagbench.market.text_file import TextItem


def source(path: str = "bars.csv", **fields: Any) -> Source:
    values = {
        "makes": ["prices.csv"],
        "repository": "somebody/metals",
        "commit": "0" * 40,
        "path": path,
        "licence": "MIT",
        "size": 1,
        "sha256": "0" * 64,
    }
    return Source.model_validate(values | fields)


def rows_of(folder: Path, text: str, **fields: Any) -> dict[str, list[str]]:
    path = folder / "bars.csv"
    path.write_text(text, encoding="utf-8")
    return read_price_rows(path, source(**fields))


def refused(folder: Path, text: str, **fields: Any) -> str:
    with pytest.raises(MarketDataError) as caught:
        rows_of(folder, text, **fields)
    return caught.value.message.replace(f"{folder}/", "")


YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n"


def test_numbers_are_carried_as_the_strings_they_are(tmp_path: Path) -> None:
    text = YAHOO + "2020-07-01,1.50,2.000000,1e0,1.234567890123456789,0.5,700\n"
    assert rows_of(tmp_path, text) == {
        "2020-07-01": ["1.50", "2.000000", "1e0", "1.234567890123456789", "0.5", "700"]
    }


def test_columns_are_found_by_name_in_any_order_and_case(tmp_path: Path) -> None:
    text = "\ufeffDate,low,high,open,close,volume\n2020-07-01,9,12,10,11,5\n"
    assert rows_of(tmp_path, text) == {"2020-07-01": ["10", "12", "9", "11", "11", "5"]}


def test_a_close_stands_in_for_an_adjusted_one(tmp_path: Path) -> None:
    text = "Date,Close,High,Low,Open,Volume\n2020-07-01,11,12,9,10,5\n"
    assert rows_of(tmp_path, text) == {"2020-07-01": ["10", "12", "9", "11", "11", "5"]}


def test_a_row_of_tickers_and_a_column_of_numbers_say_nothing(tmp_path: Path) -> None:
    text = "Price,Date,Close,High,Low,Open,Volume\nTicker,,X,X,X,X,X\n0,2020-07-01,11,12,9,10,5\n"
    assert rows_of(tmp_path, text) == {"2020-07-01": ["10", "12", "9", "11", "11", "5"]}


def test_only_the_day_of_a_time_is_read(tmp_path: Path) -> None:
    text = YAHOO + "2020-07-01 00:00:00+00:00,10,12,9,11,11,5\n"
    assert list(rows_of(tmp_path, text)) == ["2020-07-01"]


@pytest.mark.parametrize("close", ["", "null", "NaN", " "])
def test_rows_without_a_close_are_left_out(tmp_path: Path, close: str) -> None:
    text = YAHOO + f"2020-07-01,10,12,9,{close},11,5\n2020-07-02,1,1,1,1,1,1\n"
    assert list(rows_of(tmp_path, text)) == ["2020-07-02"]


@pytest.mark.parametrize(
    ("volume", "read"), [("24367912228.0", "24367912228"), ("7", "7"), ("", ""), ("null", ""), ("nan", "")]
)
def test_volume_is_an_integer_or_empty(tmp_path: Path, volume: str, read: str) -> None:
    assert rows_of(tmp_path, YAHOO + f"2020-07-01,10,12,9,11,11,{volume}\n")["2020-07-01"][-1] == read


def test_a_short_row_ends_in_empty_cells(tmp_path: Path) -> None:
    assert rows_of(tmp_path, YAHOO + "2020-07-01,10,12,9,11,11\n")["2020-07-01"][-1] == ""


FOUR = YAHOO + "".join(f"2020-07-0{day},{day},{day},{day},{day},{day},{day}\n" for day in (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("rows", "days"),
    [
        (None, "1234"),
        ("..2020-07-02", "12"),
        ("2020-07-02..2020-07-03", "23"),
        ("2020-07-03..", "34"),
        ("2020-07-09..", ""),
    ],
)
def test_only_the_rows_that_the_source_names_are_used(tmp_path: Path, rows: str | None, days: str) -> None:
    assert list(rows_of(tmp_path, FOUR, rows=rows)) == [f"2020-07-0{day}" for day in days]


def test_labels_move_before_the_range_is_asked_and_volume_can_be_left_out(tmp_path: Path) -> None:
    # A volume that is not used may be anything, as that of coins is.
    text = FOUR.replace("4,4\n", "4,4.25\n")
    read = rows_of(tmp_path, text, rows="2020-07-04..", days_later=1, volume=False)
    assert read == {"2020-07-04": ["3"] * 5 + [""], "2020-07-05": ["4"] * 5 + [""]}


def test_an_equal_row_may_repeat(tmp_path: Path) -> None:
    assert rows_of(tmp_path, FOUR + FOUR.splitlines()[-1]) == rows_of(tmp_path, FOUR)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "bars.csv: column `date` is there 0 times, not once"),
        (YAHOO.replace("Open", "Close"), "bars.csv: column `open` is there 0 times, not once"),
        (YAHOO.replace("Volume", "Close"), "bars.csv: column `close` is there 2 times, not once"),
        (YAHOO + "01/07/2020,1,1,1,1,1,1\n", "bars.csv, line 2: `01/07/2020` is no ISO date"),
        (YAHOO + "2020-07-01,1,1,1,1,1,1.5\n", "bars.csv, line 2: volume `1.5` is no whole number"),
        (YAHOO + "2020-07-01,1,1,1,1,1,many\n", "bars.csv, line 2: volume `many` is no whole number"),
        (YAHOO + "2020-07-01,1,1,1,1,1,inf\n", "bars.csv, line 2: volume `inf` is no whole number"),
        (
            FOUR + "2020-07-02,2,2,2,3,2,2\n",
            "bars.csv, line 6: 2020-07-02 is there twice, with other numbers",
        ),
    ],
)
def test_what_breaks_a_rule_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert refused(tmp_path, text) == message


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_bytes(YAHOO.encode() + b"\xff\n")
    with pytest.raises(MarketDataError, match="is no CSV text file"):
        read_price_rows(tmp_path / "bars.csv", source())


def published(folder: Path, value: object) -> list[PublishedDay]:
    path = folder / "gold.json"
    path.write_text(json.dumps(value), encoding="utf-8")
    return read_investorbench(path)


def test_days_come_in_order_and_text_by_kind_then_as_listed(tmp_path: Path) -> None:
    value = {
        "2020-07-02": {"prices": 8, "10q": ["quarter"], "10k": ["year"], "news": ["b", "a", "b"]},
        "2020-07-01": {"prices": 7.5, "news": None},
    }
    later = [("news", "b"), ("news", "a"), ("10k", "year"), ("10q", "quarter")]
    assert published(tmp_path, value) == [
        PublishedDay("2020-07-01", 7.5, ()),
        PublishedDay("2020-07-02", 8.0, tuple(TextItem("2020-07-02", *item) for item in later)),
    ]


def test_a_text_may_repeat_on_another_day_or_as_another_kind(tmp_path: Path) -> None:
    value = {day: {"prices": 1, "news": ["same"], "10k": ["same"]} for day in ("2020-07-01", "2020-07-02")}
    assert [len(day.text) for day in published(tmp_path, value)] == [2, 2]


def test_a_day_may_have_text_and_no_price(tmp_path: Path) -> None:
    (day,) = published(tmp_path, {"2020-07-04": {"prices": None, "news": ["a"]}})
    assert (day.price, len(day.text)) == (None, 1)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "gold.json must hold a JSON object of dates"),
        ({"July": {}}, "gold.json, July: `July` is no ISO date"),
        ({"20200701": {}}, "gold.json, 20200701: dates are written as 2020-07-01"),
        ({"2020-07-01": 7.5}, "gold.json, 2020-07-01: an object with `prices` is needed"),
        ({"2020-07-01": {"prices": "7"}}, "gold.json, 2020-07-01: `prices` is '7', a number is needed"),
        ({"2020-07-01": {"prices": True}}, "gold.json, 2020-07-01: `prices` is True, a number is needed"),
        ({"2020-07-01": {"news": "a"}}, "gold.json, 2020-07-01: `news` must be a list of texts"),
        ({"2020-07-01": {"10k": [1]}}, "gold.json, 2020-07-01: `10k` must be a list of texts"),
    ],
)
def test_what_is_not_as_investorbench_writes_it_is_named(tmp_path: Path, value: object, message: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        published(tmp_path, value)
    assert caught.value.message.replace(f"{tmp_path}/", "") == message


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gold.json").write_bytes(content)
    with pytest.raises(MarketDataError, match=r"gold\.json is no JSON"):
        read_investorbench(tmp_path / "gold.json")


@pytest.mark.parametrize("name", ["a.pkl", "a.PKL", "a/b.pickle", "a.csv.p", "weights.pt", "a.joblib"])
def test_a_pickle_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(MarketDataError, match="is a pickle, and opening one may run"):
        check_format(source(name))


@pytest.mark.parametrize("name", ["a.parquet", "a", "a.csv.gz"])
def test_formats_that_are_not_read_are_refused(name: str) -> None:
    with pytest.raises(MarketDataError, match=r"only \.csv and \.json are read"):
        check_format(source(name))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("value", [{"2020-07-01": {"prices": 7.5}}, OrderedDict(a=[1]), "text", 1, None])
def test_a_pickle_under_another_name_is_refused(tmp_path: Path, protocol: int, value: object) -> None:
    path = tmp_path / "filings.json"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    with pytest.raises(MarketDataError, match=r"filings\.json is a pickle"):
        check_content(path)


@pytest.mark.parametrize(
    "text", [FOUR, '{\n  "2020-07-01": {"prices": 1}\n}', "Price,Date\nTicker,\n", "date,x\n", "", "[]"]
)
def test_text_is_no_pickle(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(text)
    check_content(path)


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_a_pickle_or_it_is_not(content: bytes) -> None:
    from flagbench.market.raw_files import _is_old_pickle

    assert _is_old_pickle(content) in (True, False)
