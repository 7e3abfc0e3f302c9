"""`flagbench data fetch`."""

import argparse
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from flagbench.cli.main import fail
from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import Asset, Source, asset_names, load_asset
from flagbench.market.downloading import Unreachable
from flagbench.market.fetching import Fetched, fetch_market
from flagbench.market.loading import cache_folder


def fetch_command(arguments: argparse.Namespace) -> None:
    """Fetch markets, print a line on each, and the data folder last."""
    assets = _assets(arguments)
    folder = Path(arguments.out) if arguments.out else cache_folder()
    lines: list[str] = []
    troubles: dict[str, MarketDataError] = {}
    try:
        with DownloadProgress() as progress:
            for asset in assets:
                progress.begin(asset)
                try:
                    fetched = fetch_market(asset, folder, base_url=arguments.base_url, tell=progress.tell)
                    lines.append(_line(asset, fetched))
                except MarketDataError as error:
                    # A source that its owner removed is no reason to leave out the other assets.
                    if isinstance(error, Unreachable) or len(assets) == 1:
                        raise
                    troubles[asset.id] = error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; what was downloaded is kept, and the same command goes on from there"
        ) from None
    for trouble in troubles.values():
        fail(trouble.message, hint=trouble.hint)
    print("\n".join(lines), end="\n" if lines else "")
    if troubles:
        raise MarketDataError(f"not fetched: {', '.join(troubles)}; the others lie in {folder}")
    if not arguments.out and os.environ.get("FLAGBENCH_DATA"):
        print(f"note: FLAGBENCH_DATA names another folder; --data {folder} reads this one", file=sys.stderr)
    print(folder)


def _assets(arguments: argparse.Namespace) -> list[Asset]:
    if bool(arguments.assets) == arguments.all:
        raise ConfigError("either name assets or give --all", hint="flagbench data fetch TSLA")
    return [load_asset(name) for name in dict.fromkeys(asset_names() if arguments.all else arguments.assets)]


def _line(asset: Asset, fetched: Fetched) -> str:
    dates, texts = fetched.market.dates, fetched.market.text
    held = f"{len(dates)} bars from {dates[0]} to {dates[-1]}, {len(texts)} texts"
    if asset.files.text and not any("text.jsonl.gz" in source.makes for source in asset.sources):
        held += " (no public file makes them)"
    there = ", was there already" if fetched.was_there else ""
    return f"{asset.id}: {held}, content hash {fetched.market.sha256[:12]}{there}"


class DownloadProgress:
    """A bar an asset on stderr, in bytes; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),  # rich would also believe FORCE_COLOR
            transient=True,
        )
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def begin(self, asset: Asset) -> None:
        """The bar of the next asset."""
        self._counts = {}
        self._task = self._bars.add_task(asset.id, total=sum(source.size for source in asset.sources))

    def tell(self, source: Source, count: int) -> None:
        """Move it: a source has so many bytes by now."""
        self._counts[source.sha256] = count
        self._bars.update(self._task, completed=sum(self._counts.values()))
