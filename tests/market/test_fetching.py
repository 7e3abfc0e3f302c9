import csv
import gzip
import hashlib
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from filelock import FileLock

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import Asset, Calendar, Files, Source, Windows, asset_names, load_asset
from flagbench.market.downloading import Patience, Unreachable
from flagbench.market.fetching import Fetched, fetch_market
from flagbench.market.loading import load_market, resolve_market
from flagbench.market.market import content_hash
from flagbench.market.period import Period
from flagbench.market.text_file import TextItem

if TYPE_CHECKING:
    from tests.market.conftest import FileServer

HURRY = Patience(attempts=2, pause=0.0, timeout=5.0)
COMMIT = "0123456789abcdef0123456789abcdef01234567"

OLD = "Date,Open,High,Low,Close,Adj Close,Volume\n2020-07-01,10,12,9,11,5.5,1000\n2020-07-02,1,1,1,1,1,1\n"
NEW = "Date,low,high,open,close,volume\n2020-07-01,9,13,10,12,0.25\n2020-07-02,9,14,10,13,0.5\n"
PUBLISHED = {
    "2020-07-01": {"prices": 7.5, "news": ["up\u2028 — and up", "up\u2028 — and up", "down"]},
    "2020-07-03": {"prices": 8, "10q": ["a quarter"]},
}
GOLD_SHA256 = content_hash(
    np.array(["2020-07-01", "2020-07-02", "2020-07-03"], dtype="datetime64[D]"),
    np.array([[10, 12, 9, 11, 1000], [10, 13, 9, 12, np.nan], [10, 14, 9, 13, np.nan]]),
    np.array([5.5, 12, 13]),
    np.array([7.5, np.nan, 8]),
    [
        TextItem("2020-07-01", "news", "up\u2028 — and up"),
        TextItem("2020-07-01", "news", "down"),
        TextItem("2020-07-03", "10q", "a quarter"),
    ],
)


def serve(server: "FileServer", path: str, content: bytes, *makes: str, **fields: object) -> Source:
    """Have a server show a file, and the source that pins it."""
    server.files[f"somebody/metals/{COMMIT}/{path}"] = content
    pinned = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    named = {"repository": "somebody/metals", "commit": COMMIT, "path": path, "licence": "MIT"}
    return Source.model_validate({"makes": list(makes), **named, **pinned, **fields})


@pytest.fixture
def gold(server: "FileServer") -> Asset:
    """A coin whose prices are spliced from two files, the second of which is a day early."""
    published = json.dumps(PUBLISHED).encode()
    sources = (
        serve(server, "data/old gold.csv", OLD.encode(), "prices.csv", rows="..2020-07-01"),
        serve(server, "new.csv", NEW.encode(), "prices.csv", rows="2020-07-02..", days_later=1, volume=False),
        serve(server, "gold.json", published, "prices_investorbench.csv", "text.jsonl.gz"),
    )
    period = Period.parse("2020-07-01:2020-07-02")
    return Asset(
        id="GOLD",
        version=1,
        name="Gold",
        asset_class="crypto",
        currency="USD",
        calendar=Calendar(exchange="24/7", periods_per_year=365),
        windows=Windows(train=period, test=Period.parse("2020-07-03:2020-07-04")),
        files=Files(prices="GOLD/bars.csv", investorbench="GOLD/published.csv", text="GOLD/text.jsonl.gz"),
        sources=sources,
        content_sha256=GOLD_SHA256,
    )


def silent(source: Source, count: int) -> None:
    """Nobody looks at the progress."""


def fetch(server: "FileServer", asset: Asset, folder: Path) -> Fetched:
    return fetch_market(asset, folder, base_url=server.base_url, tell=silent, patience=HURRY)


def refused(server: "FileServer", asset: Asset, folder: Path) -> MarketDataError:
    """Nothing that looks like a market is left behind by what is refused."""
    with pytest.raises(MarketDataError) as caught:
        fetch(server, asset, folder)
    assert not (folder / "market").exists()
    assert list(folder.glob(".building-*")) == []
    return caught.value


