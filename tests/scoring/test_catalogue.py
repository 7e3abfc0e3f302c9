import math
from dataclasses import replace

import numpy as np
import pytest

from flagbench.registry import load_metrics
from flagbench.scoring import metrics
from flagbench.scoring.catalogue import METRICS
from flagbench.scoring.performance import Performance, compounded, investorbench_performance
from flagbench.scoring.score import measure

RETURNS = [0.10, -0.05, 0.02, -0.03]


def performance_of(returns: list[float], *, log_returns: bool = False, exposed: bool = True) -> Performance:
    simple = np.array(returns)
    path = compounded(simple)
    equity = np.exp(np.concatenate([[0.0], np.cumsum(simple)])) if log_returns else path
    bars = len(simple)
    return Performance(
        convention="paper" if log_returns else "standard",
        log_returns=log_returns,
        returns=simple,
        path=path,
        equity=equity,
        traded=np.full(bars, 0.5),
        cost=np.full(bars, 0.001),
        filled=np.ones(bars),
        exposed=np.full(bars, exposed),
        periods_per_year=252,
    )


def reasons(performance: Performance) -> dict[str, str]:
    return measure(performance)[1]


def test_the_names_and_their_order_are_those_of_the_json_format() -> None:
    names = [
        "cumulative_return",
        "sharpe_ratio",
        "annualized_volatility",
        "max_drawdown",
        "sortino_ratio",
        "calmar_ratio",
        "cvar_95",
        "turnover",
        "exposure",
        "trades",
        "hit_rate",
        "cost_paid",
    ]
    assert [metric.name for metric in METRICS] == names
    assert list(load_metrics())[: len(names)] == names


def test_every_metric_is_the_function_of_its_name_on_simple_returns() -> None:
    performance = performance_of(RETURNS)
    returns, equity = performance.returns, performance.equity
    values, undefined = measure(performance)
    expected = {
        "cumulative_return": metrics.cumulative_return(equity),
        "sharpe_ratio": metrics.sharpe_ratio(returns, periods_per_year=252),
        "annualized_volatility": metrics.annualized_volatility(returns, periods_per_year=252),
        "max_drawdown": metrics.max_drawdown(equity),
        "sortino_ratio": metrics.sortino_ratio(returns, periods_per_year=252),
        "calmar_ratio": metrics.calmar_ratio(equity, periods_per_year=252),
        "cvar_95": -0.05,
        "turnover": metrics.turnover(performance.traded, equity, periods_per_year=252),
        "exposure": 1.0,
        "trades": 4.0,
        "hit_rate": 0.5,
        "cost_paid": 0.004,
    }
    for name, figure in expected.items():
        assert values[name] == pytest.approx(np.asarray(figure).item(), rel=1e-13), name
    assert all(isinstance(value, float) for value in values.values())
    assert undefined == {}


def test_logarithmic_returns_are_summed_and_annualised_as_published() -> None:
    performance = performance_of(RETURNS, log_returns=True)
    values, _ = measure(performance)
    volatility = math.sqrt(0.0134 / 3 * 252)
    drawdown = 1 - 0.95 * 1.02 * 0.97
    assert values["cumulative_return"] == pytest.approx(0.04)
    assert values["annualized_volatility"] == pytest.approx(volatility)
    assert values["sharpe_ratio"] == pytest.approx(0.04 * 252 / 5 / volatility)
    assert values["max_drawdown"] == pytest.approx(drawdown)
    assert values["calmar_ratio"] == pytest.approx(0.04 * 252 / 5 / drawdown)


def test_the_drawdown_is_that_of_the_path_and_not_of_the_equity() -> None:
    performance = replace(performance_of(RETURNS), path=np.array([1.0, 0.6, 0.7, 0.9, 1.0]))
    assert measure(performance)[0]["max_drawdown"] == pytest.approx(0.4)


def test_a_window_without_a_bar_after_the_first_has_totals_only() -> None:
    values, undefined = measure(performance_of([]))
    defined = {name: value for name, value in values.items() if name not in undefined}
    assert defined == {"cumulative_return": 0, "max_drawdown": 0, "trades": 0, "cost_paid": 0}
    assert undefined == {
        "sharpe_ratio": "fewer than two returns",
        "annualized_volatility": "fewer than two returns",
        "sortino_ratio": "fewer than two returns",
        "calmar_ratio": "no bar after the first",
        "cvar_95": "no bar after the first",
        "turnover": "no bar after the first",
        "exposure": "no bar after the first",
        "hit_rate": "never held a position",
    }


def test_one_return_has_no_spread() -> None:
    assert set(reasons(performance_of([-0.01]))) == {"sharpe_ratio", "annualized_volatility", "sortino_ratio"}


def test_an_agent_that_never_held_a_position_has_no_ratios() -> None:
    values, undefined = measure(performance_of([0.0, 0.0, 0.0], exposed=False))
    assert undefined == {
        "sharpe_ratio": "never held a position",
        "sortino_ratio": "no losing bar",
        "calmar_ratio": "no drawdown",
        "hit_rate": "never held a position",
    }
    assert values["annualized_volatility"] == values["cumulative_return"] == values["exposure"] == 0


@pytest.mark.parametrize("log_returns", [False, True])
def test_returns_that_do_not_vary_have_no_sharpe_ratio(log_returns: bool) -> None:
    undefined = reasons(performance_of([-0.01] * 5, log_returns=log_returns))
    assert undefined == {"sharpe_ratio": "the returns do not vary"}


def test_returns_that_vary_by_rounding_do_not_vary() -> None:
    closes = np.power(1.001, np.arange(40.0))
    performance = investorbench_performance(closes, np.ones(39), periods_per_year=252)
    assert performance.returns.max() > performance.returns.min()
    assert reasons(performance)["sharpe_ratio"] == "the returns do not vary"


def test_a_rising_path_has_neither_losing_bar_nor_drawdown() -> None:
    undefined = reasons(performance_of([0.01, 0.02]))
    assert undefined == {"sortino_ratio": "no losing bar", "calmar_ratio": "no drawdown"}


def test_a_yearly_return_beyond_floating_point_is_named() -> None:
    undefined = reasons(replace(performance_of([99.0, -0.01]), periods_per_year=365))
    assert undefined == {"calmar_ratio": "the yearly return is too large a number"}
