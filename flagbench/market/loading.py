"""From an asset's name to a checked market: which folder, which files, which rules."""

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import Asset, Calendar, Files, Windows, asset_names, load_asset
from flagbench.market.exporting import MARKER, ExportedMarket, read_marker
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.market.price_file import OHLC, DateArray, FloatArray, PriceTable, read_price_table
from flagbench.market.replica import ReplicaSpec, make_replica, parse_replica
from flagbench.market.sessions import infer_exchange, sessions_between
from flagbench.market.text_file import TextItem, read_text

# Trading days in a year of weekdays, and days in a year; what every published row in the field uses.
PERIODS_PER_YEAR = {"weekdays": 252, "24/7": 365}


class DataFolder(NamedTuple):
    """A folder with `market/<ASSET>/…` below it, and who named it."""

    path: Path
    named_by: str


def cache_folder() -> Path:
    """Where `flagbench data fetch` puts markets, and where they are looked for when no folder is named."""
    from platformdirs import user_cache_path

    return user_cache_path("flagbench") / "data"


def data_folder(data: str | None = None) -> DataFolder:
    """Where market files are looked for: `data`, else `FLAGBENCH_DATA`, else the user's cache folder.

    The folder need not exist.
    """
    if data is not None:
        return DataFolder(Path(data), "--data")
    if os.environ.get("FLAGBENCH_DATA"):
        return DataFolder(Path(os.environ["FLAGBENCH_DATA"]), "FLAGBENCH_DATA")
    return DataFolder(cache_folder(), "the user's cache folder")


def load_market(asset: Asset, *, data: str | None = None) -> Market:
    """Read and check the market of an installed asset.

    Args:
        asset: from `load_asset`.
        data: a folder; see `data_folder`.

    Raises:
        MarketDataError: the folder or a file is missing, or a file breaks a rule.
    """
    folder = data_folder(data)
    root = folder.path / "market"
    if not folder.path.is_dir():
        raise MarketDataError(
            f"no market data: {folder.path} ({folder.named_by}) is no folder",
            hint="point FLAGBENCH_DATA or --data to a folder that holds market/<ASSET>/prices.csv"
            + _fetching(asset, folder),
        )
    marker = read_marker(root / asset.id)
    if marker is not None:
        return _exported(asset, marker, root)
    prices = root / asset.files.prices
    if not prices.is_file():
        raise MarketDataError(
            f"no prices of {asset.id}: {prices} does not exist",
            hint=f"the data folder {folder.path} was named by {folder.named_by}; "
            f"it must hold market/<ASSET>/prices.csv{_fetching(asset, folder)}",
        )
    table = read_price_table(prices, required=(*OHLC, "adj_close"), optional=("volume",))
    _check_sessions(table.dates, asset.calendar.exchange, prices)
    investorbench = None
    if asset.files.investorbench is not None:
        investorbench = _aligned(root / asset.files.investorbench, table.dates)
    text = read_text(root / asset.files.text) if asset.files.text else ()
    return _market(asset, table, investorbench=investorbench, text=text)


def fetch_command(asset: Asset, folder: Path | None = None) -> str | None:
    """What to type to get an installed asset's files into a folder; None where its file names no sources."""
    if not asset.sources or asset.id not in asset_names():
        return None
    out = "" if folder in (None, cache_folder()) else f" --out {folder}"
    return f"flagbench data fetch {asset.id}{out}"


def _fetching(asset: Asset, folder: DataFolder) -> str:
    """The end of a hint where files are missing."""
    command = fetch_command(asset, folder.path)
    return f"; to get them: {command}" if command else ""


def _has_market(asset: Asset, folder: Path) -> bool:
    root = folder / "market"
    return (root / asset.id / MARKER).is_file() or (root / asset.files.prices).is_file()


def read_layout(asset: Asset, root: Path, *, investorbench: bool) -> Market:
    """Read `prices.csv` and `text.jsonl.gz` of `<root>/<ASSET>`, whatever the asset's file calls them.

    Args:
        asset: its calendar is held against the bars.
        root: the folder `market` of a data folder.
        investorbench: whether `prices_investorbench.csv` is read too.

    Raises:
        MarketDataError: a file is missing or breaks a rule.
    """
    files = Files(
        prices=f"{asset.id}/prices.csv",
        investorbench=f"{asset.id}/prices_investorbench.csv" if investorbench else None,
        text=f"{asset.id}/text.jsonl.gz",
    )
    table = read_price_table(root / files.prices, required=(*OHLC, "adj_close"), optional=("volume",))
    _check_sessions(table.dates, asset.calendar.exchange, root / files.prices)
    published = _aligned(root / files.investorbench, table.dates) if files.investorbench else None
    text = read_text(root / f"{asset.id}/text.jsonl.gz")
    return _market(asset.model_copy(update={"files": files}), table, investorbench=published, text=text)


def _exported(asset: Asset, marker: ExportedMarket, root: Path) -> Market:
    """A market that flagbench wrote; it has its own kind, and perhaps its own windows."""
    described = asset.model_copy(update={"windows": marker.windows or asset.windows})
    market = replace(read_layout(described, root, investorbench=marker.investorbench), kind=marker.kind)
    if market.sha256 != marker.sha256:
        raise MarketDataError(
            f"{root / asset.id}: the files are not those that were written: their content hash is "
            f"{market.sha256[:12]}, market.json says {marker.sha256[:12]}",
            hint="remove them, and export or fetch them again",
        )
    return market


