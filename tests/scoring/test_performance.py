import math
from collections.abc import Callable

import numpy as np
import pytest

from flagbench.scoring.performance import (
    Performance,
    compounded,
    investorbench_performance,
    paper_performance,
    standard_performance,
)
from flagbench.trading.replay import Replay

OF_REPLAY = [standard_performance, paper_performance]


def replay_of(unit: float = 1.0) -> Replay:
    """Bought in the first bar, sold in the third: it rises by 10 %, falls by 20 % and rests."""
    return Replay(
        dates=np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-01-05")),
        equity=unit * np.array([200.0, 220.0, 176.0, 176.0]),
        traded=unit * np.array([180.0, 0.0, 170.0]),
        cost=unit * np.array([0.5, 0.0, 0.25]),
        filled=np.array([True, False, True]),
        exposed=np.array([True, True, False]),
        position=np.array([1.0, 1.0, 0.0]),
        order_returns=np.array([0.1, -0.2, 0.3]),
        redundant=0,
        unparsed=0,
        periods_per_year=365,
    )


def test_standard_returns_are_simple_and_the_drawdown_path_is_the_equity_curve() -> None:
    performance = standard_performance(replay_of())
    assert performance.convention == "standard"
    assert not performance.log_returns
    assert performance.returns == pytest.approx([0.1, -0.2, 0.0])
    assert performance.path == pytest.approx([1.0, 1.1, 0.88, 0.88])
    assert performance.equity == pytest.approx(performance.path)


def test_paper_returns_are_logarithmic_and_its_path_compounds_them_as_if_simple() -> None:
    performance = paper_performance(replay_of())
    up, down = math.log(1.1), math.log(0.8)
    assert performance.convention == "paper"
    assert performance.log_returns
    assert performance.returns == pytest.approx([up, down, 0.0])
    assert performance.path == pytest.approx([1.0, 1 + up, (1 + up) * (1 + down), (1 + up) * (1 + down)])
    assert performance.equity == pytest.approx([1.0, 1.1, 0.88, 0.88])


@pytest.mark.parametrize("build", OF_REPLAY)
def test_money_is_in_units_of_the_initial_equity(build: Callable[[Replay], Performance]) -> None:
    performance, in_cents = build(replay_of()), build(replay_of(unit=100.0))
    assert performance.traded == pytest.approx([0.9, 0.0, 0.85])
    assert performance.cost == pytest.approx([0.0025, 0.0, 0.00125])
    for name in ("returns", "path", "equity", "traded", "cost"):
        np.testing.assert_allclose(getattr(in_cents, name), getattr(performance, name), rtol=1e-14)


@pytest.mark.parametrize("build", OF_REPLAY)
def test_activity_and_calendar_come_from_the_replay(build: Callable[[Replay], Performance]) -> None:
    performance = build(replay_of())
    assert performance.filled.tolist() == [1.0, 0.0, 1.0]
    assert performance.exposed.tolist() == [True, True, False]
    assert performance.periods_per_year == 365


def test_investorbench_earns_the_log_return_after_each_position() -> None:
    closes, positions = np.array([100.0, 110.0, 99.0, 120.0]), np.array([1.0, -1.0, 0.0])
    performance = investorbench_performance(closes, positions, periods_per_year=252)
    up, down = math.log(1.1), -math.log(0.9)
    assert performance.convention == "investorbench"
    assert performance.log_returns
    assert performance.returns == pytest.approx([up, down, 0.0])
    assert performance.path == pytest.approx([1.0, 1 + up, (1 + up) * (1 + down), (1 + up) * (1 + down)])
    assert performance.equity == pytest.approx([1.0, 1.1, 1.1 / 0.9, 1.1 / 0.9])
    assert performance.exposed.tolist() == [True, True, False]
    assert performance.periods_per_year == 252


def test_investorbench_counts_a_reversal_as_two_fills_of_the_equity_at_the_close() -> None:
    closes, positions = np.array([100.0, 110.0, 99.0, 120.0]), np.array([1.0, -1.0, 0.0])
    performance = investorbench_performance(closes, positions, periods_per_year=252)
    assert performance.filled.tolist() == [1.0, 2.0, 1.0]
    assert performance.traded == pytest.approx([1.0, 2 * 1.1, 1.1 / 0.9])
    assert performance.cost.tolist() == [0.0, 0.0, 0.0]


def test_a_long_position_earns_under_investorbench_what_the_prices_do() -> None:
    closes = np.array([50.0, 47.0, 61.0, 60.5])
    performance = investorbench_performance(closes, np.ones(3), periods_per_year=252)
    assert performance.equity == pytest.approx(closes / 50)
    assert performance.returns.sum() == pytest.approx(math.log(60.5 / 50))


def test_compounding_begins_at_one() -> None:
    assert compounded(np.array([])).tolist() == [1.0]
    assert compounded(np.array([0.5, -0.5, 1.0])).tolist() == [1.0, 1.5, 0.75, 1.5]


@pytest.mark.parametrize("build", OF_REPLAY)
def test_building_a_performance_leaves_the_replay_as_it_was(build: Callable[[Replay], Performance]) -> None:
    replay = replay_of()
    build(replay)
    assert replay.equity.tolist() == [200.0, 220.0, 176.0, 176.0]
    assert replay.traded.tolist() == [180.0, 0.0, 170.0]
