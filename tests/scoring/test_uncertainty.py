import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.price_file import FloatArray
from flagbench.scoring import metrics
from flagbench.scoring.performance import Performance, compounded
from flagbench.scoring.uncertainty import (
    published_sharpe_standard_error,
    sharpe_standard_error,
    uncertainty,
)

RETURNS = st.lists(st.integers(-9_000, 9_000), min_size=3, max_size=70).map(lambda r: np.array(r) / 10_000)
BARS = 500
SERIES = 4_000
# SERIES simulated ratios know their own deviation to 1 / √(2 · SERIES) = 1.1 %; four times that.
TOLERANCE = 0.045


def errors(many: FloatArray, *, periods_per_year: int = 1) -> FloatArray:
    return np.array([sharpe_standard_error(series, periods_per_year=periods_per_year) for series in many])


def normal(generator: np.random.Generator) -> FloatArray:
    """A Sharpe ratio of 1 a bar, far above any real one, so that the terms in it weigh."""
    return generator.normal(1.0, 1.0, (SERIES, BARS))


def many_small_losses(generator: np.random.Generator) -> FloatArray:
    """Skewness 2, raw kurtosis 9, Sharpe ratio 0.5 a bar."""
    return generator.exponential(1.0, (SERIES, BARS)) - 0.5


def rare_large_losses(generator: np.random.Generator) -> FloatArray:
    """Skewness -2, raw kurtosis 9, Sharpe ratio 0.5 a bar."""
    return 1.5 - generator.exponential(1.0, (SERIES, BARS))


def fat_tails(generator: np.random.Generator) -> FloatArray:
    """Laplace: skewness 0, raw kurtosis 6, Sharpe ratio 1 a bar."""
    return generator.laplace(math.sqrt(2), 1.0, (SERIES, BARS))


# Each with its variance by the formula: 1 - γ₃·SR + (γ₄ - 1)/4·SR².
POPULATIONS: list[tuple[Callable[[np.random.Generator], FloatArray], float]] = [
    (normal, 1.5),
    (many_small_losses, 0.5),
    (rare_large_losses, 2.5),
    (fat_tails, 2.25),
]


@pytest.mark.parametrize("periods_per_year", [252, 365])
def test_the_standard_error_of_four_returns_by_hand(periods_per_year: int) -> None:
    # Mean 2, deviation 2 (ddof 1), so SR 1; about the mean -1, -1, -1, 3, so variance 3 (ddof 0),
    # skewness 6 / 3^1.5 and raw kurtosis 21 / 9.
    returns = np.array([0.01, 0.01, 0.01, 0.05])
    variance = 1 - 6 / 3**1.5 + (21 / 9 - 1) / 4
    error = sharpe_standard_error(returns, periods_per_year=periods_per_year)
    assert error == pytest.approx(math.sqrt(variance / 4 * periods_per_year), rel=1e-12)


def test_the_deviation_has_ddof_1_and_the_moments_ddof_0() -> None:
    # Mean 2, variance 10 (ddof 1) or 8 (ddof 0), no skewness, raw kurtosis 108.8 / 8² = 1.7.
    returns = np.array([-2.0, 0.0, 2.0, 4.0, 6.0])
    variance = 1 + (1.7 - 1) / 4 * (2 / math.sqrt(10)) ** 2
    assert sharpe_standard_error(returns, periods_per_year=1) == pytest.approx(math.sqrt(variance / 5))


@pytest.mark.parametrize(("population", "variance"), POPULATIONS)
def test_the_standard_error_is_the_spread_of_simulated_sharpe_ratios(
    population: Callable[[np.random.Generator], FloatArray], variance: float
) -> None:
    many = population(np.random.default_rng(20_211))
    ratios = metrics.sharpe_ratio(many, periods_per_year=1)
    spread = float(ratios.std(ddof=1))
    assert spread == pytest.approx(math.sqrt(variance / BARS), rel=TOLERANCE)
    assert float(errors(many[:500]).mean()) == pytest.approx(spread, rel=TOLERANCE)


