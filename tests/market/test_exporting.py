import json
from pathlib import Path

import numpy as np
import pytest

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import asset_names, load_asset
from flagbench.market.exporting import export_market
from flagbench.market.loading import load_market, resolve_market
from flagbench.market.period import Period

SPEC = "replica:signal=0.5,seed=3,train=80,test=40"


@pytest.mark.parametrize("name", asset_names())
def test_a_replica_of_every_asset_is_read_back_to_the_same_hash(name: str, tmp_path: Path) -> None:
    drawn = resolve_market(name, data=SPEC)
    assert export_market(drawn, tmp_path) == tmp_path
    read = resolve_market(name, data=str(tmp_path))
    assert (read.sha256, read.kind, read.label) == (drawn.sha256, "replica", f"{name} (replica)")
    assert read.asset.windows == drawn.asset.windows
    assert read.text == drawn.text
    np.testing.assert_array_equal(read.bars, drawn.bars)
    assert len(read.bar_range(read.asset.windows.train)) == 80


@pytest.mark.parametrize("name", ["MSFT", "ETH", "SPY"])
def test_a_real_market_is_read_back_to_the_same_hash(name: str, data_folder: Path, tmp_path: Path) -> None:
    real = resolve_market(name, data=str(data_folder))
    export_market(real, tmp_path)
    read = resolve_market(name, data=str(tmp_path))
    assert (read.sha256, read.kind, read.label) == (real.sha256, "market", name)


def test_equal_markets_are_equal_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        export_market(resolve_market("TSLA", data=SPEC), tmp_path / folder)
    for name in ("prices.csv", "text.jsonl.gz", "market.json"):
        first, second = (tmp_path / folder / "market" / "TSLA" / name for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    market = resolve_market("TSLA", data=SPEC)
    export_market(market, tmp_path)
    with pytest.raises(MarketDataError, match="exists already"):
        export_market(market, tmp_path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "market").write_text("a file")
    with pytest.raises(MarketDataError, match="cannot be written"):
        export_market(resolve_market("TSLA", data=SPEC), tmp_path)


def test_files_that_were_changed_after_the_export_are_refused(tmp_path: Path) -> None:
    export_market(resolve_market("TSLA", data=SPEC), tmp_path)
    prices = tmp_path / "market" / "TSLA" / "prices.csv"
    lines = prices.read_text().splitlines()
    cells = lines[5].split(",")
    cells[-1] = "1.0"
    prices.write_text("\n".join([*lines[:5], ",".join(cells), *lines[6:]]) + "\n")
    with pytest.raises(MarketDataError, match="not those that were written"):
        load_market(load_asset("TSLA"), data=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "error"), [("{", MarketDataError), ("[]", MarketDataError), ('{"kind": "dream"}', ConfigError)]
)
def test_a_broken_marker_is_named(tmp_path: Path, text: str, error: type[Exception]) -> None:
    export_market(resolve_market("TSLA", data=SPEC), tmp_path)
    (tmp_path / "market" / "TSLA" / "market.json").write_text(text)
    with pytest.raises(error, match=r"market\.json"):
        load_market(load_asset("TSLA"), data=str(tmp_path))


def test_windows_given_by_hand_go_before_those_of_the_export(tmp_path: Path) -> None:
    drawn = resolve_market("TSLA", data=SPEC)
    export_market(drawn, tmp_path)
    days = drawn.dates[70:].tolist()
    train, test = Period(days[0], days[20]), Period(days[21], days[40])
    read = resolve_market("TSLA", data=str(tmp_path), train=train, test=test)
    assert (read.asset.windows.train, read.asset.windows.test) == (train, test)


def test_the_marker_says_what_lies_beside_it(tmp_path: Path) -> None:
    drawn = resolve_market("BTC", data=SPEC)
    export_market(drawn, tmp_path)
    marker = json.loads((tmp_path / "market" / "BTC" / "market.json").read_text())
    assert marker["kind"] == "replica"
    assert marker["sha256"] == drawn.sha256
    assert marker["investorbench"] is False
