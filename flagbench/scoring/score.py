"""The score of a window: a pure function of market, protocol and actions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from flagbench.errors import ConfigError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.registry import load_metrics
from flagbench.scoring.performance import (
    Performance,
    investorbench_performance,
    paper_performance,
    standard_performance,
)
from flagbench.scoring.policy import PolicyShape, buy_and_hold_actions, policy_shape
from flagbench.scoring.sharpe import sharpe_per_period
from flagbench.scoring.uncertainty import (
    Uncertainty,
    plain,
    published_sharpe_standard_error,
    sharpe_standard_error,
    uncertainty,
)
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.portfolio import IntArray
from flagbench.trading.prices import window_closes
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import Replay, replay


@dataclass(frozen=True, kw_only=True)
class Score:
    """All figures of one window.

    Attributes:
        scoring: the convention.
        period: the window.
        bars: closes in it, n.
        values: every registered metric by name; nan where undefined.
        undefined: the reason for each nan.
        sharpe_standard_error: annualised, nan where the Sharpe ratio is.
        shape: degenerate policies and the timing test.
        redundant: actions that changed nothing.
        unparsed: answers that were no action.
        performance: what all of it was computed from.
        held: (n − 1,) returns of buy-and-hold on the same bars.
        trial_sharpes: of one bar, of every distinct trial on this window; empty where none are known of.
    """

    scoring: str
    period: Period
    bars: int
    values: dict[str, float]
    undefined: dict[str, str]
    sharpe_standard_error: float
    shape: PolicyShape
    redundant: int
    unparsed: int
    performance: Performance = field(compare=False, repr=False)
    held: FloatArray = field(compare=False, repr=False)
    trial_sharpes: tuple[float, ...] = ()

    @cached_property
    def uncertainty(self) -> Uncertainty:
        """How sure the figures are; resampled when it is first asked for."""
        return uncertainty(self.performance, held=self.held, trial_sharpes=self.trial_sharpes)

    def to_json(self) -> dict[str, Any]:
        """Plain values: metrics at the top, None for undefined, the rest under names of their own."""
        timing, sure = self.shape.timing, self.uncertainty
        paired = sure.against_buy_and_hold._asdict()
        return {
            **{name: plain(value) for name, value in self.values.items()},
            "trades": int(self.values["trades"]),
            "uncertainty": sure.to_json(),
            "uncertainty_undefined": sure.undefined,
            "against_buy_and_hold": {
                name: value if name == "reason" else plain(value) for name, value in paired.items()
            },
            "undefined": self.undefined,
            "policy": {
                "identical_to": self.shape.identical_to,
                "agreement_with_buy_and_hold": plain(self.shape.agreement_with_buy_and_hold),
                "timing": {"statistic": plain(timing.statistic), "p_value": plain(timing.p_value)},
            },
            "redundant": self.redundant,
            "unparsed": self.unparsed,
            "scoring": self.scoring,
            "period": [str(self.period.first), str(self.period.last)],
            "bars": self.bars,
        }


def measure(performance: Performance) -> tuple[dict[str, float], dict[str, str]]:
    """Every registered metric of a performance, and the reason for each one that is undefined."""
    values: dict[str, float] = {}
    undefined: dict[str, str] = {}
    for name, metric in load_metrics().items():
        reason = metric.undefined(performance)
        values[name] = float("nan") if reason else metric.compute(performance)
        if reason:
            undefined[name] = reason
    return values, undefined


def played_performance(
    market: Market, protocol: Protocol, period: Period, actions: IntArray
) -> tuple[Replay, Performance]:
    """Actions played through a protocol, and what metrics read of it.

    Args:
        market: where they trade.
        protocol: fills, costs, and the convention of the figures.
        period: the window of n bars.
        actions: (n − 1,) of `Action` or `UNPARSED`.

    Raises:
        ConfigError: another number of actions than decisions.
        MarketDataError: the window lies outside the data.
    """
    played = replay(market, protocol, period, actions)
    build = paper_performance if protocol.scoring == "paper" else standard_performance
    return played, build(played)


def window_sharpe(market: Market, protocol: Protocol, period: Period, actions: IntArray) -> float:
    """Sharpe ratio of one bar, mean / sd (ddof 1), that a trial is remembered by; nan where there is none.

    Arguments and errors are those of `score`.
    """
    _, performance = played_performance(market, protocol, period, actions)
    return sharpe_per_period(performance.returns)


def score(
    market: Market,
    protocol: Protocol,
    period: Period,
    actions: IntArray,
    *,
    trial_sharpes: Sequence[float] = (),
) -> Score:
    """Score actions under a protocol.

    Args:
        market: where they trade.
        protocol: fills, costs, and the convention of the figures.
        period: the window of n bars.
        actions: (n − 1,) of `Action` or `UNPARSED`.
        trial_sharpes: of one bar, of every distinct trial on this window, this one among them, nan where
            unknown; `flagbench.records.ledger.trial_sharpes` reads them. Without any, this is the only one.

    Raises:
        ConfigError: another number of actions than decisions.
        MarketDataError: the window lies outside the data.
    """
    played, performance = played_performance(market, protocol, period, actions)
    held = buy_and_hold_actions(len(actions))
    return score_of(
        performance,
        period,
        policy_shape(played.position, played.order_returns),
        redundant=played.redundant,
        unparsed=played.unparsed,
        held=played_performance(market, protocol, period, held)[1].returns,
        trial_sharpes=trial_sharpes,
    )


def score_positions(
    market: Market, period: Period, positions: FloatArray, *, actions: IntArray | None = None
) -> Score:
    """Score positions by InvestorBench's convention: filled at the close just seen, no cost, log returns.

    Args:
        market: InvestorBench's own prices are used where they cover the window.
        period: the window of n bars.
        positions: (n − 1,) −1, 0 or 1, held after the decision at each close.
        actions: (n − 1,) that led there, if it was actions; for the counts of redundant and unparsed ones.

    Raises:
        ConfigError: another number of positions than decisions, or one that is not -1, 0 or 1.
        MarketDataError: the window lies outside the data.
    """
    closes = window_closes(market, market.bar_range(period), "investorbench")
    wrong = np.flatnonzero(~np.isin(positions, (-1, 0, 1)))
    if wrong.size:
        raise ConfigError(
            f"position {positions[wrong[0]]} of bar {wrong[0]}", hint="a position is -1, 0 or 1"
        )
    if len(positions) != len(closes) - 1:
        raise ConfigError(
            f"{len(positions)} positions for a window of {len(closes) - 1} decisions ({period})"
        )
    years = market.asset.calendar.periods_per_year
    performance = investorbench_performance(closes, positions, periods_per_year=years)
    shape = policy_shape(positions, closes[1:] / closes[:-1] - 1)
    before = np.concatenate([[0.0], positions[:-1]])
    decided = np.full(len(positions), Action.HOLD) if actions is None else np.asarray(actions)
    redundant = ((decided == Action.BUY) & (before == 1)) | ((decided == Action.SELL) & (before == 0))
    unparsed = int(np.sum(decided == UNPARSED))
    held = investorbench_performance(closes, np.ones(len(positions)), periods_per_year=years)
    return score_of(
        performance,
        period,
        shape,
        redundant=int(redundant.sum()),
        unparsed=unparsed,
        held=held.returns,
    )


def score_of(
    performance: Performance,
    period: Period,
    shape: PolicyShape,
    *,
    redundant: int,
    unparsed: int,
    held: FloatArray,
    trial_sharpes: Sequence[float] = (),
) -> Score:
    """The figures of a performance, whatever it was built from.

    Args:
        performance: returns, equity path and activity.
        period: what it covers.
        shape: what its positions amount to.
        redundant: actions that changed nothing.
        unparsed: answers that were no action.
        held: (m,) returns of buy-and-hold on the same bars, by the same convention.
        trial_sharpes: as `score` takes them.
    """
    values, undefined = measure(performance)
    error = published_sharpe_standard_error if performance.log_returns else sharpe_standard_error
    return Score(
        scoring=performance.convention,
        period=period,
        bars=len(performance.path),
        values=values,
        undefined=undefined,
        sharpe_standard_error=error(performance.returns, periods_per_year=performance.periods_per_year),
        shape=shape,
        redundant=redundant,
        unparsed=unparsed,
        performance=performance,
        held=held,
        trial_sharpes=tuple(trial_sharpes),
    )


def positions_of(actions: IntArray) -> FloatArray:
    """Positions 0 or 1 after each action, from flat: a SELL makes flat, a BUY long, the rest keep; (m,)."""
    positions = np.empty(len(actions))
    held = 0.0
    for index, action in enumerate(actions):
        held = {0: 0.0, 2: 1.0}.get(int(action), held)
        positions[index] = held
    return positions