def test_the_published_standard_error_is_the_spread_of_published_ratios() -> None:
    many = np.random.default_rng(5).normal(1.0, 1.0, (SERIES, 12))
    published = metrics.published_sharpe_ratio(many, periods_per_year=252)
    usual = metrics.sharpe_ratio(many, periods_per_year=252)
    for series in many[:50]:
        ours = published_sharpe_standard_error(series, periods_per_year=252)
        assert ours == pytest.approx(sharpe_standard_error(series, periods_per_year=252) * 12 / 13)
    assert published.std() == pytest.approx(usual.std() * 12 / 13)


@pytest.mark.parametrize("sharpe", [0.0, 0.1, 0.5, 1.0])
def test_for_normal_returns_it_is_that_of_lo(sharpe: float) -> None:
    many = np.random.default_rng(7).normal(sharpe, 1.0, (200, 4_000))
    variances = errors(many) ** 2 * 4_000
    assert float(variances.mean()) == pytest.approx(1 + sharpe**2 / 2, rel=0.01)


def test_excess_kurtosis_in_its_place_would_be_far_off() -> None:
    many = np.random.default_rng(7).normal(1.0, 1.0, (200, 4_000))
    with_excess = 1 + (0 - 1) / 4
    assert float((errors(many) ** 2).mean() * 4_000) > 1.9 * with_excess


@given(returns=RETURNS, leverage=st.floats(0.01, 100))
def test_neither_leverage_nor_the_order_nor_the_sign_changes_it(returns: FloatArray, leverage: float) -> None:
    error = sharpe_standard_error(returns, periods_per_year=252)
    for other in (returns * leverage, returns[::-1], -returns):
        same = sharpe_standard_error(other, periods_per_year=252)
        # Near 0 the sum of its three terms cancels.
        assert same == pytest.approx(error, rel=1e-6, abs=1e-5, nan_ok=True)


@given(returns=RETURNS)
def test_it_is_defined_exactly_where_the_sharpe_ratio_is(returns: FloatArray) -> None:
    error = sharpe_standard_error(returns, periods_per_year=252)
    assert math.isnan(error) == np.isnan(metrics.sharpe_ratio(returns, periods_per_year=252))
    assert math.isnan(error) or 0 <= error < math.inf


@given(returns=RETURNS)
def test_it_is_annualised_by_the_root_of_the_periods(returns: FloatArray) -> None:
    a_bar = sharpe_standard_error(returns, periods_per_year=1)
    a_year = sharpe_standard_error(returns, periods_per_year=365)
    assert a_year == pytest.approx(a_bar * math.sqrt(365), nan_ok=True)


@pytest.mark.parametrize("returns", [[], [0.01], [0.02, 0.02, 0.02], [0.1] * 10, [0.0, 0.0]])
def test_without_variation_there_is_no_standard_error(returns: list[float]) -> None:
    assert math.isnan(sharpe_standard_error(np.array(returns), periods_per_year=252))
    assert math.isnan(published_sharpe_standard_error(np.array(returns), periods_per_year=252))


def test_growth_by_one_factor_has_no_standard_error() -> None:
    equity = np.power(1.001, np.arange(40.0))
    returns = equity[1:] / equity[:-1] - 1
    assert math.isnan(sharpe_standard_error(returns, periods_per_year=252))


def test_two_returns_have_the_smallest_kurtosis_there_is() -> None:
    # Skewness 0 and raw kurtosis 1 leave 1 / m.
    assert sharpe_standard_error(np.array([0.01, 0.03]), periods_per_year=2) == pytest.approx(1.0)


