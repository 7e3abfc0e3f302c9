from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import MarketDataError
from flagbench.market.price_file import OHLC, read_price_table

HEADER = "date,open,high,low,close,adj_close,volume"
FIRST = "2020-07-01,10,12,9,11,10.5,1000"
LAST = "2020-07-03,12,14,11,13,12.5,3000"


def written(folder: Path, *rows: str, header: str = HEADER, end: str = "\n", encoding: str = "utf-8") -> Path:
    path = folder / "prices.csv"
    path.write_bytes((end.join([header, *rows]) + end).encode(encoding))
    return path


def refused(path: Path) -> MarketDataError:
    with pytest.raises(MarketDataError) as caught:
        read_price_table(path, required=OHLC)
    return caught.value


def test_a_file_is_read_into_one_array_a_column(tmp_path: Path) -> None:
    table = read_price_table(written(tmp_path, FIRST, LAST), required=OHLC)
    assert table.dates.tolist() == [date(2020, 7, 1), date(2020, 7, 3)]
    assert {name: values.tolist() for name, values in table.columns.items()} == {
        "open": [10, 12],
        "high": [12, 14],
        "low": [9, 11],
        "close": [11, 13],
        "adj_close": [10.5, 12.5],
        "volume": [1000, 3000],
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_and_byte_order_mark_change_nothing(tmp_path: Path, end: str, encoding: str) -> None:
    table = read_price_table(written(tmp_path, FIRST, LAST, end=end, encoding=encoding), required=OHLC)
    assert table.columns["volume"].tolist() == [1000, 3000]


@pytest.mark.parametrize(
    "header", ["Date,Open,High,Low,Close,Adj Close,Volume", " date , open,HIGH,low,close,adj_close,volume"]
)
def test_case_and_spaces_of_column_names_change_nothing(tmp_path: Path, header: str) -> None:
    table = read_price_table(written(tmp_path, FIRST, header=header), required=OHLC)
    assert list(table.columns) == ["open", "high", "low", "close", "adj_close", "volume"]
    assert table.columns["adj_close"].tolist() == [10.5]


def test_columns_are_found_by_name_and_unknown_ones_are_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "7,11,x,2020-07-01", header="volume,price,remark,date")
    table = read_price_table(path, required=("price",), optional=())
    assert {name: values.tolist() for name, values in table.columns.items()} == {"price": [11]}


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN"])
def test_volume_may_be_missing(tmp_path: Path, cell: str) -> None:
    table = read_price_table(written(tmp_path, f"2020-07-01,10,12,9,11,10.5,{cell}"), required=OHLC)
    assert np.isnan(table.columns["volume"]).tolist() == [True]


BROKEN_ROWS = {
    "2020-07-01,11,13,10,12,11.5,5": "line 3: 2020-07-01 is there twice",
    "2020-06-30,11,13,10,12,11.5,5": "line 3: 2020-06-30 comes after 2020-07-01",
    "2020-07-02,11,13,10,,11.5,5": "line 3: `close` is empty; only `volume` may be",
    "2020-07-02,11,13,10,nan,11.5,5": "line 3: `close` is empty; only `volume` may be",
    "2020-07-02,11,13,10,12,NaN,5": "line 3: `adj_close` is empty; only `volume` may be",
    "2020-07-02,11,13,10,twelve,11.5,5": "line 3: `close` is `twelve`, a number is needed",
    "2020-07-02,0,13,10,12,11.5,5": "line 3 (2020-07-02): `open` is 0.0, it must be positive and finite",
    "2020-07-02,11,13,-10,12,11.5,5": "line 3 (2020-07-02): `low` is -10.0, it must be positive and finite",
    "2020-07-02,11,inf,10,12,11.5,5": "line 3 (2020-07-02): `high` is inf, it must be positive and finite",
    "2020-07-02,11,13,10,-nan,11.5,5": "line 3 (2020-07-02): `close` is nan, it must be positive and finite",
    "2020-07-02,11,13,10,12,11.5,-5": "line 3 (2020-07-02): `volume` is -5.0, it must be not negative",
    "2020-07-02,11,13,10,12,11.5,inf": "line 3 (2020-07-02): `volume` is inf, it must be not negative",
    "2020-07-02,11,10,13,12,11.5,5": "line 3 (2020-07-02): high 10.0 lies below low 13.0",
    "2020-07-02,11,13,10,12,11.5": "line 3: 6 cells, the header has 7",
    "2020-07-02,11,13,10,12,11.5,5,6": "line 3: 8 cells, the header has 7",
    "": "line 3: 0 cells, the header has 7",
    "2020-02-30,11,13,10,12,11.5,5": "line 3: `2020-02-30` is no ISO date such as 2020-07-01",
    "02/07/2020,11,13,10,12,11.5,5": "line 3: `02/07/2020` is no ISO date such as 2020-07-01",
    "20200702,11,13,10,12,11.5,5": "line 3: `20200702` is no ISO date such as 2020-07-01",
    "1593648000,11,13,10,12,11.5,5": "line 3: `1593648000` is no ISO date such as 2020-07-01",
    "2020-W27-4,11,13,10,12,11.5,5": "line 3: `2020-W27-4` is no ISO date such as 2020-07-01",
    "2020-07-02T00:00Z,11,13,10,12,11.5,5": "line 3: `2020-07-02T00:00Z` is no ISO date such as 2020-07-01",
    ",11,13,10,12,11.5,5": "line 3: `` is no ISO date such as 2020-07-01",
}


