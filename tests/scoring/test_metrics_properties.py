import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flagbench.market.price_file import FloatArray
from flagbench.scoring import metrics
from flagbench.trading.portfolio import BoolArray

# Steps of a basis point and prices in cents: what differs, differs by more than rounding does.
RETURNS = st.lists(st.integers(-9_000, 9_000), min_size=2, max_size=70).map(lambda r: np.array(r) / 10_000)
EQUITY = st.lists(st.integers(1, 1_000_000), min_size=2, max_size=70).map(lambda e: np.array(e) / 100)
FLAGS = st.lists(st.booleans(), min_size=1, max_size=70).map(lambda flags: np.array(flags, dtype=np.bool_))
SCALES = st.floats(1e-3, 1e6)
PERIODS = st.sampled_from([252, 365])


def returns_of(equity: FloatArray) -> FloatArray:
    simple: FloatArray = equity[1:] / equity[:-1] - 1
    return simple


def same(left: FloatArray, right: FloatArray | float, *, rel: float = 1e-9, small: float = 1e-12) -> bool:
    return bool(np.allclose(left, right, rtol=rel, atol=small, equal_nan=True))


@given(equity=EQUITY, scale=SCALES, periods=PERIODS)
def test_nothing_depends_on_the_unit_of_money(equity: FloatArray, scale: float, periods: int) -> None:
    scaled = equity * scale
    assert same(metrics.cumulative_return(scaled), metrics.cumulative_return(equity))
    assert same(metrics.max_drawdown(scaled), metrics.max_drawdown(equity))
    calmar = metrics.calmar_ratio(equity, periods_per_year=periods)
    assert same(metrics.calmar_ratio(scaled, periods_per_year=periods), calmar)
    traded = np.abs(np.diff(equity))
    turnover = metrics.turnover(traded, equity, periods_per_year=periods)
    assert same(metrics.turnover(traded * scale, scaled, periods_per_year=periods), turnover)
    before, after = returns_of(equity), returns_of(scaled)
    for ratio in (metrics.annualized_volatility, metrics.sharpe_ratio, metrics.sortino_ratio):
        assert same(ratio(after, periods_per_year=periods), ratio(before, periods_per_year=periods))
    assert same(metrics.cvar_95(after), metrics.cvar_95(before))


@given(equity=EQUITY)
def test_a_drawdown_lies_between_nothing_and_everything(equity: FloatArray) -> None:
    assert 0 <= metrics.max_drawdown(equity) < 1


@given(path=st.lists(st.floats(1e-6, 1e9), min_size=1, max_size=30))
def test_a_drawdown_is_zero_exactly_when_the_path_never_fell(path: list[float]) -> None:
    never_fell = all(later >= earlier for earlier, later in pairwise(path))
    assert (metrics.max_drawdown(np.array(path)) == 0) == never_fell


@given(equity=EQUITY, more=EQUITY)
def test_a_longer_path_never_has_a_smaller_drawdown(equity: FloatArray, more: FloatArray) -> None:
    assert metrics.max_drawdown(np.concatenate([equity, more])) >= metrics.max_drawdown(equity)


@given(returns=RETURNS, leverage=st.floats(0.01, 100), periods=PERIODS)
def test_leverage_changes_neither_sharpe_nor_sortino_and_scales_volatility(
    returns: FloatArray, leverage: float, periods: int
) -> None:
    levered = returns * leverage
    for ratio in (metrics.sharpe_ratio, metrics.published_sharpe_ratio, metrics.sortino_ratio):
        assert same(ratio(levered, periods_per_year=periods), ratio(returns, periods_per_year=periods))
    volatility = metrics.annualized_volatility(returns, periods_per_year=periods)
    assert same(metrics.annualized_volatility(levered, periods_per_year=periods), volatility * leverage)


@given(returns=RETURNS, periods=PERIODS)
def test_the_opposite_position_has_the_opposite_sharpe_ratio(returns: FloatArray, periods: int) -> None:
    for ratio in (metrics.sharpe_ratio, metrics.published_sharpe_ratio):
        assert same(ratio(-returns, periods_per_year=periods), -ratio(returns, periods_per_year=periods))


@given(returns=RETURNS)
def test_the_sharpe_ratio_is_undefined_exactly_when_returns_do_not_vary(returns: FloatArray) -> None:
    constant = returns.max() == returns.min()
    assert np.isnan(metrics.sharpe_ratio(returns, periods_per_year=252)) == constant


