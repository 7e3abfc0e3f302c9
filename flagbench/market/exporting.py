"""Writing any market in the layout that is read, so that a replica can be kept, looked at and shared.

Below `<folder>/market/<ASSET>/` lie `prices.csv`, `text.jsonl.gz` and, where there are any, InvestorBench's
prices; and `market.json`, which says what kind of market it is. Read back, it has the same content hash.
"""

import csv
import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from flagbench.errors import MarketDataError
from flagbench.market.asset import Windows
from flagbench.market.market import Market
from flagbench.market.price_file import OHLC
from flagbench.market.text_file import write_text
from flagbench.settings import Settings, parse

MARKER = "market.json"


class ExportedMarket(Settings):
    """What `market.json` says of the files beside it."""

    kind: Literal["market", "replica"]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    windows: Windows | None = None
    """Null: those of the asset."""
    investorbench: bool
    """Whether InvestorBench's prices lie beside it."""


def export_market(market: Market, folder: Path) -> Path:
    """Write a market.

    Args:
        market: real or a replica.
        folder: a data folder, made if there is none.

    Returns:
        the data folder, which `--data` reads.

    Raises:
        MarketDataError: a market of that asset lies there already, or the folder cannot be written.
    """
    place = folder / "market" / market.asset.id
    if place.exists():
        raise MarketDataError(f"{place} exists already", hint="choose another --out or remove it")
    try:
        place.mkdir(parents=True)
        _write_prices(market, place / "prices.csv")
        if market.investorbench is not None:
            _write_investorbench(market, place / "prices_investorbench.csv")
        write_text(market.text, place / "text.jsonl.gz")
        write_marker(market, place, windows=market.asset.windows)
    except OSError as error:
        raise MarketDataError(f"{place} cannot be written: {error}") from error
    return folder


def write_marker(market: Market, place: Path, *, windows: Windows | None) -> None:
    """Write the `market.json` of files that hold a market; without windows the asset's own are read."""
    marker = ExportedMarket(
        kind=market.kind,
        sha256=market.sha256,
        windows=windows,
        investorbench=market.investorbench is not None,
    )
    text = json.dumps(marker.model_dump(mode="json", exclude_none=True), indent=2)
    (place / MARKER).write_text(text + "\n", encoding="utf-8")


def read_marker(place: Path) -> ExportedMarket | None:
    """What `market.json` in an asset's folder says, or None where there is none.

    Raises:
        ConfigError: a field is not allowed.
        MarketDataError: it is no JSON object.
    """
    path = place / MARKER
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MarketDataError(f"{path} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise MarketDataError(f"{path} must hold a JSON object")
    return parse(ExportedMarket, values, origin=str(path))


def _write_prices(market: Market, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["date", *OHLC, "adj_close", "volume"])
        rows = zip(market.dates, market.bars.tolist(), market.adjusted_close.tolist(), strict=True)
        for day, (*prices, volume), adjusted in rows:
            # repr is the shortest form that reads back to the same number.
            writer.writerow(
                [day, *map(repr, prices), repr(adjusted), "" if np.isnan(volume) else repr(volume)]
            )


def _write_investorbench(market: Market, path: Path) -> None:
    prices = market.investorbench if market.investorbench is not None else np.empty(0)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["date", "price"])
        rows = zip(market.dates, prices.tolist(), strict=True)
        writer.writerows((day, repr(price)) for day, price in rows if not np.isnan(price))
