"""Markets on which nobody can earn: whoever does has seen what comes."""

from collections.abc import Callable
from typing import NamedTuple

from flagbench.leaks.chance import as_actions, wins
from flagbench.leaks.subject import Subject, Version
from flagbench.market.asset import Asset
from flagbench.market.replica import ReplicaSpec, make_replica

DEAR, CHEAP = (20, 4), (200, 20)
"""Markets, and how many may be won: of an agent that learns or has a language model, and of any other.

By chance more are won 3 times in 1,000, and 1 time in 1,000: `chance.false_alarm`.
"""

GROUP = 20
"""Markets that are drawn and written at once."""


class Placebo(NamedTuple):
    """How many placebo markets an agent won."""

    markets: int
    won: int
    limit: int


def placebo(subject: Subject, first: int, *, say: Callable[[str], None]) -> Placebo:
    """Play replicas without a signal, at no cost, each with a seed of its own.

    A replica of signal 0 is a martingale in simple returns, overnight and intraday, and its text knows
    nothing. An agent that learns is trained on each.

    Args:
        subject: the agent; its asset has `replica` params.
        first: the first market's seed.
        say: told how it goes.
    """
    markets, limit = CHEAP if subject.is_cheap else DEAR
    free = subject.protocol.model_copy(update={"cost_bps": 0.0})
    playing = subject._replace(protocol=free)
    won = 0
    for begin in range(0, markets, GROUP):
        say(f"placebo market {begin + 1} of {markets}")
        won += _group_won(playing, range(first + begin, first + min(begin + GROUP, markets)))
    return Placebo(markets, won, limit)


def can_be_drawn(asset: Asset) -> bool:
    """Whether there are replicas of an asset."""
    return asset.replica is not None


def _group_won(subject: Subject, seeds: range) -> int:
    drawn = [make_replica(subject.market.asset, ReplicaSpec(signal=0, seed=seed)) for seed in seeds]
    versions = [Version(market, seed) for market, seed in zip(drawn, seeds, strict=True)]
    outcomes = subject.play_all(versions, learns=subject.setup is not None)
    return sum(
        wins(market, subject.protocol, as_actions(outcome.actions["test"]))
        for market, outcome in zip(drawn, outcomes, strict=True)
    )
