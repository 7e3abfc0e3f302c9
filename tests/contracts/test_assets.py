import csv
import math
from datetime import date
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

import pytest

from flagbench.market.asset import Asset, asset_names, load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.registry import task_files
from flagbench.settings import read_yaml

ASSETS = asset_names()
LOOKBACK = 20  # of the protocol `standard`
FREE_LICENCES = {"Apache-2.0", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "MIT", "Unlicense"}


class Facts(NamedTuple):
    """What the description of the data says of an asset; growth is the sum of log returns in a window."""

    rows: int
    first: str
    last: str
    texts: int
    train_bars: int
    test_bars: int
    train_growth: float | None = None
    test_growth: float | None = None


STOCK = (64, 150)
FACTS = {
    "BTC": Facts(3938, "2014-09-17", "2025-06-28", 4959, 53, 215, 0.25303, 0.21822),
    # No day is missing. The published growth of the test window ends later than the window does.
    "ETH": Facts(2907, "2016-01-15", "2023-12-30", 1066, 49, 217, 0.17517),
    "HON": Facts(6084, "2000-01-03", "2024-03-08", 449, *STOCK, 0.13864, 0.34342),
    "JNJ": Facts(6084, "2000-01-03", "2024-03-08", 915, *STOCK, 0.06542, 0.14295),
    "MSFT": Facts(6084, "2000-01-03", "2024-03-08", 3639, *STOCK, 0.02955, 0.16654),
    # 47 and 126 published days, and the 17 and 24 sessions that they skip, the first of July among them.
    "NFLX": Facts(5486, "2002-05-23", "2024-03-08", 486, 47 + 17, 126 + 24, None, -0.05446),
    "SPY": Facts(8347, "1993-01-29", "2026-03-27", 0, *STOCK, 0.07955, 0.22536),
    "TSLA": Facts(3447, "2010-06-29", "2024-03-08", 8, *STOCK, 0.65016, 0.39244),
    "UVV": Facts(6084, "2000-01-03", "2024-03-08", 644, *STOCK, 0.01844, 0.38235),
}


@cache
def real_market(name: str, folder: Path) -> Market:
    return load_market(load_asset(name), data=str(folder))


def growth(market: Market, bars: range) -> float:
    prices = market.adjusted_close if market.investorbench is None else market.investorbench
    return math.log(prices[bars[-1]] / prices[bars[0]])


@pytest.mark.parametrize(("stem", "path"), task_files("assets").items())
def test_an_assets_id_is_the_stem_of_its_file(stem: str, path: Traversable) -> None:
    assert read_yaml(Asset, path).id == stem


@pytest.mark.parametrize("name", ASSETS)
def test_an_agent_learns_on_days_before_those_it_is_scored_on(name: str) -> None:
    windows = load_asset(name).windows
    assert windows.train.first < windows.train.last < windows.test.first < windows.test.last


@pytest.mark.parametrize("name", ASSETS)
def test_an_asset_class_has_the_calendar_of_its_kind(name: str) -> None:
    asset = load_asset(name)
    expected = {"equity": ("XNYS", 252), "crypto": ("24/7", 365)}[asset.asset_class]
    assert (asset.calendar.exchange, asset.calendar.periods_per_year) == expected


@pytest.mark.parametrize("name", ASSETS)
def test_files_of_an_asset_lie_in_a_folder_of_its_own(name: str) -> None:
    asset = load_asset(name)
    paths = [path for path in asset.files.model_dump().values() if path is not None]
    assert {Path(path).parts[0] for path in paths} == {name}
    assert all(len(Path(path).parts) == 2 for path in paths)


@pytest.mark.parametrize("name", ASSETS)
def test_every_file_of_an_asset_has_a_source_unless_a_note_says_why_not(name: str) -> None:
    asset = load_asset(name)
    files = {Path(path).name for path in asset.files.model_dump().values() if path is not None}
    made = {file for source in asset.sources for file in source.makes}
    assert made <= files
    assert made == files or "no source is named here" in asset.notes
    for source in asset.sources:
        assert source.repository.count("/") == 1
        assert source.licence in FREE_LICENCES


@pytest.mark.parametrize("name", ASSETS)
def test_sources_are_those_of_the_data_folder(name: str, data_folder: Path) -> None:
    with (data_folder / "SOURCES.csv").open(encoding="utf-8", newline="") as stream:
        listed = [row for row in csv.DictReader(stream) if row["asset"] == name]
    named = {source.sha256: source for source in load_asset(name).sources}
    assert named.keys() == {row["sha256"] for row in listed}
    for row in listed:
        source = named[row["sha256"]]
        assert set(source.makes) <= set(row["makes"].split(", "))
        given = (source.repository, source.commit, source.path, source.licence, str(source.size))
        assert given == (row["repository"], row["commit"], row["path"], row["licence"], row["bytes"])
        described = " (label plus one day, no volume)" if source.days_later == 1 else ""
        assert (source.rows or "") + described == row["rows_used"]
        assert source.volume == ("no volume" not in row["rows_used"])


@pytest.mark.parametrize("name", ASSETS)
def test_the_real_market_is_as_its_description_says(name: str, data_folder: Path) -> None:
    market, facts = real_market(name, data_folder), FACTS[name]
    assert (len(market.dates), len(market.text)) == (facts.rows, facts.texts)
    assert (str(market.dates[0]), str(market.dates[-1])) == (facts.first, facts.last)


@pytest.mark.parametrize("name", ASSETS)
def test_windows_hold_as_many_bars_as_the_description_says(name: str, data_folder: Path) -> None:
    market, facts = real_market(name, data_folder), FACTS[name]
    windows = market.asset.windows
    train, test = market.bar_range(windows.train), market.bar_range(windows.test)
    assert (len(train), len(test)) == (facts.train_bars, facts.test_bars)
    assert train.stop == test.start
    assert train.start >= LOOKBACK


@pytest.mark.parametrize("name", ASSETS)
def test_buy_and_hold_grows_as_the_description_says(name: str, data_folder: Path) -> None:
    market, facts = real_market(name, data_folder), FACTS[name]
    windows = market.asset.windows
    for window, expected in ((windows.train, facts.train_growth), (windows.test, facts.test_growth)):
        if expected is not None:
            assert growth(market, market.bar_range(window)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ASSETS)
def test_published_prices_cover_both_windows_without_a_gap(name: str, data_folder: Path) -> None:
    market = real_market(name, data_folder)
    if market.investorbench is not None:
        for window in (market.asset.windows.train, market.asset.windows.test):
            bars = market.bar_range(window)
            returns = market.investorbench[bars[1] : bars.stop] / market.investorbench[bars[0] : bars[-1]]
            adjusted = market.adjusted_close[bars[1] : bars.stop] / market.adjusted_close[bars[0] : bars[-1]]
            assert returns == pytest.approx(adjusted, abs=1e-4)


def test_a_real_market_has_one_hash_however_often_it_is_read(data_folder: Path) -> None:
    asset = load_asset("TSLA")
    again = load_market(asset, data=str(data_folder))
    assert again.sha256 == real_market("TSLA", data_folder).sha256


def test_the_facts_are_about_installed_assets() -> None:
    assert FACTS.keys() == set(ASSETS)
    assert all(date.fromisoformat(facts.first) < date.fromisoformat(facts.last) for facts in FACTS.values())
