"""From the public files that an asset names to its files in a data folder.

Raw files are kept below `<folder>/sources/<repository>/<commit>/`, so that nothing is downloaded twice. What
is built of them is moved to `<folder>/market/<ASSET>/` when it has been held against the asset's content
hash, and not before.
"""

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from filelock import FileLock, Timeout

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import Asset, Source
from flagbench.market.downloading import Patience, Remote, download, open_client
from flagbench.market.exporting import write_marker
from flagbench.market.loading import load_market, read_layout
from flagbench.market.market import Market
from flagbench.market.raw_files import (
    COLUMNS,
    PublishedDay,
    check_content,
    check_format,
    read_investorbench,
    read_price_rows,
)
from flagbench.market.text_file import write_text

TellSource = Callable[[Source, int], None]
"""Told how many bytes of a source there are by now."""


class RawFile(NamedTuple):
    """A source that lies on this machine."""

    source: Source
    path: Path


class Fetched(NamedTuple):
    """A market that lies in a data folder."""

    market: Market
    was_there: bool


def fetch_market(
    asset: Asset, folder: Path, *, base_url: str, tell: TellSource, patience: Patience | None = None
) -> Fetched:
    """Download an asset's sources, build its files and check what they hold.

    Args:
        asset: with `sources`.
        folder: a data folder, made if there is none.
        base_url: the sources lie at `<base_url>/<repository>/<commit>/<path>`.
        tell: of progress.
        patience: with the server.

    Raises:
        Unreachable: the server does not answer.
        ConfigError: an address that is none.
        MarketDataError: the asset names no sources or a pickle, a source is gone or has changed, the
            folder holds another market of that asset or cannot be written.
    """
    _check_base(base_url)
    for source in asset.sources:
        check_format(source)
    if not any("prices.csv" in source.makes for source in asset.sources):
        raise MarketDataError(f"asset {asset.id} names no public file that its prices are made from")
    with _writing(folder):
        if (folder / "market" / asset.id).exists():
            return Fetched(_present(asset, folder), was_there=True)
        raw = _download(asset, folder / "sources", base_url, tell, patience or Patience())
        return Fetched(_build(asset, folder, raw), was_there=False)


def _check_base(base_url: str) -> None:
    scheme, colon, rest = base_url.partition("://")
    if scheme not in ("http", "https") or not colon or not rest.strip("/"):
        raise ConfigError(f"`{base_url}` is no address", hint="write https://raw.githubusercontent.com")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """One fetch at a time writes into a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".fetch.lock", timeout=0):
            yield
    except Timeout:
        raise MarketDataError(
            f"another `flagbench data fetch` writes into {folder}", hint="wait for it or choose another --out"
        ) from None
    except OSError as error:
        raise MarketDataError(f"{folder} cannot be written: {error}", hint="choose another --out") from error


def _present(asset: Asset, folder: Path) -> Market:
    """The market that lies there, if it is what would be fetched."""
    place = folder / "market" / asset.id
    hint = "remove it or choose another --out"
    try:
        market = load_market(asset, data=str(folder))
    except MarketDataError as error:
        raise MarketDataError(f"{place} is there, and broken: {error.message}", hint=hint) from error
    if asset.content_sha256 not in (None, market.sha256):
        raise MarketDataError(
            f"{place} holds another market: its content hash is {market.sha256[:12]}, "
            f"of what is fetched {str(asset.content_sha256)[:12]}",
            hint=hint,
        )
    return market


def _download(
    asset: Asset, folder: Path, base_url: str, tell: TellSource, patience: Patience
) -> list[RawFile]:
    """The raw file of each source."""
    raw = []
    with open_client(patience) as client:
        for source in asset.sources:
            place = f"{source.repository}/{source.commit}/{source.path}"
            remote = Remote(f"{base_url.rstrip('/')}/{quote(place)}", source.size, source.sha256)

            def told(count: int, source: Source = source) -> None:
                tell(source, count)

            download(client, remote, folder / place, patience=patience, tell=told)
            raw.append(RawFile(source, folder / place))
    return raw


def _build(asset: Asset, folder: Path, raw: Sequence[RawFile]) -> Market:
    for file in raw:
        check_content(file.path)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as name:
        root = Path(name) / "market"
        place = root / asset.id
        place.mkdir(parents=True)
        _write_files(raw, place)
        market = read_layout(asset, root, investorbench=asset.files.investorbench is not None)
        if asset.content_sha256 not in (None, market.sha256):
            raise MarketDataError(
                f"{asset.id}: what was built has the content hash {market.sha256[:12]}, "
                f"its file says {str(asset.content_sha256)[:12]}",
                hint="the public files are those that are pinned, so this is a bug: please report it",
            )
        write_marker(market, place, windows=None)
        (folder / "market").mkdir(exist_ok=True)
        place.rename(folder / "market" / asset.id)
    return market


def _write_files(raw: Sequence[RawFile], place: Path) -> None:
    """Write `prices.csv`, `text.jsonl.gz`, and InvestorBench's prices where a source makes them."""
    rows = _spliced([file for file in raw if "prices.csv" in file.source.makes])
    lines = [[day, *cells] for day, cells in sorted(rows.items())]
    _write_csv(("date", *COLUMNS), lines, place / "prices.csv")
    days = _published("text.jsonl.gz", raw)
    write_text((item for day in days for item in day.text), place / "text.jsonl.gz")
    if published := _published("prices_investorbench.csv", raw):
        # repr is the shortest form that reads back to the same number.
        prices = [[day.date, repr(day.price)] for day in published if day.price is not None]
        _write_csv(("date", "price"), prices, place / "prices_investorbench.csv")


def _spliced(pieces: Sequence[RawFile]) -> dict[str, list[str]]:
    """The rows of all price files of an asset by ISO date.

    Raises:
        MarketDataError: two of them have a row of one date.
    """
    rows: dict[str, list[str]] = {}
    for source, path in pieces:
        piece = read_price_rows(path, source)
        if both := rows.keys() & piece.keys():
            raise MarketDataError(f"{path}: another source has a row of {min(both)} too")
        rows |= piece
    return rows


def _published(name: str, raw: Sequence[RawFile]) -> list[PublishedDay]:
    return [day for source, path in raw if name in source.makes for day in read_investorbench(path)]


def _write_csv(header: Sequence[str], rows: Sequence[Sequence[str]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
