import math
from collections.abc import Callable

import numpy as np
import pytest

from flagbench.market.price_file import FloatArray
from flagbench.scoring import metrics

# Mean 0.01, squared deviations 0.0081 + 0.0036 + 0.0001 + 0.0016 = 0.0134.
RETURNS = np.array([0.10, -0.05, 0.02, -0.03])
EQUITY = np.array([1.0, 1.1, 1.045, 1.0659, 1.033923])
LOSING = np.array([-0.01, -0.03, -0.02])

exactly = pytest.approx


def test_cumulative_return_is_the_last_equity_over_the_first() -> None:
    assert metrics.cumulative_return(EQUITY) == exactly(0.033923, rel=1e-13)
    assert metrics.cumulative_return(np.array([200.0, 150.0])) == -0.25


def test_log_cumulative_return_is_the_sum() -> None:
    assert metrics.log_cumulative_return(RETURNS) == exactly(0.04, rel=1e-13)
    assert metrics.log_cumulative_return(np.array([])) == 0


def test_the_deviation_divides_by_one_less_than_the_number_of_returns() -> None:
    assert metrics.standard_deviation(RETURNS) == exactly(math.sqrt(0.0134 / 3), rel=1e-13)
    assert metrics.standard_deviation(np.array([0.0, 1.0])) == exactly(math.sqrt(0.5), rel=1e-15)


@pytest.mark.parametrize("periods_per_year", [252, 365])
def test_volatility_is_the_deviation_times_the_root_of_the_periods(periods_per_year: int) -> None:
    volatility = metrics.annualized_volatility(RETURNS, periods_per_year=periods_per_year)
    assert volatility == exactly(math.sqrt(0.0134 / 3 * periods_per_year), rel=1e-13)


@pytest.mark.parametrize("periods_per_year", [252, 365])
def test_sharpe_ratio_is_mean_over_deviation_annualised(periods_per_year: int) -> None:
    ratio = metrics.sharpe_ratio(RETURNS, periods_per_year=periods_per_year)
    assert ratio == exactly(math.sqrt(periods_per_year * 3 / 134), rel=1e-13)


def test_the_risk_free_rate_of_a_bar_is_taken_from_each_return() -> None:
    ratio = metrics.sharpe_ratio(RETURNS, periods_per_year=252, risk_free=0.03)
    assert ratio == exactly(-2 * math.sqrt(252 * 3 / 134), rel=1e-13)


def test_the_published_sharpe_ratio_counts_prices_in_the_year_and_returns_in_the_deviation() -> None:
    ratio = metrics.published_sharpe_ratio(RETURNS, periods_per_year=252)
    assert ratio == exactly((0.04 / (5 / 252)) / (math.sqrt(0.0134 / 3) * math.sqrt(252)), rel=1e-13)
    usual = metrics.sharpe_ratio(RETURNS, periods_per_year=252)
    assert ratio == exactly(float(usual) * 4 / 5, rel=1e-13)


def test_max_drawdown_is_the_largest_fall_from_a_running_high_and_positive() -> None:
    assert metrics.max_drawdown(EQUITY) == exactly(1 - 1.033923 / 1.1, rel=1e-13)
    # The lowest point, 80, is no larger a fall from its high than 60 is from 120.
    assert metrics.max_drawdown(np.array([100.0, 80.0, 120.0, 60.0, 300.0, 240.0])) == 0.5


def test_max_drawdown_depends_on_the_order() -> None:
    assert metrics.max_drawdown(np.array([1.0, 2.0, 1.0, 2.0])) == 0.5
    assert metrics.max_drawdown(np.array([2.0, 1.0, 0.5, 2.0])) == 0.75


@pytest.mark.parametrize("path", [[1.0], [1.0, 1.0], [1.0, 2.0, 2.0, 3.0]])
def test_max_drawdown_is_zero_for_a_path_that_never_falls(path: list[float]) -> None:
    assert metrics.max_drawdown(np.array(path)) == 0


def test_sortino_ratio_has_all_days_in_both_means() -> None:
    # mean(min(r, 0)²) = (0.0025 + 0.0009) / 4 = 0.00085
    ratio = metrics.sortino_ratio(RETURNS, periods_per_year=252)
    assert ratio == exactly(0.01 / math.sqrt(0.00085) * math.sqrt(252), rel=1e-13)


def test_calmar_ratio_is_the_yearly_return_over_the_drawdown() -> None:
    ratio = metrics.calmar_ratio(EQUITY, periods_per_year=252)
    assert ratio == exactly((1.033923**63 - 1) / (1 - 1.033923 / 1.1), rel=1e-12)


