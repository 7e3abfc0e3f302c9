"""Every metric of flagbench under its name, for all three conventions, with the reasons for nan."""

import math

from flagbench.scoring import metrics
from flagbench.scoring.metric import Metric
from flagbench.scoring.performance import Performance


def _needs_bar(performance: Performance) -> str | None:
    return None if len(performance.returns) else "no bar after the first"


def _needs_variation(performance: Performance) -> str | None:
    if len(performance.returns) < 2:
        return "fewer than two returns"
    if not performance.exposed.any():
        return "never held a position"
    return "the returns do not vary" if metrics.is_constant(performance.returns) else None


def _needs_two(performance: Performance) -> str | None:
    return None if len(performance.returns) >= 2 else "fewer than two returns"


def _needs_loss(performance: Performance) -> str | None:
    if len(performance.returns) < 2:
        return "fewer than two returns"
    # What the ratio divides by; its squares underflow before a return does.
    return None if metrics.downside_deviation(performance.returns) > 0 else "no losing bar"


def _needs_drawdown(performance: Performance) -> str | None:
    if reason := _needs_bar(performance):
        return reason
    return None if metrics.max_drawdown(performance.path) > 0 else "no drawdown"


def _needs_yearly_return(performance: Performance) -> str | None:
    if reason := _needs_drawdown(performance):
        return reason
    return "the yearly return is too large a number" if math.isnan(_calmar_ratio(performance)) else None


def _needs_exposure(performance: Performance) -> str | None:
    return None if performance.exposed.any() else "never held a position"


def _always(performance: Performance) -> str | None:  # noqa: ARG001
    return None


def _cumulative_return(performance: Performance) -> float:
    if performance.log_returns:
        return float(metrics.log_cumulative_return(performance.returns))
    return float(metrics.cumulative_return(performance.equity))


def _sharpe_ratio(performance: Performance) -> float:
    formula = metrics.published_sharpe_ratio if performance.log_returns else metrics.sharpe_ratio
    return float(formula(performance.returns, periods_per_year=performance.periods_per_year))


def _calmar_ratio(performance: Performance) -> float:
    years = performance.periods_per_year
    if performance.log_returns:
        published = metrics.published_calmar_ratio(
            performance.returns, performance.path, periods_per_year=years
        )
        return float(published)
    return float(metrics.calmar_ratio(performance.equity, periods_per_year=years))


METRICS = (
    Metric(
        name="cumulative_return",
        description="E_end / E_start − 1; Σ log returns under `paper` and `investorbench`",
        unit="fraction",
        compute=_cumulative_return,
        undefined=_always,
    ),
    Metric(
        name="sharpe_ratio",
        description="mean(r) / sd(r, ddof 1) · √P, risk-free rate 0; of log returns, times m / n",
        unit="ratio",
        compute=_sharpe_ratio,
        undefined=_needs_variation,
    ),
    Metric(
        name="annualized_volatility",
        description="sd(r, ddof 1) · √P",
        unit="fraction",
        compute=lambda p: float(
            metrics.annualized_volatility(p.returns, periods_per_year=p.periods_per_year)
        ),
        undefined=_needs_two,
    ),
    Metric(
        name="max_drawdown",
        description="largest fall from a running high, positive",
        unit="fraction",
        compute=lambda p: float(metrics.max_drawdown(p.path)),
        undefined=_always,
    ),
    Metric(
        name="sortino_ratio",
        description="mean(r) / √(mean(min(r, 0)²)) · √P",
        unit="ratio",
        compute=lambda p: float(metrics.sortino_ratio(p.returns, periods_per_year=p.periods_per_year)),
        undefined=_needs_loss,
    ),
    Metric(
        name="calmar_ratio",
        description="yearly return / max drawdown",
        unit="ratio",
        compute=_calmar_ratio,
        undefined=_needs_yearly_return,
    ),
    Metric(
        name="cvar_95",
        description="mean of the worst ⌈0.05 · m⌉ returns, signed",
        unit="fraction",
        compute=lambda p: float(metrics.cvar_95(p.returns)),
        undefined=_needs_bar,
    ),
    Metric(
        name="turnover",
        description="traded value, both sides, / mean equity, a year",
        unit="ratio",
        compute=lambda p: float(metrics.turnover(p.traded, p.equity, periods_per_year=p.periods_per_year)),
        undefined=_needs_bar,
    ),
    Metric(
        name="exposure",
        description="share of bars with a position held at any time between two closes",
        unit="fraction",
        compute=lambda p: float(metrics.exposure(p.exposed)),
        undefined=_needs_bar,
    ),
    Metric(
        name="trades",
        description="number of fills, both sides",
        unit="count",
        compute=lambda p: float(metrics.trades(p.filled)),
        undefined=_always,
    ),
    Metric(
        name="hit_rate",
        description="share of exposed bars with a return above 0",
        unit="fraction",
        compute=lambda p: float(metrics.hit_rate(p.returns, p.exposed)),
        undefined=_needs_exposure,
    ),
    Metric(
        name="cost_paid",
        description="cost of all fills, in units of the initial equity",
        unit="fraction",
        compute=lambda p: float(metrics.cost_paid(p.cost)),
        undefined=_always,
    ),
)
