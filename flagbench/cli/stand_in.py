"""What a user is told when a replica stands in for prices that are not there."""

import argparse
import sys

from flagbench.errors import MarketDataError
from flagbench.market.loading import fetch_command, resolve_market
from flagbench.market.market import Market

RULE = "=" * 80
ELSEWHERE = "--data FOLDER, with market/<ASSET>/prices.csv in it"


def named_market(arguments: argparse.Namespace) -> Market:
    """The market that `--asset` and `--data` name; a replica that stands in is told of, or refused.

    Raises:
        FlagbenchError: there is no such asset, its data is missing or broken, or replicas are refused.
    """
    market = resolve_market(
        arguments.asset,
        data=arguments.data,
        periods_per_year=arguments.periods,
        fallback=not arguments.no_replica,
    )
    check_replica(market, refused=arguments.no_replica)
    warn_of_stand_in(market)
    return market


def check_replica(market: Market, *, refused: bool) -> None:
    """Hold a market against `--no-replica`.

    Raises:
        MarketDataError: it is a replica, and these are refused.
    """
    if refused and market.kind == "replica":
        raise MarketDataError(
            f"{market.label} is generated, and --no-replica refuses that",
            hint=f"for the market's own prices: {fetch_command(market.asset) or ELSEWHERE}",
        )


def warn_of_stand_in(market: Market) -> None:
    """Say on stderr, once a command, that prices were drawn which nobody asked for."""
    if not market.stands_in:
        return
    name = market.asset.id
    lines = [
        RULE,
        f"WARNING: SYNTHETIC PRICES, NOT THE MARKET'S: {market.label}",
        f"No prices of {name} were found, so a replica was drawn: both prices and headlines are made up.",
        f"Scores on it say nothing of {name}.",
        f"  for the market's prices:        {fetch_command(market.asset) or ELSEWHERE}",
        "  to stop where there are none:   --no-replica",
        RULE,
    ]
    print("\n".join(lines), file=sys.stderr)