def test_a_market_is_built_of_its_sources_as_by_hand(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    market, was_there = fetch(server, gold, tmp_path)
    assert (market.sha256, was_there) == (GOLD_SHA256, False)
    place = tmp_path / "market" / "GOLD"
    assert (place / "prices.csv").read_text() == (
        "date,open,high,low,close,adj_close,volume\n"
        "2020-07-01,10,12,9,11,5.5,1000\n2020-07-02,10,13,9,12,12,\n2020-07-03,10,14,9,13,13,\n"
    )
    assert (place / "prices_investorbench.csv").read_text() == "date,price\n2020-07-01,7.5\n2020-07-03,8.0\n"
    lines = gzip.decompress((place / "text.jsonl.gz").read_bytes()).decode().rstrip("\n").split("\n")
    assert [json.loads(line)["text"] for line in lines] == ["up\u2028 — and up", "down", "a quarter"]
    assert sorted(path.name for path in place.parent.iterdir()) == ["GOLD"]


def test_what_was_fetched_is_read_as_the_assets_market(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    fetch(server, gold, tmp_path)
    read = load_market(gold, data=str(tmp_path))
    assert (read.sha256, read.kind, read.label) == (GOLD_SHA256, "market", "GOLD")
    assert read.asset.windows == gold.windows


def test_what_was_fetched_is_not_fetched_again(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    fetch(server, gold, tmp_path)
    asked = len(server.asked)
    market, was_there = fetch(server, gold, tmp_path)
    assert (market.sha256, was_there, len(server.asked)) == (GOLD_SHA256, True, asked)


def test_raw_files_are_kept_and_serve_a_second_build(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    fetch(server, gold, tmp_path)
    raw = tmp_path / "sources" / "somebody" / "metals" / COMMIT
    assert (raw / "data" / "old gold.csv").read_text() == OLD
    for path in (tmp_path / "market" / "GOLD").iterdir():
        path.unlink()
    (tmp_path / "market" / "GOLD").rmdir()
    asked = len(server.asked)
    assert fetch(server, gold, tmp_path).was_there is False
    assert len(server.asked) == asked


def test_progress_is_told_by_source(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    told: dict[str, int] = {}

    def tell(source: Source, count: int) -> None:
        told[source.path] = count

    fetch_market(gold, tmp_path, base_url=f"{server.base_url}/", tell=tell, patience=HURRY)
    assert told == {source.path: source.size for source in gold.sources}


def test_an_interrupted_download_is_gone_on_from(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    def interrupt(source: Source, count: int) -> None:
        if source.path == "gold.json" and count:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_market(gold, tmp_path, base_url=server.base_url, tell=interrupt, patience=HURRY)
    raw = tmp_path / "sources" / "somebody" / "metals" / COMMIT
    assert (raw / "gold.json.part").exists()
    assert not (tmp_path / "market").exists()
    asked = len(server.asked)
    assert fetch(server, gold, tmp_path).market.sha256 == GOLD_SHA256
    assert len(server.asked) - asked <= 1


def test_what_is_built_must_have_the_content_hash_of_its_file(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    other = gold.model_copy(update={"content_sha256": "f" * 64})
    error = refused(server, other, tmp_path)
    assert error.message == (
        f"GOLD: what was built has the content hash {GOLD_SHA256[:12]}, its file says {'f' * 12}"
    )


def test_an_asset_of_a_users_own_need_not_know_its_hash(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    unknown = gold.model_copy(update={"content_sha256": None})
    assert fetch(server, unknown, tmp_path).market.sha256 == GOLD_SHA256
    assert fetch(server, unknown, tmp_path).was_there


def test_another_market_that_lies_there_is_left_alone(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    fetch(server, gold, tmp_path)
    other = gold.model_copy(update={"content_sha256": "f" * 64})
    with pytest.raises(MarketDataError, match="holds another market: its content hash is") as caught:
        fetch(server, other, tmp_path)
    assert caught.value.hint == "remove it or choose another --out"
    (tmp_path / "market" / "GOLD" / "prices.csv").write_text("date\n")
    with pytest.raises(MarketDataError, match=r"is there, and broken: .*no column `open`"):
        fetch(server, gold, tmp_path)
    assert (tmp_path / "market" / "GOLD" / "prices.csv").read_text() == "date\n"


def test_an_asset_without_public_prices_is_refused(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    for sources in ((), gold.sources[2:]):
        error = refused(server, gold.model_copy(update={"sources": sources}), tmp_path)
        assert error.message == "asset GOLD names no public file that its prices are made from"
    assert server.asked == []


def test_no_pickle_is_downloaded(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    filings = serve(server, "filings.pkl", pickle.dumps({}), "text.jsonl.gz")
    error = refused(server, gold.model_copy(update={"sources": (*gold.sources, filings)}), tmp_path)
    assert error.message.startswith("filings.pkl is a pickle")
    assert server.asked == []


def test_no_pickle_is_opened_under_another_name(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    filings = serve(server, "filings.json", pickle.dumps(PUBLISHED), "text.jsonl.gz")
    error = refused(server, gold.model_copy(update={"sources": (*gold.sources, filings)}), tmp_path)
    assert "filings.json is a pickle" in error.message


def test_pieces_of_a_splice_must_not_overlap(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    whole = gold.sources[0].model_copy(update={"rows": None})
    error = refused(server, gold.model_copy(update={"sources": (whole, *gold.sources[1:])}), tmp_path)
    assert error.message.endswith("new.csv: another source has a row of 2020-07-02 too")


def test_pieces_of_a_splice_must_leave_no_gap(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    late = gold.sources[1].model_copy(update={"rows": "2020-07-03.."})
    asset = gold.model_copy(update={"sources": (gold.sources[0], late, gold.sources[2])})
    assert "2020-07-02 is missing" in refused(server, asset, tmp_path).message


@pytest.mark.parametrize("address", ["", "raw.example.org", "ftp://example.org", "https://", "file:///data"])
def test_what_is_no_address_is_refused(gold: Asset, tmp_path: Path, address: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        fetch_market(gold, tmp_path, base_url=address, tell=silent)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_named(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be had"):
        fetch_market(gold, tmp_path, base_url="http://127.0.0.1:9", tell=silent, patience=HURRY)


def test_two_fetches_do_not_write_into_one_folder(server: "FileServer", gold: Asset, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".fetch.lock"):
        assert "another `flagbench data fetch`" in refused(server, gold, tmp_path).message
    assert fetch(server, gold, tmp_path).market.sha256 == GOLD_SHA256


def test_a_file_in_the_place_of_the_folder_is_named(
    server: "FileServer", gold: Asset, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    with pytest.raises(MarketDataError, match=r"taken cannot be written"):
        fetch(server, gold, taken)
    assert taken.read_text() == "mine"


# The real assets: their sources are not at hand, so files as their owners write them are made of what was
# built from them, and must give the same market again.


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def raw_prices(source: Source, built: Path) -> bytes:
    """A price file as one of its owners has it: other columns, times, tickers, rows without a close."""
    rows = [row for row in read_csv(built / "prices.csv") if source.covers(row["date"])]
    if source.days_later:
        lines = ["Date,low,high,open,close,volume"]
        for row in rows:
            label = np.datetime64(row["date"]) - np.timedelta64(source.days_later, "D")
            lines.append(f"{label},{row['low']},{row['high']},{row['open']},{row['close']},1.25")
    elif all(row["close"] == row["adj_close"] for row in rows):
        lines = ["Price,Date,Close,High,Low,Open,Volume", "Ticker,,X,X,X,X,X"]
        for number, row in enumerate(rows):
            prices = ",".join(row[name] for name in ("close", "high", "low", "open"))
            lines.append(f"{number},{row['date']} 00:00:00+00:00,{prices},{row['volume']}.0")
    else:
        lines = ["Date,Adj Close,Close,High,Low,Open,Volume"]
        names = ("date", "adj_close", "close", "high", "low", "open", "volume")
        lines += [",".join(row[name] for name in names) for row in reversed(rows)]
        lines.append("2001-01-01,null,null,null,null,null,null")
    return "\n".join([*lines, ""]).encode()


def raw_published(built: Path) -> bytes:
    """InvestorBench's file: kinds in another order, one text twice."""
    days: dict[str, dict[str, object]] = {}
    prices = built / "prices_investorbench.csv"
    for row in read_csv(prices):
        days[row["date"]] = {"prices": float(row["price"]), "10q": None, "10k": [], "news": []}
    for line in gzip.decompress((built / "text.jsonl.gz").read_bytes()).decode().split("\n"):
        if line:
            item = json.loads(line)
            entry = days.setdefault(item["date"], {})
            listed = [*(entry.get(item["kind"]) or []), item["text"]]  # type: ignore[misc]
            entry[item["kind"]] = [*listed, item["text"]] if len(listed) == 1 else listed
    return json.dumps(days, indent=4).encode()


def raw_files(asset: Asset, built: Path) -> Iterator[tuple[Source, bytes]]:
    for source in asset.sources:
        is_prices = "prices.csv" in source.makes
        yield source, raw_prices(source, built) if is_prices else raw_published(built)


@pytest.mark.parametrize("name", asset_names())
def test_real_files_in_their_owners_formats_give_the_content_hash_of_the_asset(
    name: str, server: "FileServer", data_folder: Path, tmp_path: Path
) -> None:
    asset = load_asset(name)
    sources = []
    for source, content in raw_files(asset, data_folder / "market" / name):
        server.files[f"{source.repository}/{source.commit}/{source.path}"] = content
        pinned = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        sources.append(source.model_copy(update=pinned))
    served = asset.model_copy(update={"sources": tuple(sources)})
    assert fetch(server, served, tmp_path).market.sha256 == asset.content_sha256
    read = resolve_market(name, data=str(tmp_path))
    assert (read.sha256, read.asset.windows) == (asset.content_sha256, asset.windows)


@pytest.mark.parametrize("name", asset_names())
def test_the_content_hash_of_an_asset_is_that_of_its_files(name: str, data_folder: Path) -> None:
    asset = load_asset(name)
    made = {file for source in asset.sources for file in source.makes}
    without = {} if "text.jsonl.gz" in made else {"text": None}  # TSLA's has no source
    market = load_market(
        asset.model_copy(update={"files": asset.files.model_copy(update=without)}), data=str(data_folder)
    )
    assert market.sha256 == asset.content_sha256
