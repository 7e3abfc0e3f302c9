"""empyrical and quantstats beside our metrics: where they agree, and each difference a docstring names."""

import math
from collections.abc import Callable
from datetime import date
from typing import Any

import empyrical
import numpy as np
import pandas as pd
import pytest
import quantstats.stats

from flagbench.market.asset import load_asset
from flagbench.market.loading import load_market
from flagbench.market.period import Period
from flagbench.market.price_file import FloatArray
from flagbench.scoring import metrics

Ours = Callable[[FloatArray, int], FloatArray]
Theirs = Callable[["pd.Series[float]", int], float]

stats: Any = quantstats.stats  # some of it is untyped, the rest gives a number or a series

WINDOWS = {
    "warm-up": Period.of(date(2020, 7, 1), date(2020, 9, 30)),
    "test": Period.of(date(2020, 10, 1), date(2021, 5, 6)),
    "pandemic": Period.of(date(2020, 2, 3), date(2020, 6, 30)),
    "falling": Period.of(date(2022, 1, 3), date(2022, 12, 30)),
}


def dated(returns: FloatArray) -> "pd.Series[float]":
    return pd.Series(returns, index=pd.bdate_range("2020-07-01", periods=len(returns)))


def equity_of(returns: FloatArray) -> FloatArray:
    return np.concatenate([[1.0], np.cumprod(1 + returns)])


def simulated(seed: int) -> FloatArray:
    """Fat-tailed, with 2 to 400 returns and a drift of either sign; every fifth bar is flat."""
    generator = np.random.default_rng(seed)
    bars = [2, 20, 21, 63, 149, 400][seed % 6]
    returns = 0.001 * (seed % 3 - 1) + 0.015 * generator.standard_t(4, bars)
    returns[::5] = 0.0
    returns[1] = -0.01  # a losing day in every series, and with it a drawdown
    return np.asarray(returns, dtype=np.float64)


OURS: dict[str, Ours] = {
    "cumulative_return": lambda r, _: metrics.cumulative_return(equity_of(r)),
    "annualized_volatility": lambda r, p: metrics.annualized_volatility(r, periods_per_year=p),
    "sharpe_ratio": lambda r, p: metrics.sharpe_ratio(r, periods_per_year=p),
    "max_drawdown": lambda r, _: -metrics.max_drawdown(equity_of(r)),
    "sortino_ratio": lambda r, p: metrics.sortino_ratio(r, periods_per_year=p),
    "calmar_ratio": lambda r, p: metrics.calmar_ratio(equity_of(r), periods_per_year=p),
    "cvar_95": lambda r, _: metrics.cvar_95(r),
}
EMPYRICAL: dict[str, Theirs] = {
    "cumulative_return": lambda r, _: empyrical.cum_returns_final(r),
    "annualized_volatility": lambda r, p: empyrical.annual_volatility(r, annualization=p),
    "sharpe_ratio": lambda r, p: empyrical.sharpe_ratio(r, annualization=p),
    "max_drawdown": lambda r, _: empyrical.max_drawdown(r),
    "sortino_ratio": lambda r, p: empyrical.sortino_ratio(r, annualization=p),
    "calmar_ratio": lambda r, p: empyrical.calmar_ratio(r, annualization=p),
    "cvar_95": lambda r, _: empyrical.conditional_value_at_risk(r, cutoff=0.05),
}
QUANTSTATS: dict[str, Theirs] = {
    "cumulative_return": lambda r, _: stats.comp(r),
    "annualized_volatility": lambda r, p: stats.volatility(r, periods=p),
    "sharpe_ratio": lambda r, p: stats.sharpe(r, periods=p),
    "max_drawdown": lambda r, _: stats.max_drawdown(r),
    "sortino_ratio": lambda r, p: stats.sortino(r, periods=p),
    "calmar_ratio": lambda r, p: stats.calmar(r, periods=p),
    "cvar_95": lambda r, _: stats.cvar(r, method="historical"),
}
LIBRARIES = {"empyrical": EMPYRICAL, "quantstats": QUANTSTATS}


def assert_agreement(library: str, name: str, returns: FloatArray) -> None:
    for periods_per_year in (252, 365):
        ours = float(OURS[name](returns, periods_per_year))
        theirs = float(LIBRARIES[library][name](dated(returns), periods_per_year))
        assert math.isfinite(ours)
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-14), f"{name}, {periods_per_year} periods"


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_both_libraries_agree_on_simulated_returns(library: str, name: str, seed: int) -> None:
    assert_agreement(library, name, simulated(seed))


@pytest.mark.usefixtures("data_folder")
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("asset", ["TSLA", "HON"])
def test_both_libraries_agree_on_real_windows(asset: str, window: str) -> None:
    market = load_market(load_asset(asset))
    bars = market.bar_range(WINDOWS[window])
    closes = market.adjusted_close[bars.start : bars.stop]
    for library in LIBRARIES:
        for name in OURS:
            assert_agreement(library, name, closes[1:] / closes[:-1] - 1)


