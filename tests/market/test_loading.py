import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from flagbench.errors import ConfigError, MarketDataError, UnknownNameError
from flagbench.market import loading
from flagbench.market.asset import load_asset
from flagbench.market.exporting import export_market
from flagbench.market.loading import load_market, resolve_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.trading.environment import named_window

# The sessions of New York around the fourth of July 2020, which was kept on the 3rd, a Friday.
SESSIONS = ["2020-06-30", "2020-07-01", "2020-07-02", "2020-07-06", "2020-07-07", "2020-07-08"]
TRAIN, TEST = Period.parse("2020-07-01:2020-07-02"), Period.parse("2020-07-06:2020-07-08")


def write_bars(path: Path, days: Sequence[str], *, close: float = 11) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{day},10,{close + 1},9,{close},{close / 2},1000" for day in days]
    path.write_text("\n".join(["date,open,high,low,close,adj_close,volume", *rows, ""]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with every kind of file of one stock, and `GOLD.yaml` beside it."""
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    root = tmp_path / "data"
    write_bars(root / "market/GOLD/prices.csv", SESSIONS)
    (root / "market/GOLD/investorbench.csv").write_text("date,price\n2020-07-01,7.5\n2020-07-07,8\n")
    items = [{"date": day, "kind": "news", "text": day} for day in ("2020-07-04", "2020-07-01")]
    lines = "\n".join(map(json.dumps, items))
    (root / "market/GOLD/text.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "GOLD.yaml").write_text(
        "{id: GOLD, version: 1, name: Gold, asset_class: equity, currency: USD, "
        "calendar: {exchange: XNYS, periods_per_year: 252}, "
        f"windows: {{train: '{TRAIN}', test: '{TEST}'}}, "
        "files: {prices: GOLD/prices.csv, investorbench: GOLD/investorbench.csv, text: GOLD/text.jsonl.gz}}"
    )
    return root


def gold(folder: Path) -> Market:
    return resolve_market(str(folder.parent / "GOLD.yaml"), data=str(folder))


def refused(folder: Path) -> MarketDataError:
    with pytest.raises(MarketDataError) as caught:
        gold(folder)
    return caught.value


def test_a_market_is_made_of_all_files_of_its_asset(folder: Path) -> None:
    market = gold(folder)
    assert [str(day) for day in market.dates] == SESSIONS
    assert market.bars.tolist() == [[10, 12, 9, 11, 1000]] * 6
    assert market.adjusted_close.tolist() == [5.5] * 6
    assert market.investorbench is not None
    assert np.array_equal(market.investorbench, [np.nan, 7.5, np.nan, np.nan, 8, np.nan], equal_nan=True)
    assert [item.date for item in market.text] == ["2020-07-01", "2020-07-04"]
    assert (market.asset.id, market.kind) == ("GOLD", "market")


def test_the_hash_is_the_same_when_files_are_read_again_or_lie_elsewhere(folder: Path) -> None:
    moved = folder.parent / "moved"
    shutil.copytree(folder, moved)
    assert gold(moved).sha256 == gold(folder).sha256 == gold(folder).sha256


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("prices.csv", "2020-07-06,10,", "2020-07-06,10.000000000000002,"),
        ("prices.csv", "1000\n2020-07-02", "1001\n2020-07-02"),
        ("prices.csv", "2020-06-30,10,12,9,11,5.5,1000\n", ""),
        ("investorbench.csv", "2020-07-01", "2020-07-02"),
        ("text.jsonl.gz", '"date": "2020-07-04"', '"date": "2020-07-05"'),
        ("text.jsonl.gz", '"text": "2020-07-04"', '"text": "2020-07-05"'),
    ],
)
def test_the_hash_changes_with_the_files(folder: Path, name: str, old: str, new: str) -> None:
    before = gold(folder).sha256
    path = folder / "market/GOLD" / name
    packed = name.endswith(".gz")
    content = (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).decode()
    assert content.count(old) == 1
    changed = content.replace(old, new).encode()
    path.write_bytes(gzip.compress(changed) if packed else changed)
    assert gold(folder).sha256 != before


def test_windows_and_periods_may_be_chosen_by_the_user(folder: Path) -> None:
    train, test = Period.parse("2020-06-30:2020-07-01"), Period.parse("2020-07-02:2020-07-07")
    name = str(folder.parent / "GOLD.yaml")
    market = resolve_market(name, data=str(folder), train=train, test=test, periods_per_year=12)
    assert (market.asset.windows.train, market.asset.windows.test) == (train, test)
    assert market.asset.calendar.periods_per_year == 12
    assert market.sha256 == gold(folder).sha256


@pytest.mark.parametrize("train", ["2020-07-01:2020-07-06", "2020-07-01:2020-07-31"])
def test_windows_that_overlap_are_refused(folder: Path, train: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_market(str(folder.parent / "GOLD.yaml"), data=str(folder), train=Period.parse(train))
    assert caught.value.message == (
        f"the training window {train} must end before the test window 2020-07-06:2020-07-08 begins"
    )


@pytest.mark.parametrize("periods", [0, -252])
def test_a_year_without_periods_is_refused(folder: Path, periods: int) -> None:
    with pytest.raises(ConfigError, match=f"a year has at least one period, given {periods}"):
        resolve_market(str(folder.parent / "GOLD.yaml"), data=str(folder), periods_per_year=periods)


def test_a_session_without_a_bar_is_named(folder: Path) -> None:
    path = folder / "market/GOLD/prices.csv"
    write_bars(path, [day for day in SESSIONS if day not in ("2020-07-02", "2020-07-07")])
    assert refused(folder).message == (
        f"{path}: 2020-07-02 is missing: the file must have a row for each session of XNYS "
        "and no other (in all: 2)"
    )


@pytest.mark.parametrize("day", ["2020-07-03", "2020-07-04"])
def test_a_bar_on_a_day_without_a_session_is_named(folder: Path, day: str) -> None:
    path = folder / "market/GOLD/prices.csv"
    write_bars(path, sorted([*SESSIONS, day]))
    assert refused(folder).message.startswith(f"{path}: {day} is no session: the file must have a row")


def test_a_published_price_without_a_bar_is_refused_with_its_line(folder: Path) -> None:
    path = folder / "market/GOLD/investorbench.csv"
    path.write_text("date,price\n2020-07-01,7.5\n2020-07-03,8\n")
    assert refused(folder).message == f"{path}, line 3: 2020-07-03 has no bar in the asset's price file"


def test_missing_files_are_named(folder: Path) -> None:
    asset = folder / "market/GOLD"
    (asset / "text.jsonl.gz").unlink()
    assert refused(folder).message == f"no text file at {asset / 'text.jsonl.gz'}"
    (asset / "investorbench.csv").unlink()
    assert refused(folder).message == f"no price file at {asset / 'investorbench.csv'}"
    (asset / "prices.csv").unlink()
    error = refused(folder)
    assert error.message == f"no prices of GOLD: {asset / 'prices.csv'} does not exist"
    assert error.hint.startswith(f"the data folder {folder} was named by --data; ")


def test_an_unknown_asset_is_answered_with_the_nearest_one(folder: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        resolve_market("MFST", data=str(folder))
    assert caught.value.hint == "did you mean `MSFT`?"


def test_the_flag_is_asked_before_the_environment_and_the_environment_before_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    cache = tmp_path / "cache/flagbench/data"
    for folder in (cache, tmp_path / "named", tmp_path / "given"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("FLAGBENCH_DATA", str(tmp_path / "named"))
    assert loading.data_folder(str(tmp_path / "given")) == (tmp_path / "given", "--data")
    assert loading.data_folder() == (tmp_path / "named", "FLAGBENCH_DATA")
    monkeypatch.setenv("FLAGBENCH_DATA", "")
    assert loading.data_folder() == (cache, "the user's cache folder")
    monkeypatch.delenv("FLAGBENCH_DATA")
    assert loading.data_folder() == (cache, "the user's cache folder")


def test_a_folder_that_is_named_but_missing_is_no_reason_to_ask_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", str(folder))
    nowhere = folder / "nowhere"
    hint = "point FLAGBENCH_DATA or --data to a folder that holds market/<ASSET>/prices.csv"
    with pytest.raises(MarketDataError) as caught:
        resolve_market(str(folder.parent / "GOLD.yaml"), data=str(nowhere))
    assert caught.value.message == f"no market data: {nowhere} (--data) is no folder"
    assert caught.value.hint == hint  # its file names no public sources
    with pytest.raises(MarketDataError) as caught:
        resolve_market("TSLA", data=str(nowhere), fallback=True)
    assert caught.value.hint == f"{hint}; to get them: flagbench data fetch TSLA --out {nowhere}"


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No folder is named, and the user's cache folder is not there yet."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    return tmp_path / "cache/flagbench/data"


def test_nothing_stands_in_for_missing_data_unless_somebody_asks_for_it(empty_cache: Path) -> None:
    for data in (None, "market"):
        with pytest.raises(MarketDataError) as caught:
            resolve_market("TSLA", data=data)
        assert caught.value.message == f"no market data: {empty_cache} (the user's cache folder) is no folder"
        assert caught.value.hint.endswith("; to get them: flagbench data fetch TSLA")
    empty_cache.mkdir(parents=True)
    with pytest.raises(MarketDataError) as caught:
        named_window("TSLA", "train", "standard", None)
    assert caught.value.message.startswith("no prices of TSLA: ")
    assert caught.value.hint.endswith("; to get them: flagbench data fetch TSLA")


@pytest.mark.parametrize("is_there", [False, True])
def test_where_no_folder_is_named_and_the_cache_lacks_the_asset_the_default_replica_stands_in(
    empty_cache: Path, is_there: bool
) -> None:
    if is_there:
        write_bars(empty_cache / "market/GOLD/prices.csv", SESSIONS)
    market = resolve_market("TSLA", fallback=True)
    assert (market.kind, market.label, market.stands_in) == ("replica", "TSLA (replica)", True)
    asked_for = resolve_market("TSLA", data="replica")
    assert market.sha256 == asked_for.sha256
    assert not asked_for.stands_in
    assert market.until(market.asset.windows.train).stands_in


def test_a_replica_that_stands_in_takes_windows_and_periods_too(empty_cache: Path) -> None:
    train, test = Period.parse("2020-07-01:2020-08-31"), Period.parse("2020-09-01:2020-12-31")
    market = resolve_market("TSLA", train=train, test=test, periods_per_year=12, fallback=True)
    assert (market.asset.windows.train, market.asset.windows.test) == (train, test)
    assert market.asset.calendar.periods_per_year == 12


@pytest.mark.parametrize("named_by", ["--data", "FLAGBENCH_DATA", "market"])
def test_nothing_stands_in_for_an_asset_that_a_named_folder_lacks(
    folder: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    if named_by != "--data":
        monkeypatch.setenv("FLAGBENCH_DATA", str(folder))
    data = {"--data": str(folder), "FLAGBENCH_DATA": None, "market": "market"}[named_by]
    with pytest.raises(MarketDataError) as caught:
        resolve_market("TSLA", data=data, fallback=True)
    assert caught.value.message.startswith("no prices of TSLA: ")
    assert caught.value.hint.endswith(f"; to get them: flagbench data fetch TSLA --out {folder}")


def test_nothing_stands_in_for_what_the_cache_holds(empty_cache: Path) -> None:
    export_market(resolve_market("TSLA", data="replica:seed=5"), empty_cache)
    market = resolve_market("TSLA", fallback=True)
    assert not market.stands_in
    assert market.sha256 == resolve_market("TSLA", data="replica:seed=5").sha256
    (empty_cache / "market/TSLA/prices.csv").write_text("date\n")
    with pytest.raises(MarketDataError, match="no column `open`"):
        resolve_market("TSLA", fallback=True)
    (empty_cache / "market/TSLA/market.json").unlink()
    with pytest.raises(MarketDataError, match="no column `open`"):
        resolve_market("TSLA", fallback=True)


def test_nothing_stands_in_for_an_asset_that_cannot_be_drawn(folder: Path, empty_cache: Path) -> None:
    with pytest.raises(MarketDataError, match="no market data: "):
        resolve_market(str(folder.parent / "GOLD.yaml"), fallback=True)


def test_no_data_at_all_is_reported_with_who_named_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(MarketDataError, match=r"\(FLAGBENCH_DATA\) is no folder"):
        load_market(load_asset("TSLA"))
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.delenv("FLAGBENCH_DATA")
    with pytest.raises(MarketDataError, match=r"\(the user's cache folder\) is no folder"):
        load_market(load_asset("TSLA"))