@pytest.mark.parametrize(("row", "message"), BROKEN_ROWS.items())
def test_a_broken_row_is_refused_with_file_line_and_reason(tmp_path: Path, row: str, message: str) -> None:
    path = written(tmp_path, FIRST, row, LAST)
    assert refused(path).message == f"{path}, {message}"


def test_the_first_of_two_broken_rows_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, FIRST, "2020-07-02,11,13,10,-1,11.5,5", "2020-07-03,11,13,10,-2,11.5,5")
    assert refused(path).message.startswith(f"{path}, line 3 (2020-07-02): `close` is -1.0")


def test_dates_out_of_order_are_answered_with_the_order(tmp_path: Path) -> None:
    assert refused(written(tmp_path, LAST, FIRST)).hint == "one row a date, oldest first"


@pytest.mark.parametrize("name", ["date", "open", "high", "low", "close"])
def test_a_missing_column_is_named_with_all_that_are_needed(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, FIRST, header=HEADER.replace(name, "other", 1))
    error = refused(path)
    assert error.message == f"{path}: no column `{name}`"
    assert error.hint == "needed: date, open, high, low, close; may be there: adj_close, volume"


@pytest.mark.parametrize("name", ["date", "close", "adj_close"])
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, f"{FIRST},5", header=f"{HEADER},{name.upper()}")
    assert refused(path).message == f"{path}: column `{name}` is there twice"


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert refused(path).message == f"{path} holds no rows"


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.touch()
    assert refused(path).message == f"{path}: no column `date`"


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08\x00\xff\xff", b"date,open\n\xff\xff,1\n"])
def test_bytes_that_are_no_text_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    assert refused(path).message.startswith(f"{path} is no CSV text file: 'utf-8' codec can't decode byte")


def test_text_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, '2020-07-01,"' + "never closed," * 20_000)
    assert refused(path).message.startswith(f"{path} is no CSV text file: field larger than field limit")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    assert refused(path).message == f"no price file at {path}"
    assert refused(tmp_path).message == f"no price file at {tmp_path}"


prices = st.floats(1e-300, 1e300)
price_rows = st.dictionaries(st.dates(), st.tuples(prices, prices, prices), min_size=1, max_size=8)


@given(price_rows)
def test_numbers_are_read_exactly_as_they_are_printed(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[date, tuple[float, float, float]]
) -> None:
    days = sorted(rows)
    path = tmp_path_factory.mktemp("exact") / "prices.csv"
    lines = [",".join(map(repr, [max(rows[day]), min(rows[day]), rows[day][0]])) for day in days]
    pairs = zip(days, lines, strict=True)
    path.write_text("\n".join(["date,high,low,price", *(f"{day},{line}" for day, line in pairs)]))
    table = read_price_table(path, required=("price", "high", "low"), optional=())
    assert table.dates.tolist() == days
    assert table.columns["price"].tolist() == [rows[day][0] for day in days]
