from pathlib import Path

import numpy as np
import pytest

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.loading import resolve_market
from flagbench.market.market import Market
from flagbench.market.period import Period

WEEKDAYS = ["2020-07-01", "2020-07-02", "2020-07-03", "2020-07-06", "2020-07-07", "2020-07-08"]
EVERY_DAY = [f"2020-07-{day:02}" for day in range(1, 9)]
TRAIN, TEST = Period.parse("2020-07-01:2020-07-03"), Period.parse("2020-07-06:2020-07-08")


def written(
    path: Path, days: list[str], *, header: str = "date,open,high,low,close", cells: str = ""
) -> Path:
    rows = [
        f"{day},{number},{number + 2},{number},{number + 1}{cells}" for number, day in enumerate(days, 10)
    ]
    path.write_text("\n".join([header, *rows, ""]))
    return path


def market_of(
    path: Path, *, train: Period = TRAIN, test: Period = TEST, periods: int | None = None
) -> Market:
    return resolve_market(str(path), train=train, test=test, periods_per_year=periods)


def refused(path: Path) -> MarketDataError:
    with pytest.raises(MarketDataError) as caught:
        market_of(path)
    return caught.value


def test_bars_on_weekdays_make_a_stock_whose_holidays_are_not_known(tmp_path: Path) -> None:
    market = market_of(written(tmp_path / "mine.csv", WEEKDAYS))
    asset = market.asset
    assert (asset.id, asset.asset_class, asset.calendar.exchange) == ("mine", "equity", "weekdays")
    assert asset.calendar.periods_per_year == 252
    assert (asset.windows.train, asset.windows.test) == (TRAIN, TEST)
    assert [str(day) for day in market.dates] == WEEKDAYS


def test_a_missing_weekday_may_be_a_holiday(tmp_path: Path) -> None:
    days = [day for day in WEEKDAYS if day != "2020-07-03"]
    assert len(market_of(written(tmp_path / "mine.csv", days)).dates) == 5


def test_bars_on_weekends_make_something_that_never_closes(tmp_path: Path) -> None:
    asset = market_of(written(tmp_path / "coin.csv", EVERY_DAY)).asset
    assert (asset.asset_class, asset.calendar.exchange) == ("crypto", "24/7")
    assert asset.calendar.periods_per_year == 365


def test_one_bar_on_a_weekend_means_that_every_day_needs_one(tmp_path: Path) -> None:
    path = written(tmp_path / "coin.csv", [*WEEKDAYS[:3], "2020-07-05", *WEEKDAYS[3:]])
    assert refused(path).message == (
        f"{path}: 2020-07-04 is missing: the file must have a row for each session of 24/7 "
        "and no other (in all: 1)"
    )


@pytest.mark.parametrize("days", [WEEKDAYS, EVERY_DAY])
def test_the_user_may_say_how_many_periods_make_a_year(tmp_path: Path, days: list[str]) -> None:
    market = market_of(written(tmp_path / "mine.csv", days), periods=260)
    assert market.asset.calendar.periods_per_year == 260


@pytest.mark.parametrize("periods", [0, -1])
def test_a_year_without_periods_is_refused(tmp_path: Path, periods: int) -> None:
    with pytest.raises(ConfigError, match=f"a year has at least one period, given {periods}"):
        market_of(written(tmp_path / "mine.csv", WEEKDAYS), periods=periods)


def test_bars_without_further_columns_are_their_own_adjusted_ones(tmp_path: Path) -> None:
    market = market_of(written(tmp_path / "mine.csv", WEEKDAYS))
    assert market.adjusted_close.tolist() == market.bars[:, 3].tolist() == [11, 12, 13, 14, 15, 16]
    assert np.isnan(market.bars[:, 4]).all()
    assert (market.investorbench, market.text) == (None, ())


def test_adjusted_closes_and_volume_are_read_where_they_are_there(tmp_path: Path) -> None:
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    market = market_of(written(tmp_path / "mine.csv", WEEKDAYS, header=header, cells=",5,700"))
    assert market.adjusted_close.tolist() == [5] * 6
    assert market.bars[:, 4].tolist() == [700] * 6


def test_a_csv_needs_no_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", str(tmp_path / "nowhere"))
    assert len(market_of(written(tmp_path / "mine.csv", WEEKDAYS)).dates) == 6


@pytest.mark.parametrize(("train", "test"), [(None, None), (TRAIN, None), (None, TEST)])
def test_a_csv_needs_both_windows(tmp_path: Path, train: Period | None, test: Period | None) -> None:
    path = written(tmp_path / "mine.csv", WEEKDAYS)
    with pytest.raises(ConfigError, match="a CSV as asset needs both windows") as caught:
        resolve_market(str(path), train=train, test=test)
    assert caught.value.hint == "add --train 2020-07-01:2020-09-30 --test 2020-10-01:2021-05-06"


def test_windows_in_the_wrong_order_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", WEEKDAYS)
    with pytest.raises(ConfigError, match="must end before the test window 2020-07-01:2020-07-03 begins"):
        market_of(path, train=TEST, test=TRAIN)


def test_a_broken_row_is_named_with_the_users_file(tmp_path: Path) -> None:
    path = written(tmp_path / "mine.csv", ["2020-07-01", "2020-07-01"])
    assert refused(path).message == f"{path}, line 3: 2020-07-01 is there twice"


def test_a_csv_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.csv"
    assert refused(path).message == f"no price file at {path}"