def test_their_drawdown_is_negative_and_ours_positive() -> None:
    returns = np.array([0.1, -0.2, 0.05])
    assert metrics.max_drawdown(equity_of(returns)) == pytest.approx(0.2)
    assert empyrical.max_drawdown(dated(returns)) == pytest.approx(-0.2)
    assert stats.max_drawdown(dated(returns)) == pytest.approx(-0.2)


def test_their_volatility_of_a_constant_series_is_rounding_and_ours_is_zero() -> None:
    constant = np.full(10, 0.01)
    assert metrics.annualized_volatility(constant, periods_per_year=252) == 0
    assert 0 < empyrical.annual_volatility(dated(constant)) < 1e-15
    assert 0 < stats.volatility(dated(constant)) < 1e-15


def test_their_sharpe_ratio_of_a_constant_series_is_infinite_or_rounding_and_ours_is_undefined() -> None:
    rounded, exact = np.full(10, 0.01), np.full(8, 0.25)  # the mean of eight quarters is exact
    for constant in (rounded, exact):
        assert np.isnan(metrics.sharpe_ratio(constant, periods_per_year=252))
        assert empyrical.sharpe_ratio(dated(constant)) == math.inf
    assert 1e15 < stats.sharpe(dated(rounded)) < 1e18
    with np.errstate(divide="ignore"):
        assert stats.sharpe(dated(exact)) == math.inf


def test_all_three_leave_the_sharpe_ratio_of_zeros_undefined() -> None:
    zeros = np.zeros(10)
    assert np.isnan(metrics.sharpe_ratio(zeros, periods_per_year=252))
    assert math.isnan(empyrical.sharpe_ratio(dated(zeros)))
    with np.errstate(invalid="ignore"):
        assert math.isnan(stats.sharpe(dated(zeros)))


def test_growth_by_one_factor_has_no_sharpe_ratio_here_and_one_of_1e14_there() -> None:
    equity = 1.001 ** np.arange(10)
    returns = equity[1:] / equity[:-1] - 1
    assert np.isnan(metrics.sharpe_ratio(returns, periods_per_year=252))
    assert empyrical.sharpe_ratio(dated(returns)) > 1e13
    assert stats.sharpe(dated(returns)) > 1e13


def test_without_a_losing_day_sortino_is_infinite_in_empyrical_only() -> None:
    rising = np.array([0.01, 0.02, 0.03])
    assert empyrical.sortino_ratio(dated(rising)) == math.inf
    assert math.isnan(stats.sortino(dated(rising)))
    assert np.isnan(metrics.sortino_ratio(rising, periods_per_year=252))


def test_without_a_drawdown_calmar_divides_by_zero_in_quantstats_only() -> None:
    rising = np.array([0.01, 0.02, 0.03])
    assert math.isnan(empyrical.calmar_ratio(dated(rising)))
    assert np.isnan(metrics.calmar_ratio(equity_of(rising), periods_per_year=252))
    with pytest.raises(ZeroDivisionError):
        stats.calmar(dated(rising))


def test_calmar_in_quantstats_counts_bars_and_not_calendar_days() -> None:
    returns = np.array([0.1, -0.2, 0.15])
    spread_out = pd.Series(returns, index=pd.date_range("2020-01-01", periods=3, freq="90D"))
    assert stats.calmar(spread_out) == stats.calmar(dated(returns))


@pytest.mark.parametrize("bars", [1, 19, 20, 21, 40, 41, 140, 141, 260, 1000])
def test_empyrical_takes_as_many_returns_into_its_cvar_as_we_do(bars: int) -> None:
    returns = np.random.default_rng(bars).permutation(np.arange(bars) / bars)
    assert metrics.cvar_95(returns) == pytest.approx(
        empyrical.conditional_value_at_risk(dated(returns)), abs=1e-15
    )


def test_the_cvar_that_quantstats_gives_by_default_is_that_of_a_normal_distribution() -> None:
    returns = np.array([-0.3, *np.linspace(0.01, 0.02, 19)])
    fitted = returns.mean() - returns.std(ddof=1) * 2.0627128075  # φ(Φ⁻¹(0.05)) / 0.05
    assert stats.cvar(dated(returns)) == pytest.approx(fitted, rel=1e-9)
    assert metrics.cvar_95(returns) == -0.3
    assert fitted > -0.2


def test_the_historical_cvar_of_quantstats_counts_all_ties_with_the_last_of_the_worst() -> None:
    returns = np.array([-0.04, -0.02, -0.02, -0.02, *np.linspace(0.01, 0.02, 36)])
    assert metrics.cvar_95(returns) == pytest.approx((-0.04 - 0.02) / 2)
    assert stats.cvar(dated(returns), method="historical") == pytest.approx((-0.04 - 3 * 0.02) / 4)
    assert empyrical.conditional_value_at_risk(dated(returns)) == pytest.approx(metrics.cvar_95(returns))
