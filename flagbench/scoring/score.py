"""The score of a window: a pure function of market, protocol and actions."""

import math
from dataclasses import dataclass
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
from flagbench.scoring.policy import PolicyShape, policy_shape
from flagbench.scoring.uncertainty import published_sharpe_standard_error, sharpe_standard_error
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.portfolio import IntArray
from flagbench.trading.prices import window_closes
from flagbench.trading.protocol import Protocol
from flagbench.trading.replay import replay


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

    def to_json(self) -> dict[str, Any]:
        """Plain values: metrics at the top, None for undefined, the rest under names of their own."""
        timing = self.shape.timing
        return {
            **{name: _plain(value) for name, value in self.values.items()},
            "trades": int(self.values["trades"]),
            "uncertainty": {"sharpe_ratio": {"se": _plain(self.sharpe_standard_error)}},
            "undefined": self.undefined,
            "policy": {
                "identical_to": self.shape.identical_to,
                "agreement_with_buy_and_hold": _plain(self.shape.agreement_with_buy_and_hold),
                "timing": {"statistic": _plain(timing.statistic), "p_value": _plain(timing.p_value)},
            },
            "redundant": self.redundant,
            "unparsed": self.unparsed,
            "scoring": self.scoring,
            "period": [str(self.period.first), str(self.period.last)],
            "bars": self.bars,
        }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else value


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


def score(market: Market, protocol: Protocol, period: Period, actions: IntArray) -> Score:
    """Score actions under a protocol.

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
    performance = paper_performance(played) if protocol.scoring == "paper" else standard_performance(played)
    shape = policy_shape(played.position, played.order_returns)
    return _score(performance, period, shape, redundant=played.redundant, unparsed=played.unparsed)


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
    return _score(performance, period, shape, redundant=int(redundant.sum()), unparsed=unparsed)


def _score(
    performance: Performance, period: Period, shape: PolicyShape, *, redundant: int, unparsed: int
) -> Score:
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
    )


def positions_of(actions: IntArray) -> FloatArray:
    """Positions 0 or 1 after each action, from flat: a SELL makes flat, a BUY long, the rest keep; (m,)."""
    positions = np.empty(len(actions))
    held = 0.0
    for index, action in enumerate(actions):
        held = {0: 0.0, 2: 1.0}.get(int(action), held)
        positions[index] = held
    return positions
