import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.audit.claim import make_claim
from flagbench.audit.convention import Convention, Returns, Total, agrees, conventions, figures_of
from flagbench.audit.window import Window, windows_around
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.scoring.score import score_positions

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

CLOSES = [100.0, 100.0, 100.0, 110.0, 99.0, 120.0, 120.0, 120.0]


@pytest.fixture
def market(synthetic_market: "MarketFactory") -> Market:
    return synthetic_market(CLOSES)


def period(market: Market, first: int, last: int) -> Period:
    return Period.of(market.dates[first].item(), market.dates[last].item())


def way(window: Window, returns: Returns, total: Total) -> Convention:
    return Convention(window, returns, total, 252, 252, "prices")


@pytest.mark.parametrize(
    ("returns", "total", "expected"),
    [
        ("log", "sum", math.log(1.1) + math.log(120 / 99)),
        ("log", "compounded", 1.1 * 120 / 99 - 1),
        ("simple", "sum", 0.1 + 21 / 99),
        ("simple", "compounded", 1.1 * 120 / 99 - 1),
    ],
)
def test_the_return_is_added_or_compounded(
    market: Market, returns: Returns, total: Total, expected: float
) -> None:
    window = windows_around(market, period(market, 2, 5))[0]
    figures = figures_of(way(window, returns, total), np.array([1.0, 0.0, 1.0]))
    assert float(figures.cumulative_return) == pytest.approx(expected)


def test_years_and_days_enter_where_they_are_said_to(market: Market) -> None:
    """Long on all of three days, simple returns 10 %, −10 % and 7/33, 252 for returns, 365 for volatility."""
    window = windows_around(market, period(market, 2, 5))[0]
    returns = np.array([0.1, -0.1, 7 / 33])
    own = Convention(window, "simple", "sum", 252, 365, "returns")
    figures = figures_of(own, np.ones(3))
    volatility = returns.std(ddof=1) * math.sqrt(365)
    assert float(figures.annualized_volatility) == pytest.approx(volatility)
    assert float(figures.sharpe_ratio) == pytest.approx(returns.sum() * 252 / 3 / volatility)
    over_prices = figures_of(own._replace(days="prices"), np.ones(3))
    assert float(over_prices.sharpe_ratio) == pytest.approx(returns.sum() * 252 / 4 / volatility)


def test_a_drawdown_is_measured_on_either_curve(market: Market) -> None:
    own = way(windows_around(market, period(market, 2, 5))[0], "log", "sum")
    compounded, exponential = (
        figures_of(own, np.ones(3), curve=curve) for curve in ("compounded", "exponential")
    )
    assert float(compounded.max_drawdown) == pytest.approx(-math.log(0.9))
    assert float(exponential.max_drawdown) == pytest.approx(0.1)


def test_the_first_convention_is_that_of_investorbench(market: Market) -> None:
    named = period(market, 2, 5)
    first = conventions(windows_around(market, named), periods_per_year=252)[0]
    positions = np.array([1.0, -1.0, 1.0])
    figures, scored = figures_of(first, positions), score_positions(market, named, positions).values
    assert first.is_scored
    for name in ("cumulative_return", "sharpe_ratio", "annualized_volatility", "max_drawdown"):
        assert float(getattr(figures, name)) == pytest.approx(scored[name], rel=1e-12)


def test_all_conventions_are_there_once_the_expected_ones_first(market: Market) -> None:
    ways = conventions(windows_around(market, period(market, 2, 5)), periods_per_year=365)
    assert len(ways) == len(set(ways)) == 19 * 2 * 2 * 2 * 2 * 2
    assert [ways[0].return_periods, ways[0].volatility_periods, ways[0].days] == [365, 365, "prices"]
    assert not any(way.is_shifted or way.is_mixed for way in ways[:16])
    assert ways[-1].is_shifted


def test_a_year_of_its_own_stands_beside_the_two_usual_ones(market: Market) -> None:
    ways = conventions(windows_around(market, period(market, 2, 5))[:1], periods_per_year=260)
    assert {way.return_periods for way in ways} == {252, 260, 365}


def test_many_paths_are_figured_at_once(market: Market) -> None:
    own = way(windows_around(market, period(market, 2, 5))[0], "simple", "compounded")
    paths = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    many = figures_of(own, paths)
    for index, path in enumerate(paths):
        one = figures_of(own, path)
        for both, alone in zip(many, one, strict=True):
            assert float(both[index]) == pytest.approx(float(alone), nan_ok=True)


def test_figures_agree_when_they_are_printed_alike(market: Market) -> None:
    own = way(windows_around(market, period(market, 2, 5))[0], "log", "sum")
    figures = figures_of(own, np.array([1.0, 0.0, 1.0]))
    claim = make_claim({"cr": "28.768", "sr": "0", "av": "0", "mdd": "0"}, asset="HON")
    assert agrees(claim, figures, ["cumulative_return"])
    assert not agrees(claim, figures, ["cumulative_return", "sharpe_ratio"])


def test_a_convention_reads_as_a_phrase(market: Market) -> None:
    window = windows_around(market, period(market, 2, 5))[1]
    text = str(Convention(window, "simple", "compounded", 252, 365, "returns"))
    assert text.startswith("simple returns, compounded, 252 days a year for returns and 365 for volatility, ")
    assert text.endswith("(shifted)")
