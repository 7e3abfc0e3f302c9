import random
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import asset_names, load_asset
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.market.replica import make_replica
from flagbench.market.walk_forward import WalkForward, consecutive_windows, market_windows
from flagbench.settings import parse
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MarketFactory

DAYS = np.busday_offset("2020-01-01", np.arange(40), roll="forward").astype("datetime64[D]")


def rule(**changes: object) -> WalkForward:
    values = {"train_bars": 10, "test_bars": 5, "first": date(2020, 1, 1), "min_windows": 1, "max_windows": 9}
    return parse(WalkForward, values | changes, origin="test")


def installed() -> WalkForward:
    walk_forward = load_protocol("walk-forward").walk_forward
    assert walk_forward is not None
    return walk_forward


def test_windows_follow_each_other_from_the_first_bar_with_enough_before_it() -> None:
    windows = consecutive_windows(DAYS, rule(), lookback=3)
    # 10 training bars and 2 more for the lookback; 28 bars are left, five windows of five.
    spans = [(pair.train.first, pair.train.last, pair.test.first, pair.test.last) for pair in windows]
    days = DAYS.tolist()
    assert spans == [
        (days[start - 10], days[start - 1], days[start], days[start + 4]) for start in (12, 17, 22, 27, 32)
    ]


def test_no_test_window_begins_before_the_first_date() -> None:
    sunday = date(2020, 2, 2)
    (window, _) = consecutive_windows(DAYS, rule(first=sunday, max_windows=2), lookback=3)
    assert window.test.first == date(2020, 2, 3)


def test_where_more_fit_the_earliest_are_used() -> None:
    every = consecutive_windows(DAYS, rule(), lookback=3)
    assert consecutive_windows(DAYS, rule(max_windows=2), lookback=3) == every[:2]


def test_a_market_that_begins_or_ends_too_late_has_none() -> None:
    assert consecutive_windows(DAYS[:16], rule(), lookback=3) == ()
    assert consecutive_windows(DAYS, rule(first=date(2030, 1, 1)), lookback=3) == ()


@given(
    bars=st.integers(0, 400),
    train=st.integers(2, 60),
    test=st.integers(2, 40),
    lookback=st.integers(1, 30),
    begin=st.integers(0, 500),
    most=st.integers(1, 12),
    gaps=st.randoms(use_true_random=False),
)
def test_windows_are_consecutive_and_disjoint_and_no_training_bar_comes_later(
    *, bars: int, train: int, test: int, lookback: int, begin: int, most: int, gaps: "random.Random"
) -> None:
    steps = np.array([gaps.choice((1, 1, 1, 3)) for _ in range(bars)], dtype=np.int64)
    dates = np.datetime64("2019-01-01", "D") + np.cumsum(steps)
    first = date.fromordinal(date(2019, 1, 1).toordinal() + begin)
    asked = rule(train_bars=train, test_bars=test, first=first, max_windows=most)
    windows = consecutive_windows(dates, asked, lookback=lookback)
    place = {day: index for index, day in enumerate(dates.tolist())}
    assert len(windows) <= most
    for number, pair in enumerate(windows):
        ends = (pair.train.first, pair.train.last, pair.test.first, pair.test.last)
        learns, learnt, opens, closes = (place[day] for day in ends)
        assert learns <= learnt < opens <= closes
        assert (learnt - learns + 1, closes - opens + 1) == (train, test)
        assert opens == learnt + 1
        assert learns >= lookback - 1
        assert pair.test.first >= first
        if number:
            assert opens == place[windows[number - 1].test.last] + 1
    if windows and len(windows) < most:
        assert len(dates) - 1 - place[windows[-1].test.last] < test


def test_a_market_without_room_is_refused_with_what_it_has(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market([100.0] * 40)
    assert len(market_windows(market, rule(min_windows=5), lookback=3)) == 5
    with pytest.raises(MarketDataError) as caught:
        market_windows(market, rule(min_windows=6), lookback=3)
    assert caught.value.message == (
        "SYNTHETIC: 5 test windows of 5 bars fit, 6 are needed, none before 2020-01-01 and all with "
        "12 bars before them"
    )
    assert caught.value.hint == (
        "bars go from 2020-01-01 to 2020-02-25; "
        "replica:signal=0.2,seed=0,train=10,test=30 draws a market that is long enough (--data)"
    )


def test_fewer_at_most_than_at_least_is_no_rule() -> None:
    with pytest.raises(ConfigError, match="max_windows lies below min_windows, 3"):
        rule(min_windows=3, max_windows=2)


@pytest.mark.parametrize("name", ["TSLA", "BTC"])
def test_the_replica_of_a_rule_has_room_for_the_windows_that_are_needed(name: str) -> None:
    market = make_replica(load_asset(name), installed().replica())
    assert len(market_windows(market, installed(), lookback=20)) == installed().min_windows


def returned(market: Market, first: date, last: date) -> float:
    inside = (market.dates >= np.datetime64(first)) & (market.dates <= np.datetime64(last))
    closes = market.adjusted_close[inside]
    return float(closes[-1] / closes[0] - 1)


def test_the_protocols_windows_lie_where_the_docs_say_on_real_prices(data_folder: "Path") -> None:
    opened, falling = set(), {}
    for name in asset_names():
        market = load_market(load_asset(name), data=str(data_folder))
        windows = market_windows(market, installed(), lookback=20)
        assert len(windows) == 8
        bars = [(len(market.bar_range(pair.train)), len(market.bar_range(pair.test))) for pair in windows]
        assert bars == [(504, 126)] * 8
        assert windows[0].test.first == date(2018, 7, 2)
        opened.add((market.asset.asset_class, windows[-1].test.last))
        falling[name] = [number for number, pair in enumerate(windows) if returned(market, *pair.test) < 0]
    assert opened == {("equity", date(2022, 7, 1)), ("crypto", date(2021, 4, 4))}
    assert falling == {
        "BTC": [0, 1, 3, 4],
        "ETH": [0, 1, 3, 4],
        "HON": [0, 3, 6, 7],
        "JNJ": [3],
        "MSFT": [7],
        "NFLX": [0, 2, 5, 7],
        "SPY": [0, 3, 7],
        "TSLA": [0, 1, 5, 7],
        "UVV": [0, 2, 3, 6],
    }