def test_the_published_calmar_ratio_counts_prices_in_the_year() -> None:
    ratio = metrics.published_calmar_ratio(RETURNS, EQUITY, periods_per_year=252)
    assert ratio == exactly(0.04 * 252 / 5 / (1 - 1.033923 / 1.1), rel=1e-13)


@pytest.mark.parametrize(
    ("bars", "tail"), [(1, 1), (19, 1), (20, 1), (21, 2), (40, 2), (41, 3), (140, 7), (149, 8), (260, 13)]
)
def test_cvar_is_the_mean_of_the_worst_twentieth_rounded_up(bars: int, tail: int) -> None:
    # (1 - 0.95) · m is a little above the whole number for 20, 40, 140 and 260.
    returns = np.random.default_rng(bars).permutation(np.arange(bars) - 5.0)
    assert metrics.cvar_95(returns) == exactly(-5 + (tail - 1) / 2, abs=1e-14)


def test_cvar_keeps_the_sign_of_a_gain() -> None:
    assert metrics.cvar_95(np.array([0.03, 0.01, 0.02])) == 0.01


def test_turnover_is_traded_value_over_mean_equity_a_year() -> None:
    traded, equity = np.array([1.0, 0.0, 0.5]), np.array([1.0, 1.0, 1.5, 0.5])
    assert metrics.turnover(traded, equity, periods_per_year=252) == exactly(1.5 * 252 / 3, rel=1e-13)
    assert metrics.turnover(traded, equity * 2, periods_per_year=365) == exactly(0.75 * 365 / 3, rel=1e-13)


def test_exposure_trades_and_cost_are_counts_and_sums() -> None:
    assert metrics.exposure(np.array([True, False, False, True, True])) == exactly(0.6)
    assert metrics.trades(np.array([1.0, 0.0, 2.0])) == 3
    assert metrics.cost_paid(np.array([0.001, 0.0, 0.0015])) == exactly(0.0025)
    assert metrics.trades(np.array([])) == metrics.cost_paid(np.array([])) == 0


def test_hit_rate_looks_at_exposed_bars_only_and_zero_is_no_hit() -> None:
    returns = np.array([0.01, 0.02, 0.0, -0.01, 0.03])
    exposed = np.array([True, False, True, True, True])
    assert metrics.hit_rate(returns, exposed) == 0.5


OF_RETURNS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "standard_deviation": metrics.standard_deviation,
    "annualized_volatility": lambda r: metrics.annualized_volatility(r, periods_per_year=252),
    "sharpe_ratio": lambda r: metrics.sharpe_ratio(r, periods_per_year=252),
    "published_sharpe_ratio": lambda r: metrics.published_sharpe_ratio(r, periods_per_year=252),
    "sortino_ratio": lambda r: metrics.sortino_ratio(r, periods_per_year=252),
    "cvar_95": metrics.cvar_95,
    "log_cumulative_return": metrics.log_cumulative_return,
    "exposure": lambda r: metrics.exposure(r > 0),
    "hit_rate": lambda r: metrics.hit_rate(r, r != 0),
    "trades": metrics.trades,
    "cost_paid": metrics.cost_paid,
    "turnover": lambda r: metrics.turnover(np.abs(r), _equity(r), periods_per_year=252),
    "cumulative_return": lambda r: metrics.cumulative_return(_equity(r)),
    "max_drawdown": lambda r: metrics.max_drawdown(_equity(r)),
    "calmar_ratio": lambda r: metrics.calmar_ratio(_equity(r), periods_per_year=252),
    "published_calmar_ratio": lambda r: metrics.published_calmar_ratio(r, _equity(r), periods_per_year=252),
}


def _equity(returns: FloatArray) -> FloatArray:
    ones = np.ones((*returns.shape[:-1], 1))
    return np.concatenate([ones, np.cumprod(1 + returns, axis=-1)], axis=-1)


@pytest.mark.parametrize("name", OF_RETURNS)
@pytest.mark.parametrize("bars", [0, 1, 2, 47])
def test_many_series_give_what_each_gives_alone(name: str, bars: int) -> None:
    many = np.random.default_rng(3).normal(0.001, 0.02, size=(2, 4, bars))
    many[0, 0] = 0.0  # a constant series among the others
    many[0, 1] = np.abs(many[0, 1]) + 0.01  # no losing bar, no drawdown
    together = np.asarray(OF_RETURNS[name](many))
    assert together.shape == (2, 4)
    alone = [[float(OF_RETURNS[name](series)) for series in row] for row in many]
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("bars", [0, 1])
@pytest.mark.parametrize(
    "name", ["annualized_volatility", "sharpe_ratio", "published_sharpe_ratio", "sortino_ratio"]
)
def test_figures_of_spread_need_two_returns(name: str, bars: int) -> None:
    assert np.isnan(OF_RETURNS[name](np.full(bars, -0.01)))


