"""Walking forward: consecutive test windows through a market, each with the bars before it to train on."""

from datetime import date
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from flagbench.errors import MarketDataError
from flagbench.market.asset import Windows
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray
from flagbench.market.replica import ReplicaSpec
from flagbench.settings import Settings


class WalkForward(Settings):
    """How test windows follow each other."""

    train_bars: Annotated[int, Field(ge=2)]
    """Bars before a test window that an agent is trained on, anew for each."""
    test_bars: Annotated[int, Field(ge=2)]
    """Bars of a test window; the next begins on the bar after its last."""
    first: date
    """No test window begins earlier."""
    min_windows: Annotated[int, Field(ge=1)]
    """A market with room for fewer is refused."""
    max_windows: Annotated[int, Field(ge=1)]
    """Where more fit, the earliest are used."""

    @model_validator(mode="after")
    def _some_number_is_allowed(self) -> Self:
        if self.max_windows < self.min_windows:
            raise ValueError(f"max_windows lies below min_windows, {self.min_windows}")
        return self

    def replica(self) -> ReplicaSpec:
        """The shortest replica that has room for all windows that are needed."""
        return ReplicaSpec(train=self.train_bars, test=self.min_windows * self.test_bars)


def consecutive_windows(dates: DateArray, rule: WalkForward, *, lookback: int) -> tuple[Windows, ...]:
    """All pairs of windows that a rule asks for, oldest first; they depend on nothing but the dates.

    The first test window begins on the first bar that is not before `rule.first` and has before it the
    training bars and what the first training observation looks back on.

    Args:
        dates: (n,) of a market's bars.
        rule: sizes and numbers.
        lookback: bars in an observation.

    Returns:
        at most `rule.max_windows`; none where none fits.
    """
    needed = rule.train_bars + lookback - 1
    begin = max(int(np.searchsorted(dates, np.datetime64(rule.first, "D"))), needed)
    fitting = max(len(dates) - begin, 0) // rule.test_bars
    days = dates.tolist()
    starts = [begin + number * rule.test_bars for number in range(min(fitting, rule.max_windows))]
    return tuple(
        Windows(
            train=Period(days[start - rule.train_bars], days[start - 1]),
            test=Period(days[start], days[start + rule.test_bars - 1]),
        )
        for start in starts
    )


def market_windows(market: Market, rule: WalkForward, *, lookback: int) -> tuple[Windows, ...]:
    """The windows of a market.

    Raises:
        MarketDataError: it has room for fewer than `rule.min_windows`.
    """
    windows = consecutive_windows(market.dates, rule, lookback=lookback)
    if len(windows) < rule.min_windows:
        before = rule.train_bars + lookback - 1
        raise MarketDataError(
            f"{market.asset.id}: {len(windows)} test windows of {rule.test_bars} bars fit, "
            f"{rule.min_windows} are needed, none before {rule.first} and all with {before} bars before them",
            hint=f"bars go from {market.dates[0]} to {market.dates[-1]}; "
            f"{rule.replica()} draws a market that is long enough (--data)",
        )
    return windows