@pytest.mark.parametrize("bars", [3, 5, 7, 11, 20])
def test_a_variance_that_rounding_takes_below_zero_is_zero(bars: int) -> None:
    # One value but for one bar, placed so that γ₃·SR = 2, where the variance is 0 in exact arithmetic.
    share = 1 / bars
    deviation = math.sqrt(share * (1 - share))
    skewness = (1 - 2 * share) / deviation
    level = 2 / skewness * deviation * math.sqrt(bars / (bars - 1)) - share
    for scale in np.linspace(0.01, 0.05, 40):
        returns = np.full(bars, level)
        returns[0] += 1
        assert sharpe_standard_error(returns * scale, periods_per_year=252) == pytest.approx(0, abs=1e-5)


def performance(returns: FloatArray, *, log_returns: bool = False) -> Performance:
    """A path of these returns with a position all the time."""
    zeros = np.zeros(len(returns))
    equity = np.concatenate([[1.0], np.exp(np.cumsum(returns))]) if log_returns else compounded(returns)
    return Performance(
        convention="paper" if log_returns else "standard",
        log_returns=log_returns,
        returns=returns,
        path=compounded(returns),
        equity=equity,
        traded=zeros,
        cost=zeros,
        filled=zeros,
        exposed=np.ones(len(returns), dtype=np.bool_),
        periods_per_year=252,
    )


def two_series() -> FloatArray:
    steps: FloatArray = np.random.default_rng(0).normal(0.001, 0.01, (2, 80))
    return steps


def test_every_figure_lies_where_it_should() -> None:
    own, held = two_series()
    found = uncertainty(performance(own), held=held, trial_sharpes=[0.1, 0.2, 0.05])
    ratio = float(metrics.sharpe_ratio(own, periods_per_year=252))
    assert found.sharpe_ratio.low < ratio < found.sharpe_ratio.high
    assert found.cumulative_return.low < compounded(own)[-1] - 1 < found.cumulative_return.high
    assert 0 <= found.max_drawdown.low < found.max_drawdown.high < 1
    assert 0 < found.dsr < found.psr < 1
    assert (found.n_trials, found.undefined) == (3, {})
    assert found.min_track_record > 1
    assert found.against_buy_and_hold.reason is None


def test_the_published_convention_scales_all_of_the_ratio_alike() -> None:
    own, held = two_series()
    simple = uncertainty(performance(own), held=held)
    logs = uncertainty(performance(own, log_returns=True), held=held)
    for name in ("low", "high"):
        assert getattr(logs.sharpe_ratio, name) == pytest.approx(getattr(simple.sharpe_ratio, name) * 80 / 81)
    assert logs.standard_error == pytest.approx(simple.standard_error * 80 / 81)
    assert logs.against_buy_and_hold.difference == pytest.approx(
        simple.against_buy_and_hold.difference * 80 / 81
    )
    assert logs.against_buy_and_hold.p_value == simple.against_buy_and_hold.p_value
    # The sum of log returns lies in the middle of its interval.
    middle = (logs.cumulative_return.low + logs.cumulative_return.high) / 2
    assert middle == pytest.approx(own.sum())


def test_each_missing_figure_has_a_reason() -> None:
    _, held = two_series()
    falling = uncertainty(performance(held - held.mean() - 0.001), held=held)
    assert falling.undefined == {"min_track_record": "the Sharpe ratio is not above 0"}
    known = uncertainty(performance(held), held=held, trial_sharpes=[0.1, math.nan])
    assert known.undefined == {"dsr": "the Sharpe ratios of fewer than two trials are known"}
    none = uncertainty(performance(np.zeros(80)), held=held)
    assert set(none.undefined) == {*none.to_json()} - {"n_trials", "blocks"}
    two = uncertainty(performance(np.array([0.01, 0.03])), held=held[:2])
    assert set(two.undefined) == {"sharpe_ratio", "cumulative_return", "max_drawdown"}


def test_the_json_has_no_nan() -> None:
    _, held = two_series()
    for returns in (np.zeros(80), held, np.full(80, math.nan)):
        text = json.dumps(uncertainty(performance(returns), held=held).to_json(), allow_nan=False)
        assert "n_trials" in text