@pytest.mark.parametrize("name", ["cvar_95", "exposure", "hit_rate", "turnover", "calmar_ratio"])
def test_figures_of_bars_need_one_bar(name: str) -> None:
    assert np.isnan(OF_RETURNS[name](np.array([])))


@pytest.mark.parametrize("value", [0.0, 0.1, -0.003, 1e-9])
def test_a_constant_series_has_no_volatility_and_no_sharpe_ratio(value: float) -> None:
    returns = np.full(7, value)
    assert OF_RETURNS["annualized_volatility"](returns) == 0
    assert np.isnan(OF_RETURNS["sharpe_ratio"](returns))
    assert np.isnan(OF_RETURNS["published_sharpe_ratio"](returns))


@pytest.mark.parametrize("logarithmic", [False, True])
@pytest.mark.parametrize(("factor", "unit"), [(1.001, 1.0), (1.001, 3.7), (0.97, 100_000.0), (1.5, 0.1)])
def test_growth_by_one_factor_is_constant_although_its_returns_differ_by_rounding(
    factor: float, unit: float, logarithmic: bool
) -> None:
    equity = unit * factor ** np.arange(60)
    returns = np.log(equity[1:] / equity[:-1]) if logarithmic else equity[1:] / equity[:-1] - 1
    assert returns.max() > returns.min()
    assert OF_RETURNS["annualized_volatility"](returns) == 0
    assert np.isnan(OF_RETURNS["sharpe_ratio"](returns))


def test_a_small_but_real_variation_is_no_constant() -> None:
    assert not metrics.is_constant(np.array([0.01, 0.01 + 1e-13]))
    assert OF_RETURNS["sharpe_ratio"](np.array([0.0, 1e-12])) == exactly(math.sqrt(252 / 2), rel=1e-9)


def test_ratios_without_their_divisor_are_undefined_and_not_infinite() -> None:
    rising = np.array([0.01, 0.02, 0.0])
    assert np.isnan(OF_RETURNS["sortino_ratio"](rising))
    assert np.isnan(OF_RETURNS["calmar_ratio"](rising))
    assert np.isnan(OF_RETURNS["published_calmar_ratio"](rising))
    assert np.isnan(metrics.hit_rate(rising, np.zeros(3, dtype=np.bool_)))


def test_a_yearly_return_too_large_for_a_float_is_undefined_and_not_infinite() -> None:
    huge = np.array([1.0, 100.0, 99.0])
    assert np.isfinite(metrics.calmar_ratio(huge, periods_per_year=252))
    assert np.isnan(metrics.calmar_ratio(huge, periods_per_year=365))
    # The yearly return is a float, its ratio to the smallest drawdown is not.
    assert np.isnan(metrics.calmar_ratio(np.array([1.0, 300.0, 300.0 - 1e-12]), periods_per_year=248))


def test_an_all_losing_series_has_every_figure() -> None:
    for name, compute in OF_RETURNS.items():
        assert np.isfinite(compute(LOSING)), name
    assert OF_RETURNS["hit_rate"](LOSING) == 0


@pytest.mark.parametrize("shape", [(), (3,), (4, 30)])  # the last are enough to go bar by bar
def test_all_figures_at_once_are_those_of_the_functions(shape: tuple[int, ...]) -> None:
    many = np.random.default_rng(5).normal(0.001, 0.02, size=(*shape, 47))
    if shape:
        many[0] = 0.0  # no variation, no losing bar, no drawdown
        many[-1] = np.abs(many[-1])  # every bar a new high
    found = metrics.figures(many, periods_per_year=252)
    assert len(found) == 7
    for name, figure in found.items():
        assert figure.shape == shape
        np.testing.assert_allclose(figure, OF_RETURNS[name](many), rtol=1e-12, atol=1e-15, err_msg=name)


def test_all_figures_at_once_leave_the_returns_as_they_were() -> None:
    metrics.figures(RETURNS, periods_per_year=252)
    assert RETURNS.tolist() == [0.10, -0.05, 0.02, -0.03]
