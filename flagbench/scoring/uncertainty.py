"""How sure a figure is. So far: the analytic standard error of the Sharpe ratio."""

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.metrics import is_constant


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
    if len(returns) < 2 or is_constant(returns):
        return float("nan")
    centred = returns - returns.mean()
    variance = (centred**2).mean()
    sharpe = returns.mean() / returns.std(ddof=1)
    skewness = (centred**3).mean() / variance**1.5
    kurtosis = (centred**4).mean() / variance**2
    # Never below 0 but for rounding: γ₄ ≥ 1 + γ₃².
    spread = max(1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2, 0.0)
    return float(np.sqrt(spread / len(returns) * periods_per_year))


def published_sharpe_standard_error(returns: FloatArray, *, periods_per_year: int) -> float:
    """Standard error of `metrics.published_sharpe_ratio`: that ratio is m / (m + 1) times the usual one."""
    bars = len(returns)
    return sharpe_standard_error(returns, periods_per_year=periods_per_year) * bars / (bars + 1)
