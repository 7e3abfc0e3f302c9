"""How sure the figures of one performance are: everything that stands beside them in a record."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flagbench.market.price_file import FloatArray
from flagbench.scoring.paired import PairedTest, sharpe_difference_test
from flagbench.scoring.performance import Performance
from flagbench.scoring.resampled import cumulative_return_interval, max_drawdown_range
from flagbench.scoring.sharpe import (
    Interval,
    deflated_sharpe_ratio,
    min_track_record,
    moments,
    probabilistic_sharpe_ratio,
    sharpe_interval,
)


def sharpe_standard_error(returns: FloatArray, *, periods_per_year: int) -> float:
    """Standard error of the annualised Sharpe ratio of one series.

    √((1 − γ₃·SR + (γ₄ − 1)/4·SR²) / m) · √P, where SR is mean / sd(ddof 1) of one bar, γ₃ the skewness
    and γ₄ the raw kurtosis (3 for a normal series), both from moments with ddof 0, and m the number of
    returns. It holds for independent, identically distributed returns of any shape; autocorrelation and
    changing volatility make it too small.

    Source: Lo (2002) for normal returns, Mertens (2002) for the terms in γ₃ and γ₄.

    Args:
        returns: (m,).
        periods_per_year: P.

    Returns:
        nan under two returns and for a constant series.
    """
    found = moments(returns)
    return math.nan if found is None else math.sqrt(found.spread / found.bars * periods_per_year)


def published_sharpe_standard_error(returns: FloatArray, *, periods_per_year: int) -> float:
    """Standard error of `metrics.published_sharpe_ratio`: that ratio is m / (m + 1) times the usual one."""
    bars = len(returns)
    return sharpe_standard_error(returns, periods_per_year=periods_per_year) * bars / (bars + 1)


@dataclass(frozen=True, kw_only=True)
class Uncertainty:
    """What can be said of the figures of one window; see docs/statistics.md.

    Attributes:
        standard_error: analytic, of the annualised Sharpe ratio.
        sharpe_ratio: interval of the same.
        cumulative_return: interval.
        max_drawdown: resampled range, which is no confidence interval.
        psr: probability that the true Sharpe ratio is above 0.
        dsr: that it is above what the best of `n_trials` would show without skill; the former for one trial.
        n_trials: distinct trials on the window, at least 1.
        min_track_record: bars; nan where the Sharpe ratio is not above 0.
        against_buy_and_hold: paired test of the Sharpe ratio.
        undefined: the reason for each figure that is nan, by name.
    """

    standard_error: float
    sharpe_ratio: Interval
    cumulative_return: Interval
    max_drawdown: Interval
    psr: float
    dsr: float
    n_trials: int
    min_track_record: float
    against_buy_and_hold: PairedTest
    undefined: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values, None for undefined."""
        intervals = {name: getattr(self, name) for name in ("cumulative_return", "max_drawdown")}
        sharpe = self.sharpe_ratio
        return {
            "sharpe_ratio": {
                "se": plain(self.standard_error),
                "low": plain(sharpe.low),
                "high": plain(sharpe.high),
                "level": sharpe.level,
            },
            **{name: {"low": plain(each.low), "high": plain(each.high)} for name, each in intervals.items()},
            "psr": plain(self.psr),
            "dsr": plain(self.dsr),
            "n_trials": self.n_trials,
            "min_track_record": plain(self.min_track_record),
            "blocks": plain(sharpe.blocks),
        }


def plain(value: float) -> float | None:
    """The same, None for nan."""
    return None if math.isnan(value) else value


def uncertainty(
    performance: Performance, *, held: FloatArray, trial_sharpes: Sequence[float] = ()
) -> Uncertainty:
    """How sure the figures of a performance are. A pure function: its resamples are seeded.

    Args:
        performance: of m returns.
        held: (m,) returns of buy-and-hold on the same bars, by the same convention.
        trial_sharpes: of one bar, of every distinct trial on this window, nan where unknown; none for one.
    """
    returns, years = performance.returns, performance.periods_per_year
    # `metrics.published_sharpe_ratio` is m / (m + 1) times the ratio that is resampled here.
    factor = len(returns) / (len(returns) + 1) if performance.log_returns else 1.0
    standard_error = published_sharpe_standard_error if performance.log_returns else sharpe_standard_error
    found = {
        "sharpe_ratio": sharpe_interval(returns, periods_per_year=years).scaled(factor),
        "cumulative_return": cumulative_return_interval(returns, log_returns=performance.log_returns),
        "max_drawdown": max_drawdown_range(returns),
    }
    paired = sharpe_difference_test(returns, held, periods_per_year=years)
    psr = probabilistic_sharpe_ratio(returns)
    dsr = deflated_sharpe_ratio(returns, trial_sharpes=trial_sharpes)
    record = min_track_record(returns)
    undefined = {name: interval.reason for name, interval in found.items() if interval.reason}
    undefined |= _undefined_ratios(returns, psr=psr, dsr=dsr, record=record)
    return Uncertainty(
        standard_error=standard_error(returns, periods_per_year=years),
        **found,
        psr=psr,
        dsr=dsr,
        n_trials=max(len(trial_sharpes), 1),
        min_track_record=record,
        against_buy_and_hold=_scaled(paired, factor),
        undefined=undefined,
    )


def _undefined_ratios(returns: FloatArray, *, psr: float, dsr: float, record: float) -> dict[str, str]:
    ratio = "there is no Sharpe ratio" if moments(returns) is None else None
    reasons = {
        "psr": (psr, "its variance is 0"),
        "dsr": (dsr, "the Sharpe ratios of fewer than two trials are known"),
        "min_track_record": (record, "the Sharpe ratio is not above 0"),
    }
    return {name: ratio or reason for name, (value, reason) in reasons.items() if math.isnan(value)}


def _scaled(test: PairedTest, factor: float) -> PairedTest:
    """The same test of ratios `factor` times as large."""
    moved = ("difference", "se", "low", "high", "smallest_detectable")
    return test._replace(**{name: getattr(test, name) * factor for name in moved})
