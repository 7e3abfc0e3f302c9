"""`flagbench score`."""

import argparse
from datetime import date
from pathlib import Path

import numpy as np

from flagbench.cli.printing import print_json, print_tables
from flagbench.cli.stand_in import named_market
from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.records.action_file import read_actions
from flagbench.reports.score_table import score_table
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.score import Score, score, score_positions
from flagbench.trading.protocol import load_protocol


def score_command(arguments: argparse.Namespace) -> None:
    """Score the actions in a CSV file, buy-and-hold on the same bars beside them."""
    market, period = _market_and_period(arguments)
    bars = market.bar_range(period)
    dates = market.dates[bars.start : bars.stop]
    investorbench = arguments.scoring == "investorbench"
    rows = read_actions(Path(arguments.actions), dates, positions_allowed=investorbench)
    if investorbench:
        own = score_positions(market, period, rows.positions, actions=rows.actions)
        held = score_positions(market, period, np.ones(len(dates) - 1))
        rules = "investorbench: fills at the close just seen, no costs, log returns"
    else:
        protocol = load_protocol(arguments.protocol)
        if rows.actions is None:
            raise ConfigError("positions cannot be played through a protocol")
        own = score(market, protocol, period, rows.actions)
        held = score(market, protocol, period, buy_and_hold_actions(len(dates) - 1))
        rules = f"protocol {protocol.id} v{protocol.version}"
    if arguments.json:
        print_json(
            {**own.to_json(), "asset": market.asset.id, "kind": market.kind, "market_sha256": market.sha256}
        )
    else:
        _print(own, held, title=f"{market.label} {period.first} to {period.last}, {len(dates)} bars, {rules}")


def _print(own: Score, held: Score, *, title: str) -> None:
    print_tables([score_table(title, {"actions": own.to_json(), "buy-and-hold": held.to_json()})])


def _market_and_period(arguments: argparse.Namespace) -> tuple[Market, Period]:
    given = [_date(arguments.start, "--start"), _date(arguments.end, "--end")]
    window = None
    if given[0] is not None and given[1] is not None:
        window = Period.of(given[0], given[1])
    elif any(given):
        raise ConfigError("--start and --end go together")
    if arguments.asset.endswith(".csv"):
        if window is None:
            raise ConfigError("a CSV as asset needs --start and --end")
        from flagbench.market.loading import load_csv_market

        if arguments.periods is not None and arguments.periods < 1:
            raise ConfigError(f"a year has at least one period, given {arguments.periods}")
        path = Path(arguments.asset)
        market = load_csv_market(path, train=window, test=window, periods_per_year=arguments.periods)
        return market, window
    market = named_market(arguments)
    return market, window or market.asset.windows.test


def _date(text: str | None, flag: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"`{flag} {text}` is no ISO date", hint="write 2020-10-01") from None