def load_csv_market(
    path: Path, *, train: Period, test: Period, periods_per_year: int | None = None
) -> Market:
    """A market from a user's own CSV: `date,open,high,low,close` and perhaps `adj_close`, `volume`.

    The calendar is inferred: bars on weekends mean every day has one; without them the holidays are
    not known and no session can be found missing.

    Raises:
        MarketDataError: the file is missing or breaks a rule.
    """
    table = read_price_table(path, required=OHLC)
    exchange = infer_exchange(table.dates)
    _check_sessions(table.dates, exchange, path)
    asset = Asset(
        id=path.stem,
        version=1,
        name=path.name,
        asset_class="crypto" if exchange == "24/7" else "equity",
        currency="unknown",
        calendar=Calendar.model_validate(
            {"exchange": exchange, "periods_per_year": periods_per_year or PERIODS_PER_YEAR[exchange]}
        ),
        windows=Windows(train=train, test=test),
        files=Files(prices=str(path)),
    )
    return _market(asset, table, investorbench=None, text=())


def resolve_market(
    name: str,
    *,
    data: str | None = None,
    train: Period | None = None,
    test: Period | None = None,
    periods_per_year: int | None = None,
    fallback: bool = False,
    stand_in: ReplicaSpec | None = None,
) -> Market:
    """The market behind `--asset`: an installed asset's id, an asset YAML, or a CSV of bars.

    Args:
        name: one of these three.
        data: a folder; `market` for the folder that is named elsewhere; or a replica such as
            `replica:signal=0.2,seed=7`.
        train: training window instead of the asset's own.
        test: test window instead of the asset's own.
        periods_per_year: instead of the calendar's.
        fallback: whether the replica with default parameters stands in where no folder is named and the
            user's cache folder does not hold the asset. The market then has `stands_in`: whoever asks for
            it must tell the user.
        stand_in: another replica to do so than that with default parameters.

    Raises:
        ConfigError: a CSV without windows, windows that overlap, or no positive number of periods.
        UnknownNameError: no such asset.
        MarketDataError: the data is missing or breaks a rule.
    """
    if periods_per_year is not None and periods_per_year < 1:
        raise ConfigError(f"a year has at least one period, given {periods_per_year}")
    if name.endswith(".csv"):
        if train is None or test is None:
            raise ConfigError(
                "a CSV as asset needs both windows",
                hint="add --train 2020-07-01:2020-09-30 --test 2020-10-01:2021-05-06",
            )
        market = load_csv_market(Path(name), train=train, test=test, periods_per_year=periods_per_year)
    elif data is not None and data.split(":", 1)[0] == "replica":
        asset = _with_overrides(load_asset(name), train, test, periods_per_year)
        market = make_replica(asset, parse_replica(data))
    elif fallback and data is None and _needs_stand_in(load_asset(name)):
        asset = _with_overrides(load_asset(name), train, test, periods_per_year)
        market = replace(make_replica(asset, stand_in or ReplicaSpec()), stands_in=True)
    else:
        read = load_market(load_asset(name), data=None if data == "market" else data)
        market = replace(read, asset=_with_overrides(read.asset, train, test, periods_per_year))
    windows = market.asset.windows
    if windows.train.last >= windows.test.first:
        raise ConfigError(
            f"the training window {windows.train} must end before the test window {windows.test} begins"
        )
    return market


def _needs_stand_in(asset: Asset) -> bool:
    """Whether no folder is named, the cache does not hold the asset, and a replica of it can be drawn."""
    is_named = bool(os.environ.get("FLAGBENCH_DATA"))
    return not is_named and asset.replica is not None and not _has_market(asset, cache_folder())


def _with_overrides(
    asset: Asset, train: Period | None, test: Period | None, periods_per_year: int | None
) -> Asset:
    windows = Windows(train=train or asset.windows.train, test=test or asset.windows.test)
    calendar = asset.calendar.model_copy(
        update={"periods_per_year": periods_per_year or asset.calendar.periods_per_year}
    )
    return asset.model_copy(update={"windows": windows, "calendar": calendar})


def _market(
    asset: Asset, table: PriceTable, *, investorbench: FloatArray | None, text: tuple[TextItem, ...]
) -> Market:
    columns = table.columns
    volume = columns.get("volume", np.full(len(table.dates), np.nan))
    bars = np.column_stack([*(columns[name] for name in OHLC), volume])
    adjusted_close = columns.get("adj_close", columns["close"]).copy()
    return Market(
        asset=asset,
        dates=table.dates,
        bars=bars,
        adjusted_close=adjusted_close,
        investorbench=investorbench,
        text=text,
        kind="market",
        sha256=content_hash(table.dates, bars, adjusted_close, investorbench, text),
    )


def _check_sessions(dates: DateArray, exchange: str, path: Path) -> None:
    """Every session between first and last bar has a bar, and no other day has one."""
    if exchange == "weekdays":
        return
    sessions = sessions_between(exchange, dates[0], dates[-1])
    missing, extra = np.setdiff1d(sessions, dates), np.setdiff1d(dates, sessions)
    for days, what in ((missing, "is missing"), (extra, "is no session")):
        if days.size:
            raise MarketDataError(
                f"{path}: {days[0]} {what}: the file must have a row for each session of {exchange} "
                f"and no other (in all: {days.size})"
            )


def _aligned(path: Path, dates: DateArray) -> FloatArray:
    """InvestorBench's prices on the market's dates, nan where its file has none: (n,)."""
    table = read_price_table(path, required=("price",), optional=())
    strangers = np.setdiff1d(table.dates, dates)
    if strangers.size:
        line = int(np.searchsorted(table.dates, strangers[0])) + 2
        raise MarketDataError(f"{path}, line {line}: {strangers[0]} has no bar in the asset's price file")
    prices = np.full(len(dates), np.nan)
    prices[np.searchsorted(dates, table.dates)] = table.columns["price"]
    return prices
