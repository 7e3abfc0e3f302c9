"""`flagbench list`."""

import argparse
import inspect
from collections.abc import Callable, Mapping

from flagbench.cli.printing import print_json, print_tables
from flagbench.knowledge.suites import installed_tasks
from flagbench.market.asset import asset_names, load_asset
from flagbench.registry import agent_names, load_agent_class, load_metrics
from flagbench.reports.score_table import TableText
from flagbench.submissions.track import load_track, track_names
from flagbench.suites.suite import load_suite, suite_names
from flagbench.trading.protocol import load_protocol, protocol_names


def list_command(arguments: argparse.Namespace) -> None:
    """Print the names of one kind with a line on each."""
    header, rows = LISTINGS[arguments.kind]()
    if arguments.json:
        print_json({arguments.kind: [dict(zip(header, row, strict=True)) for row in rows]})
    else:
        print_tables([TableText(f"{len(rows)} {arguments.kind}", header, rows, [], numeric=False)])


Listing = tuple[list[str], list[list[str]]]


def _agents() -> Listing:
    rows = []
    for name in agent_names():
        loaded = load_agent_class(name)
        module = inspect.getmodule(loaded)
        text = inspect.getdoc(module) or inspect.getdoc(loaded) or ""
        rows.append([name, text.splitlines()[0] if text else ""])
    return ["name", "what it does"], rows


def _assets() -> Listing:
    rows = []
    for name in asset_names():
        asset = load_asset(name)
        windows = asset.windows
        rows.append([name, asset.name, asset.asset_class, str(windows.train), str(windows.test)])
    return ["name", "full name", "class", "train", "test"], rows


def _protocols() -> Listing:
    rows = []
    for name in protocol_names():
        protocol = load_protocol(name)
        fills = f"{protocol.fill.equity} / {protocol.fill.crypto}"
        rows.append([name, str(protocol.version), fills, f"{protocol.cost_bps:g}", protocol.description])
    return ["name", "version", "fill equity / crypto", "cost bp", "description"], rows


def _metrics() -> Listing:
    rows = [[metric.name, metric.unit, metric.description] for metric in load_metrics().values()]
    return ["name", "unit", "formula"], rows


def _knowledge() -> Listing:
    rows = []
    for name, (suite, task) in installed_tasks().items():
        about = task.metadata
        licence = f"{about.licence} (non-commercial)" if about.noncommercial else about.licence
        rows.append(
            [name, *(word or "–" for word in (suite, str(about.version), licence, about.description))]
        )
    return ["name", "suite", "version", "licence", "what is asked"], rows


def _suites() -> Listing:
    rows = []
    for name in suite_names():
        suite = load_suite(name)
        cells = sum(len(agent.seeds or suite.seeds) for agent in suite.agents) * len(suite.assets)
        rows.append([name, str(suite.version), suite.protocol, str(cells), suite.description])
    return ["name", "version", "protocol", "cells", "description"], rows


def _tracks() -> Listing:
    rows = []
    for name in track_names():
        track = load_track(name)
        rows.append([name, str(track.version), track.protocol, ", ".join(track.assets), track.description])
    return ["name", "version", "protocol", "assets", "description"], rows


LISTINGS: Mapping[str, Callable[[], Listing]] = {
    "agents": _agents,
    "assets": _assets,
    "protocols": _protocols,
    "metrics": _metrics,
    "knowledge": _knowledge,
    "suites": _suites,
    "tracks": _tracks,
}
