"""The ways in which a path's four figures may have been computed, and the figures under each of them."""

from collections.abc import Mapping, Sequence
from itertools import product, starmap
from typing import Any, Literal, NamedTuple

import numpy as np

from flagbench.audit.claim import Claim
from flagbench.audit.window import Window
from flagbench.market.price_file import FloatArray
from flagbench.scoring.metrics import (
    annualized_volatility,
    cumulative_return,
    max_drawdown,
    published_sharpe_ratio,
)

Curve = Literal["compounded", "exponential"]

CURVES: Mapping[str, tuple[Curve, ...]] = {"log": ("compounded", "exponential"), "simple": ("compounded",)}
"""Paths that a drawdown may be measured on, by the kind of returns: Π(1 + r); of log returns, e^Σr too."""

Returns = Literal["log", "simple"]
Total = Literal["sum", "compounded"]
Days = Literal["prices", "returns"]

RETURNS: tuple[Returns, ...] = ("log", "simple")
TOTALS: tuple[Total, ...] = ("sum", "compounded")
DAYS: tuple[Days, ...] = ("prices", "returns")

YEARS = (252, 365)
"""Days that a year is said to have: trading days of a stock exchange, and all days."""


class Convention(NamedTuple):
    """How figures came of positions a_t and prices p_t over a window of n prices and m = n − 1 returns r_t.

    Attributes:
        window: the prices.
        returns: r_t = a_t · ln(p_{t+1} / p_t), or a_t · (p_{t+1} / p_t − 1).
        total: the cumulative return is Σ r, or what compounding gives: Π(1 + r) − 1, of log returns e^Σr − 1.
        return_periods: P in Σ r · P / days, the yearly return in the Sharpe ratio.
        volatility_periods: P in sd(r) · √P, both as printed and in the Sharpe ratio.
        days: whether the yearly return divides by the number of prices or of returns.
    """

    window: Window
    returns: Returns
    total: Total
    return_periods: int
    volatility_periods: int
    days: Days

    @property
    def asset_returns(self) -> FloatArray:
        """(m,) of the asset itself."""
        return self.window.log_returns if self.returns == "log" else self.window.simple_returns

    def moves(self, options: Sequence[float]) -> FloatArray:
        """(K, m) what a day can return besides 0: for each position, then for entering and leaving one."""
        other = self.window.fill_returns
        own = np.outer(options, self.asset_returns)
        return np.vstack([own, np.log1p(other) if self.returns == "log" else other]) if other.size else own

    @property
    def day_count(self) -> int:
        """Days that the yearly return divides by."""
        return len(self.window.closes) - (self.days == "returns")

    @property
    def is_mixed(self) -> bool:
        """Whether returns and volatility are annualised by different years."""
        return self.return_periods != self.volatility_periods

    @property
    def is_shifted(self) -> bool:
        """Whether its window is not the named one."""
        return self.window.shift != (0, 0)

    @property
    def is_scored(self) -> bool:
        """Whether `flagbench score --scoring investorbench` has it, up to the days of a year."""
        return self.returns == "log" and self.total == "sum"

    @property
    def is_played(self) -> bool:
        """Whether it is that of a protocol, with its fills and costs."""
        return bool(self.window.fill_returns.size)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "returns": self.returns,
            "total": self.total,
            "return_periods": self.return_periods,
            "volatility_periods": self.volatility_periods,
            "days": self.days,
            "start": str(self.window.period.first),
            "end": str(self.window.period.last),
            "shift": list(self.window.shift),
        }

    def __str__(self) -> str:
        kind = {
            ("log", "sum"): "log returns, added",
            ("log", "compounded"): "log returns, compounded",
            ("simple", "sum"): "simple returns, added",
            ("simple", "compounded"): "simple returns, compounded",
        }[self.returns, self.total]
        years = f"{self.return_periods} days a year"
        if self.is_mixed:
            years = (
                f"{self.return_periods} days a year for returns and {self.volatility_periods} for volatility"
            )
        dates = f"{self.window.period.first} to {self.window.period.last}" + " (shifted)" * self.is_shifted
        return f"{kind}, {years}, over {self.day_count} {self.days}, {dates}"


class Figures(NamedTuple):
    """What paths come to, each (…) for positions of (…, m)."""

    cumulative_return: FloatArray
    sharpe_ratio: FloatArray
    annualized_volatility: FloatArray
    max_drawdown: FloatArray


def conventions(windows: Sequence[Window], *, periods_per_year: int) -> list[Convention]:
    """All of them, what a reader would expect first.

    Args:
        windows: the named one first.
        periods_per_year: of the asset's calendar; a year that figures may have beside `YEARS`.
    """
    years = tuple(dict.fromkeys((periods_per_year, *YEARS)))
    fields = product(windows, RETURNS, TOTALS, years, years, DAYS)
    return sorted(starmap(Convention, fields), key=lambda convention: _surprise(convention, periods_per_year))


def played_convention(window: Window, scoring: Literal["standard", "paper"], *, periods: int) -> Convention:
    """The one that `flagbench.scoring` has for a protocol's scores.

    Args:
        window: from `played_window`.
        scoring: the protocol's.
        periods: days a year of the asset's calendar.
    """
    if scoring == "paper":
        return Convention(window, "log", "sum", periods, periods, "prices")
    return Convention(window, "simple", "compounded", periods, periods, "returns")


def _surprise(convention: Convention, periods_per_year: int) -> tuple[int, ...]:
    """Small for what InvestorBench's code does, then for what other libraries do."""
    usual = {("log", "sum"): 0, ("simple", "compounded"): 1, ("simple", "sum"): 2, ("log", "compounded"): 2}
    return (
        sum(map(abs, convention.window.shift)),
        convention.is_mixed,
        convention.return_periods != periods_per_year,
        usual[convention.returns, convention.total],
        convention.days != ("prices" if convention.is_scored else "returns"),
    )


def figures_of(convention: Convention, positions: FloatArray, *, curve: Curve = "compounded") -> Figures:
    """The four figures of paths, through the functions that score runs.

    Args:
        convention: how they are computed.
        positions: (…, m) −1, 0 or 1.
        curve: what the drawdown is measured on.
    """
    returns: FloatArray = positions * convention.asset_returns
    sums: FloatArray = np.cumsum(returns, axis=-1)
    grown: FloatArray = np.cumprod(1 + returns, axis=-1, dtype=np.float64)
    by_sums: FloatArray = np.exp(sums)
    path = _from_one(grown if curve == "compounded" else by_sums)
    if convention.total == "sum":
        total: FloatArray = returns.sum(axis=-1)
    else:
        total = cumulative_return(_from_one(by_sums if convention.returns == "log" else grown))
    # The published ratio has one year for both, and divides by the number of prices.
    years = convention.return_periods / convention.volatility_periods
    ratio = published_sharpe_ratio(returns, periods_per_year=convention.volatility_periods)
    return Figures(
        cumulative_return=np.asarray(total),
        sharpe_ratio=ratio * years * len(convention.window.closes) / convention.day_count,
        annualized_volatility=annualized_volatility(returns, periods_per_year=convention.volatility_periods),
        max_drawdown=max_drawdown(path),
    )


def _from_one(path: FloatArray) -> FloatArray:
    return np.concatenate([np.ones((*path.shape[:-1], 1)), path], axis=-1)


def agrees(claim: Claim, figures: Figures, names: Sequence[str]) -> bool:
    """Whether the named figures of one path, printed like the claim, would be the claim's."""
    return all(getattr(claim, name).is_rounded_from(float(getattr(figures, name))) for name in names)