@given(returns=RETURNS)
def test_a_year_of_more_periods_scales_by_the_root(returns: FloatArray) -> None:
    root = math.sqrt(365 / 252)
    for figure in (metrics.annualized_volatility, metrics.sharpe_ratio, metrics.sortino_ratio):
        assert same(figure(returns, periods_per_year=365), figure(returns, periods_per_year=252) * root)


@given(returns=RETURNS, shift=st.integers(-5_000, 5_000))
def test_volatility_does_not_change_when_all_returns_shift(returns: FloatArray, shift: int) -> None:
    shifted = returns + shift / 10_000
    assert same(
        metrics.annualized_volatility(shifted, periods_per_year=252),
        metrics.annualized_volatility(returns, periods_per_year=252),
    )


@given(returns=RETURNS, shift=st.integers(-5_000, 5_000))
def test_cvar_shifts_with_the_returns(returns: FloatArray, shift: int) -> None:
    assert same(metrics.cvar_95(returns + shift / 10_000), metrics.cvar_95(returns) + shift / 10_000)


@given(returns=RETURNS)
def test_cvar_lies_between_the_worst_return_and_the_mean(returns: FloatArray) -> None:
    rounding = 1e-15
    assert returns.min() - rounding <= metrics.cvar_95(returns) <= returns.mean() + rounding


@given(returns=RETURNS, index=st.integers(0, 69), fall=st.integers(1, 500))
def test_a_worse_day_never_improves_a_figure_of_loss(returns: FloatArray, index: int, fall: int) -> None:
    worse = returns.copy()
    worse[index % len(worse)] -= fall / 10_000
    rounding = 1e-15
    assert metrics.cvar_95(worse) <= metrics.cvar_95(returns) + rounding
    assert metrics.log_cumulative_return(worse) < metrics.log_cumulative_return(returns)


@given(flags=FLAGS)
def test_exposure_is_a_share(flags: BoolArray) -> None:
    assert 0 <= metrics.exposure(flags) <= 1
    assert metrics.exposure(flags) + metrics.exposure(~flags) == pytest.approx(1)


@given(returns=RETURNS, data=st.data())
def test_hit_rate_is_a_share_of_the_exposed_bars(returns: FloatArray, data: st.DataObject) -> None:
    flags = data.draw(st.lists(st.booleans(), min_size=len(returns), max_size=len(returns)))
    exposed = np.array(flags, dtype=np.bool_)
    rate = float(metrics.hit_rate(returns, exposed))
    assert math.isnan(rate) == (not exposed.any())
    assume(exposed.any())
    assert 0 <= rate <= 1
    assert rate * exposed.sum() == pytest.approx((returns[exposed] > 0).sum())


@given(returns=RETURNS, seed=st.integers(0, 2**32 - 1))
def test_what_ignores_the_order_of_bars_ignores_it(returns: FloatArray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(returns))
    shuffled, exposed = returns[order], np.abs(returns) > 0.1
    for figure in (
        metrics.annualized_volatility,
        metrics.sharpe_ratio,
        metrics.published_sharpe_ratio,
        metrics.sortino_ratio,
    ):
        assert same(figure(shuffled, periods_per_year=252), figure(returns, periods_per_year=252))
    for total in (metrics.cvar_95, metrics.log_cumulative_return, metrics.trades, metrics.cost_paid):
        assert same(total(shuffled), total(returns))
    assert same(metrics.hit_rate(shuffled, exposed[order]), metrics.hit_rate(returns, exposed))
    assert same(metrics.exposure(exposed[order]), metrics.exposure(exposed))


@given(factors=st.lists(st.floats(0.01, 100), max_size=20), periods=PERIODS)
def test_nothing_is_ever_infinite(factors: list[float], periods: int) -> None:
    equity: FloatArray = np.cumprod(np.array([1.0, *factors]))
    returns, path = returns_of(equity), equity
    figures = [
        metrics.cumulative_return(equity),
        metrics.max_drawdown(path),
        metrics.calmar_ratio(equity, periods_per_year=periods),
        metrics.published_calmar_ratio(returns, path, periods_per_year=periods),
        metrics.turnover(np.abs(returns), equity, periods_per_year=periods),
        metrics.annualized_volatility(returns, periods_per_year=periods),
        metrics.sharpe_ratio(returns, periods_per_year=periods),
        metrics.published_sharpe_ratio(returns, periods_per_year=periods),
        metrics.sortino_ratio(returns, periods_per_year=periods),
        metrics.cvar_95(returns),
        metrics.hit_rate(returns, returns != 0),
        metrics.exposure(returns != 0),
    ]
    assert not np.isinf(figures).any()
