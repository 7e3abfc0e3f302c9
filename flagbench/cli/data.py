"""`flagbench data`."""

import argparse
import sys
from pathlib import Path

from flagbench.cli.stand_in import named_market
from flagbench.errors import ConfigError
from flagbench.market.asset import load_asset
from flagbench.market.exporting import export_market
from flagbench.market.replica import ReplicaSpec, draw_replica, parse_replica, realised_signal


def data_command(arguments: argparse.Namespace) -> None:
    """Fetch markets or write one as files."""
    if arguments.data_command == "fetch":
        from flagbench.cli.data_fetch import fetch_command

        fetch_command(arguments)
    else:
        _export(arguments)


def _export(arguments: argparse.Namespace) -> None:
    """Write a market as files and print the data folder last."""
    if arguments.asset.endswith(".csv"):
        raise ConfigError("a CSV of bars is a file already; name an asset to export")
    market = named_market(arguments)
    folder = export_market(market, Path(arguments.out))
    windows = market.asset.windows
    print(f"{market.label}: {len(market.dates)} bars, {len(market.text)} texts")
    print(f"train {windows.train}, test {windows.test}")
    print(f"content hash {market.sha256}")
    spec = str(ReplicaSpec()) if market.stands_in else arguments.data or ""
    if spec.split(":", 1)[0] == "replica":
        signal = realised_signal(draw_replica(load_asset(arguments.asset), parse_replica(spec)))
        print(
            f"correlation of tone with what its order earns: {signal.planted:.3f} on innovations, "
            f"{signal.raw:.3f} on returns, {signal.decisions} decisions",
            file=sys.stderr,
        )
    print(folder)
