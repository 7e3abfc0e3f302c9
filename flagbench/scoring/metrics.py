"""The arithmetic of every metric: numpy in, numpy out, float64, over the last axis.

Arrays may hold one series, (m,), or many, (…, m). Undefined is nan, never 0 and never infinite; the
reasons in words stand in `flagbench.scoring.catalogue`. Returns are fractions of a bar's opening equity
unless a docstring says logarithmic.
"""

import math

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.trading.portfolio import BoolArray


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Give above / below, nan where below is 0 or nan."""
    shape = np.broadcast_shapes(np.shape(above), np.shape(below))
    ratio: FloatArray = np.divide(above, below, out=np.full(shape, np.nan), where=np.asarray(below) != 0)
    return ratio


def is_constant(returns: FloatArray) -> BoolArray:
    """Whether returns differ by no more than the rounding of the ratios they are made of; (…,) from (…, m).

    Equity that grows by one factor every bar has returns that differ in their last bits, which is no risk.

    Args:
        returns: (…, m), m at least 1.
    """
    high, low = returns.max(axis=-1), returns.min(axis=-1)
    largest_ratio = 1 + np.maximum(np.abs(high), np.abs(low))
    constant: BoolArray = np.asarray(high - low <= 8 * np.finfo(np.float64).eps * largest_ratio)
    return constant


def standard_deviation(returns: FloatArray) -> FloatArray:
    """Sample deviation of one bar, ddof 1; nan under two returns, exactly 0 for a constant series."""
    if returns.shape[-1] < 2:
        return np.full(returns.shape[:-1], np.nan)
    deviation: FloatArray = np.where(is_constant(returns), 0.0, returns.std(axis=-1, ddof=1))
    return deviation


def cumulative_return(equity: FloatArray) -> FloatArray:
    """E_end / E_start − 1. Not annualised. Defined from one close on.

    Agrees with empyrical's `cum_returns_final` and quantstats' `comp`.
    """
    total: FloatArray = equity[..., -1] / equity[..., 0] - 1
    return total


def log_cumulative_return(returns: FloatArray) -> FloatArray:
    """Σ r of logarithmic returns. Not annualised. 0 for no returns."""
    total: FloatArray = returns.sum(axis=-1)
    return total


def annualized_volatility(returns: FloatArray, *, periods_per_year: int) -> FloatArray:
    """sd(r, ddof 1) · √P. nan under two returns, 0 for a constant series.

    Agrees with empyrical's `annual_volatility` and quantstats' `volatility`, which keep the rounding of the
    mean for a constant series.
    """
    return standard_deviation(returns) * math.sqrt(periods_per_year)


def sharpe_ratio(returns: FloatArray, *, periods_per_year: int, risk_free: float = 0.0) -> FloatArray:
    """mean(r − rf) / sd(r, ddof 1) · √P, rf a bar. nan under two returns and for a constant series.

    Source: Sharpe (1994). Agrees with empyrical's `sharpe_ratio` and quantstats' `sharpe` where defined. For
    a constant series other than zeros empyrical's is infinite and quantstats' too or, by rounding, some 1e16.
    """
    deviation = standard_deviation(returns)
    excess = returns.mean(axis=-1) - risk_free if returns.shape[-1] else np.full(returns.shape[:-1], np.nan)
    return _ratio(excess, deviation) * math.sqrt(periods_per_year)


def published_sharpe_ratio(returns: FloatArray, *, periods_per_year: int) -> FloatArray:
    """(Σ r / (n / P)) / (sd(r, ddof 1) · √P) on logarithmic returns, n = m + 1 the number of prices.

    Source: InvestorBench's evaluation code; it is `sharpe_ratio` of log returns times m / n. nan under
    two returns and for a constant series.
    """
    years = (returns.shape[-1] + 1) / periods_per_year
    return _ratio(
        returns.sum(axis=-1) / years, annualized_volatility(returns, periods_per_year=periods_per_year)
    )


def max_drawdown(path: FloatArray) -> FloatArray:
    """The largest fall from a running high, as a positive fraction of that high; 0 if it never fell.

    Agrees with empyrical's and quantstats' `max_drawdown` up to the sign, theirs being negative.

    Args:
        path: (…, n) equity, positive.
    """
    worst: FloatArray = (1 - path / np.maximum.accumulate(path, axis=-1)).max(axis=-1)
    return worst


def sortino_ratio(returns: FloatArray, *, periods_per_year: int) -> FloatArray:
    """mean(r) / √(mean(min(r, 0)²)) · √P, all days in both means, target 0. nan without a losing day.

    Source: Sortino and Price (1994). Agrees with quantstats' `sortino` and, where there is a losing day, with
    empyrical's `sortino_ratio`, which is infinite without one.
    """
    if returns.shape[-1] < 2:
        return np.full(returns.shape[:-1], np.nan)
    downside = np.sqrt((np.minimum(returns, 0) ** 2).mean(axis=-1))
    return _ratio(returns.mean(axis=-1), downside) * math.sqrt(periods_per_year)


def calmar_ratio(equity: FloatArray, *, periods_per_year: int) -> FloatArray:
    """((E_end / E_start)^{P/m} − 1) / max drawdown, m the number of returns.

    nan without a drawdown, and where the growth of few bars, over a year, is too large for a float.

    Source: Young (1991), over the whole window instead of 36 months. Agrees with empyrical's `calmar_ratio`
    and, where there is a drawdown, with quantstats' `calmar`, which divides by zero without one.
    """
    bars = equity.shape[-1] - 1
    if bars < 1:
        return np.full(equity.shape[:-1], np.nan)
    with np.errstate(over="ignore"):
        yearly = (1 + cumulative_return(equity)) ** (periods_per_year / bars) - 1
        ratio = _ratio(yearly, max_drawdown(equity))
    finite: FloatArray = np.where(np.isinf(ratio), np.nan, ratio)
    return finite


def published_calmar_ratio(returns: FloatArray, path: FloatArray, *, periods_per_year: int) -> FloatArray:
    """(Σ r / (n / P)) / max drawdown on logarithmic returns, n the number of prices. nan without a drawdown.

    Neither the paper nor InvestorBench prints one; the yearly return is that of `published_sharpe_ratio`.
    """
    years = path.shape[-1] / periods_per_year
    return _ratio(returns.sum(axis=-1) / years, max_drawdown(path))


def cvar_95(returns: FloatArray) -> FloatArray:
    """Mean of the worst ⌈0.05 · m⌉ returns, signed, of one bar. nan without returns.

    Source: Rockafellar and Uryasev (2000), the empirical form. Not annualised. Agrees with empyrical's
    `conditional_value_at_risk`. quantstats' `cvar` fits a normal distribution; its `historical` form agrees
    but counts all returns that tie with the last of the worst.
    """
    bars = returns.shape[-1]
    if bars == 0:
        return np.full(returns.shape[:-1], np.nan)
    tail = -(-bars // 20)  # in whole numbers; (1 - 0.95) · m is above 1 for m = 20
    worst: FloatArray = np.partition(returns, tail - 1, axis=-1)[..., :tail].mean(axis=-1)
    return worst


def turnover(traded: FloatArray, equity: FloatArray, *, periods_per_year: int) -> FloatArray:
    """Σ traded value, both sides, / mean equity · P / m: times a year. nan without bars.

    Args:
        traded: (…, m) value of each bar's fills.
        equity: (…, n) at every close, in the same unit.
        periods_per_year: P.
    """
    bars = traded.shape[-1]
    if bars == 0:
        return np.full(traded.shape[:-1], np.nan)
    yearly: FloatArray = _ratio(traded.sum(axis=-1), equity.mean(axis=-1)) * (periods_per_year / bars)
    return yearly


def exposure(exposed: BoolArray) -> FloatArray:
    """Share of bars with a position held at any time between the bar's two closes. nan without bars."""
    if exposed.shape[-1] == 0:
        return np.full(exposed.shape[:-1], np.nan)
    share: FloatArray = exposed.mean(axis=-1)
    return share


def trades(filled: FloatArray) -> FloatArray:
    """Number of fills, both sides."""
    count: FloatArray = filled.sum(axis=-1)
    return count


def hit_rate(returns: FloatArray, exposed: BoolArray) -> FloatArray:
    """Share of exposed bars with a return above 0. nan without an exposed bar."""
    wins = (exposed & (returns > 0)).sum(axis=-1).astype(np.float64)
    return _ratio(wins, exposed.sum(axis=-1).astype(np.float64))


def cost_paid(cost: FloatArray) -> FloatArray:
    """Σ cost of all fills, in units of the initial equity."""
    total: FloatArray = cost.sum(axis=-1)
    return total
