"""What the script draws and compares, as files that a page loads: each calls `flagbench.add`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flagbench.board.columns import COLUMNS, Cell, interval_text, number_text
from flagbench.board.entry import Bars, Entry
from flagbench.board.standing import Standing
from flagbench.submissions.results import Spread


def data_file(key: str, value: Any) -> str:
    """A script that hands over one value; letters beyond ASCII are escaped."""
    return f"flagbench.add({json.dumps(key)},{json.dumps(value, allow_nan=False, separators=(',', ':'))});\n"


def index_data(standings: Sequence[Standing]) -> str:
    """Every entry by track, for the lists of the page of two."""
    tracks = [
        [
            standing.id,
            standing.title,
            [
                [entry.name, f"{entry.label}, {entry.submission.date}, {entry.status.replace('-', ' ')}"]
                for entry in standing.entries
            ],
        ]
        for standing in standings
        if standing.entries
    ]
    return data_file("index", tracks)


def bars_data(track: str, bars: Mapping[str, Bars]) -> str:
    """Days and buy-and-hold's curve of each asset of a track."""
    return data_file(
        f"{track}/assets", {asset: {"days": each.days, "held": each.held} for asset, each in bars.items()}
    )


def entry_data(standing: Standing, entry: Entry) -> str:
    """Figures and curves of one entry."""
    assets = {
        asset.asset: {
            "cells": {
                "sharpe": _spread(asset.summary["sharpe_ratio"]),
                "return": _spread(asset.summary["cumulative_return"], percent=True),
            },
            "seeds": entry.curves[asset.asset].seeds,
            "curves": entry.curves[asset.asset].curves,
            "words": entry.curves[asset.asset].words,
        }
        for asset in entry.results.assets
    }
    value = {
        "label": f"{entry.label}, {entry.submission.date}",
        "page": f"{entry.name}.html",
        "cells": {column.key: _cell(column.cell(entry, standing)) for column in COLUMNS},
        "assets": assets,
    }
    return data_file(f"{standing.id}/{entry.name}", value)


def _spread(spread: Spread, *, percent: bool = False) -> list[str | float | None]:
    if percent:
        below = interval_text(spread.low, spread.high, "fraction")
        return [number_text(spread.iqm, "fraction"), below, spread.iqm]
    return [number_text(spread.iqm), interval_text(spread.low, spread.high), spread.iqm]


def _cell(cell: Cell) -> list[str | float | None]:
    return [cell.text, cell.below, cell.value if cell.value is None else float(f"{cell.value:.7g}")]
