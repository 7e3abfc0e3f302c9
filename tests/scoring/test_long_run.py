import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.price_file import FloatArray
from flagbench.scoring.long_run import long_run_variance


def autoregression(kept: float, *, days: int = 20_000) -> FloatArray:
    steps: FloatArray = np.random.default_rng(0).normal(size=days)
    for day in range(1, days):
        steps[day] += kept * steps[day - 1]
    centred: FloatArray = steps - steps.mean()
    return centred


@pytest.mark.parametrize("kept", [-0.5, 0.0, 0.2, 0.8])
def test_an_autoregression_has_the_variance_of_its_formula(kept: float) -> None:
    assert long_run_variance(autoregression(kept)) == pytest.approx(1 / (1 - kept) ** 2, rel=0.1)


def test_a_moving_average_has_the_variance_of_its_formula() -> None:
    steps = np.random.default_rng(1).normal(size=20_000)
    series = steps[2:] + 0.5 * steps[1:-1] + 0.5 * steps[:-2]
    assert long_run_variance(series - series.mean()) == pytest.approx(4, rel=0.1)


def test_six_days_by_hand() -> None:
    series = np.array([1.0, -1.0, 2.0, -2.0, 1.0, -1.0])
    # Σ x_t·x_{t−1} = −1 − 2 − 4 − 2 − 1 = −10 over Σ x_{t−1}² = 11.
    whitener = -10 / 11
    residuals = series[1:] - whitener * series[:-1]
    rho = residuals[1:] @ residuals[:-1] / (residuals[:-1] @ residuals[:-1])
    bandwidth = 1.3221 * (4 * rho**2 / (1 - rho) ** 4 * 5) ** 0.2
    total = residuals @ residuals / 5
    for lag in range(1, 5):
        x = lag / bandwidth
        angle = 6 * math.pi * x / 5
        weight = 25 / (12 * math.pi**2 * x**2) * (math.sin(angle) / angle - math.cos(angle))
        total += 2 * weight * (residuals[lag:] @ residuals[:-lag]) / 5
    assert long_run_variance(series) == pytest.approx(total / (1 - whitener) ** 2, rel=1e-12)


@given(st.lists(st.integers(-100, 100), min_size=3, max_size=60))
def test_it_is_never_negative_and_scales_with_the_square(values: list[int]) -> None:
    series = np.array(values) - np.mean(values)
    found = long_run_variance(series)
    assert found >= 0
    assert math.isfinite(found)
    assert long_run_variance(3 * series) == pytest.approx(9 * found, rel=1e-6, abs=1e-9)
