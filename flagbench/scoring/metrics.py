"""The arithmetic of every metric: numpy in, numpy out, float64, over the last axis.

Arrays may hold one series, (m,), or many, (…, m). Undefined is nan, never 0 and never infinite; the
reasons in words stand in `flagbench.scoring.catalogue`. Returns are fractions of a bar's opening equity
unless a docstring says logarithmic.
"""

import math

import numpy as np

from flagbench.market.price_file import FloatArray
from flagbench.scoring.performance import compounded
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
    return _is_rounding(returns.min(axis=-1), returns.max(axis=-1))


def _is_rounding(low: FloatArray, high: FloatArray) -> BoolArray:
    largest_ratio = 1 + np.maximum(np.abs(high), np.abs(low))
    constant: BoolArray = np.asarray(high - low <= 8 * np.finfo(np.float64).eps * largest_ratio)
    return constant


def mean(returns: FloatArray) -> FloatArray:
    """Mean of one bar; nan without returns."""
    if returns.shape[-1] == 0:
        return np.full(returns.shape[:-1], np.nan)
    average: FloatArray = returns.mean(axis=-1)
    return average


def standard_deviation(returns: FloatArray) -> FloatArray:
    """Sample deviation of one bar, ddof 1; nan under two returns, exactly 0 for a constant series."""
    if returns.shape[-1] < 2:
        return np.full(returns.shape[:-1], np.nan)
    centred = returns - mean(returns)[..., np.newaxis]
    return np.where(is_constant(returns), 0.0, _root_of_squares(centred, returns.shape[-1] - 1))


def downside_deviation(returns: FloatArray) -> FloatArray:
    """√(mean(min(r, 0)²)) of one bar, all days in the mean, target 0; nan under two returns."""
    if returns.shape[-1] < 2:
        return np.full(returns.shape[:-1], np.nan)
    return _root_of_squares(np.minimum(returns, 0), returns.shape[-1])


def _root_of_squares(values: FloatArray, count: int) -> FloatArray:
    root: FloatArray = np.sqrt(np.vecdot(values, values) / count)
    return root


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
    return _ratio(mean(returns) - risk_free, standard_deviation(returns)) * math.sqrt(periods_per_year)


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
    worst: FloatArray = 1 - (path / np.maximum.accumulate(path, axis=-1)).min(axis=-1)
    return worst


def sortino_ratio(returns: FloatArray, *, periods_per_year: int) -> FloatArray:
    """mean(r) / √(mean(min(r, 0)²)) · √P, all days in both means, target 0. nan without a losing day.

    Source: Sortino and Price (1994). Agrees with quantstats' `sortino` and, where there is a losing day, with
    empyrical's `sortino_ratio`, which is infinite without one.
    """
    return _ratio(mean(returns), downside_deviation(returns)) * math.sqrt(periods_per_year)


def calmar_ratio(equity: FloatArray, *, periods_per_year: int) -> FloatArray:
    """((E_end / E_start)^{P/m} − 1) / max drawdown, m the number of returns.

    nan without a drawdown, and where the growth of few bars, over a year, is too large for a float.

    Source: Young (1991), over the whole window instead of 36 months. Agrees with empyrical's `calmar_ratio`
    and, where there is a drawdown, with quantstats' `calmar`, which divides by zero without one.
    """
    if equity.shape[-1] < 2:
        return np.full(equity.shape[:-1], np.nan)
    each_year = periods_per_year / (equity.shape[-1] - 1)
    return _calmar(cumulative_return(equity), max_drawdown(equity), each_year=each_year)


def _calmar(total: FloatArray, fall: FloatArray, *, each_year: float) -> FloatArray:
    with np.errstate(over="ignore"):
        ratio = _ratio((1 + total) ** each_year - 1, fall)
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
    tail = _tail(bars)
    worst: FloatArray = np.partition(returns, tail - 1, axis=-1)[..., :tail].mean(axis=-1)
    return worst


def _tail(bars: int) -> int:
    return -(-bars // 20)  # in whole numbers; (1 - 0.95) · m is above 1 for m = 20


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


MANY = 100
"""Series from which on steps over all of them, bar by bar, are quicker than a walk along each: two steps of
a microsecond against 10 ns an element."""


def figures(returns: FloatArray, *, periods_per_year: int) -> dict[str, FloatArray]:
    """Every metric that simple returns alone have, by its name in the catalogue, of all series together.

    The functions of these names give the same but for rounding. Here each thing that several of them read is
    computed once, and in one piece of memory, since many series do not fit into a cache twice.

    Args:
        returns: (…, m), m at least 2.
        periods_per_year: P.

    Returns:
        (…,) each.
    """
    bars, root = returns.shape[-1], math.sqrt(periods_per_year)
    room = np.sort(returns, axis=-1)
    constant = _is_rounding(room[..., 0], room[..., -1])
    worst: FloatArray = room[..., : _tail(bars)].mean(axis=-1)
    average = returns @ np.ones(bars) / bars
    np.subtract(returns, average[..., np.newaxis], out=room)
    deviation = np.where(constant, 0.0, _root_of_squares(room, bars - 1))
    np.minimum(returns, 0, out=room)
    downside = _root_of_squares(room, bars)
    total, fall = _end_and_fall(returns)
    return {
        "cumulative_return": total,
        "sharpe_ratio": _ratio(average, deviation) * root,
        "annualized_volatility": deviation * root,
        "max_drawdown": fall,
        "sortino_ratio": _ratio(average, downside) * root,
        "calmar_ratio": _calmar(total, fall, each_year=periods_per_year / bars),
        "cvar_95": worst,
    }


def _end_and_fall(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """`cumulative_return` and `max_drawdown` of the path from 1 with these returns; (…,) both.

    Of many series no path is built. What is left of the running high, s, needs neither the high nor the
    equity: s_t = min(1, s_{t−1} · (1 + r_t)), since a share above 1 is a new high.
    """
    if returns[..., 0].size < MANY:
        path = compounded(returns)
        return cumulative_return(path), max_drawdown(path)
    growth = np.add(np.moveaxis(returns, -1, 0), 1, order="C")
    total: FloatArray = np.multiply.reduce(growth, axis=0) - 1
    one = share = np.ones(growth.shape[1:])  # an array, since a number is made one at every step
    for bar in growth:
        np.multiply(share, bar, out=bar)
        share = np.minimum(bar, one, out=bar)
    least: FloatArray = growth.min(axis=0)
    return total, 1 - least
