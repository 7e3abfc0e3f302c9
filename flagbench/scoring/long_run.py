"""The variance of a mean of days that depend on each other."""

import numpy as np

from flagbench.market.price_file import FloatArray

LARGEST_COEFFICIENT = 0.97
"""Of the autoregressions. Andrews and Monahan (1992) stop there, where whitening would divide by almost 0."""


def long_run_variance(series: FloatArray) -> float:
    """Variance of √m times the mean of a series: all its autocovariances added up, never negative.

    Prewhitened by an autoregression of order one, then the quadratic spectral kernel with the bandwidth
    1.3221·(α·m)^{1/5}, α = 4ρ²/(1 − ρ)⁴ of the residuals' own autoregression, ρ its coefficient.

    Source: Andrews (1991), equations 2.7, 6.2 and 6.4; Andrews and Monahan (1992). Ledoit and Wolf (2008) use
    it for the Sharpe ratio.

    Args:
        series: (m,) of mean 0, at least three.
    """
    whitener = _coefficient(series)
    residuals = series[1:] - whitener * series[:-1]
    rho = _coefficient(residuals)
    days = len(residuals)
    covariances = np.correlate(residuals, residuals, mode="full")[days - 1 :] / days
    bandwidth = 1.3221 * (4 * rho**2 / (1 - rho) ** 4 * days) ** 0.2
    weights = _quadratic_spectral(np.arange(1.0, days), bandwidth)
    variance = covariances[0] + 2 * weights @ covariances[1:]
    return float(max(variance, 0.0) / (1 - whitener) ** 2)


def _coefficient(series: FloatArray) -> float:
    """Coefficient of a regression on the day before; 0 where there is nothing to regress on."""
    below = float(series[:-1] @ series[:-1])
    slope = float(series[1:] @ series[:-1]) / below if below > 0 else 0.0
    return min(max(slope, -LARGEST_COEFFICIENT), LARGEST_COEFFICIENT)


def _quadratic_spectral(lags: FloatArray, bandwidth: float) -> FloatArray:
    """25/(12π²x²)·(sin(6πx/5)/(6πx/5) − cos(6πx/5)) with x = lag / bandwidth; 0 without a bandwidth."""
    if bandwidth < 1e-3:  # below a thousandth of a day every weight is below 1e-6
        return np.zeros(len(lags))
    angle = 6 * np.pi / 5 * lags / bandwidth
    weights: FloatArray = 3 / angle**2 * (np.sin(angle) / angle - np.cos(angle))
    return weights
