from datetime import date, timedelta
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import MarketDataError
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.market.text_file import TextItem

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

# Weekdays from Wednesday, the first of January 2020: 1, 2, 3, 6, 7, 8, 9, 10, 13, 14.
CLOSES = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0]


def news(*days: str) -> tuple[TextItem, ...]:
    return tuple(TextItem(day, "news", f"on {day}, {number}") for number, day in enumerate(days))


def dates_of(items: tuple[TextItem, ...]) -> list[str]:
    return [item.date for item in items]


def test_text_of_days_without_a_session_goes_to_the_next_bar(synthetic_market: "MarketFactory") -> None:
    days = ("2020-01-02", "2020-01-03", "2020-01-03", "2020-01-04", "2020-01-05", "2020-01-06", "2020-01-07")
    market = synthetic_market(CLOSES, text=news(*days))
    assert [dates_of(market.text_of(index)) for index in range(5)] == [
        [],
        ["2020-01-02"],
        ["2020-01-03", "2020-01-03"],
        ["2020-01-04", "2020-01-05", "2020-01-06"],
        ["2020-01-07"],
    ]
    assert market.text_of(2) == market.text[1:3]


def test_the_first_bar_has_the_text_of_its_own_day_only(synthetic_market: "MarketFactory") -> None:
    market = synthetic_market(CLOSES, text=news("2019-06-01", "2019-12-31", "2020-01-01"))
    assert dates_of(market.text_of(0)) == ["2020-01-01"]


near_days = st.lists(st.dates(date(2019, 12, 25), date(2020, 1, 20)).map(str))


@given(near_days)
def test_text_is_shown_once_in_order_and_never_before_its_day(
    synthetic_market: "MarketFactory", days: list[str]
) -> None:
    market = synthetic_market(CLOSES, text=news(*days))
    shown = [market.text_of(index) for index in range(len(market.dates))]
    expected = [item for item in market.text if "2020-01-01" <= item.date <= "2020-01-14"]
    assert list(chain.from_iterable(shown)) == expected
    for index, items in enumerate(shown):
        assert all(item.date <= str(market.dates[index]) for item in items)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("2020-01-02:2020-01-07", range(1, 5)),
        ("2020-01-04:2020-01-12", range(3, 8)),  # Saturday to Sunday
        ("2020-01-01:2020-01-14", range(10)),
    ],
)
def test_a_window_holds_the_bars_of_both_its_ends(
    synthetic_market: "MarketFactory", window: str, expected: range
) -> None:
    assert synthetic_market(CLOSES).bar_range(Period.parse(window)) == expected


@pytest.mark.parametrize(
    "window", ["2019-12-31:2020-01-07", "2020-01-07:2020-01-15", "2021-01-01:2021-02-01"]
)
def test_a_window_outside_the_data_is_refused(synthetic_market: "MarketFactory", window: str) -> None:
    with pytest.raises(MarketDataError) as caught:
        synthetic_market(CLOSES).bar_range(Period.parse(window))
    assert caught.value.message == f"the window {window} lies outside the data"
    expected = "SYNTHETIC: bars go from 2020-01-01 to 2020-01-14; choose a window inside"
    assert caught.value.hint == expected


@pytest.mark.parametrize(("window", "bars"), [("2020-01-04:2020-01-05", 0), ("2020-01-03:2020-01-05", 1)])
def test_a_window_of_fewer_than_two_bars_is_refused(
    synthetic_market: "MarketFactory", window: str, bars: int
) -> None:
    with pytest.raises(MarketDataError) as caught:
        synthetic_market(CLOSES).bar_range(Period.parse(window))
    assert caught.value.message == f"the window {window} has too few bars ({bars}), two are needed"
    assert caught.value.hint == "SYNTHETIC: bars go from 2020-01-01 to 2020-01-14"


def full_market(make: "MarketFactory") -> Market:
    text = news("2020-01-03", "2020-01-04", "2020-01-06", "2020-01-14")
    return make(CLOSES, text=text, investorbench=[2 * close for close in CLOSES])


def test_a_market_cut_at_a_period_holds_nothing_later(synthetic_market: "MarketFactory") -> None:
    market = full_market(synthetic_market)
    cut = market.until(Period.parse("2020-01-02:2020-01-05"))
    assert cut.dates.tolist() == market.dates[:3].tolist()
    assert cut.bars.tolist() == market.bars[:3].tolist()
    assert cut.adjusted_close.tolist() == CLOSES[:3]
    assert cut.adjusted_bars.shape == (3, 5)
    assert cut.investorbench is not None
    assert cut.investorbench.tolist() == [20, 22, 24]
    # The period ends on a Sunday: Saturday's item belongs to Monday's bar and is gone.
    assert dates_of(cut.text) == ["2020-01-03"]
    assert (cut.sha256, cut.asset, cut.kind) == (market.sha256, market.asset, market.kind)


def test_a_market_cut_at_a_period_keeps_no_hold_of_the_whole(synthetic_market: "MarketFactory") -> None:
    cut = full_market(synthetic_market).until(Period.parse("2020-01-02:2020-01-07"))
    for array in (cut.dates, cut.bars, cut.adjusted_close, cut.investorbench, cut.adjusted_bars):
        assert array is not None
        assert array.base is None


@given(st.integers(2, 10), near_days)
def test_a_cut_shows_at_each_of_its_bars_what_the_whole_shows(
    synthetic_market: "MarketFactory", count: int, days: list[str]
) -> None:
    whole = synthetic_market(CLOSES, text=news(*days))
    last = whole.dates[count - 1].item()
    cut = whole.until(Period.of(date(2020, 1, 1), last))
    assert len(cut.dates) == count
    assert [cut.text_of(i) for i in range(count)] == [whole.text_of(i) for i in range(count)]
    assert all(item.date <= str(last) for item in cut.text)


def test_no_array_of_a_market_can_be_written(synthetic_market: "MarketFactory") -> None:
    market = full_market(synthetic_market)
    cut = market.until(Period.parse("2020-01-02:2020-01-07"))
    for shown in (market, cut):
        for array in (
            shown.dates,
            shown.bars,
            shown.adjusted_close,
            shown.investorbench,
            shown.adjusted_bars,
        ):
            assert array is not None
            with pytest.raises(ValueError, match="read-only"):
                array[0] = array[1]


def test_adjusted_bars_are_scaled_by_the_close_of_their_own_day(synthetic_market: "MarketFactory") -> None:
    plain = synthetic_market([10, 12], opens=[8, 11], volume=[5, 7])
    market = Market(**{**vars(plain), "adjusted_close": np.array([5.0, 12.0])})
    assert market.adjusted_bars.tolist() == [[4, 5, 4, 5, 5], [11, 12, 11, 12, 7]]
    assert market.bars.tolist() == [[8, 10, 8, 10, 5], [11, 12, 11, 12, 7]]


positive = st.floats(1e-6, 1e6)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=6))
def test_the_adjusted_close_stands_exactly_in_the_adjusted_bars(
    synthetic_market: "MarketFactory", pairs: list[tuple[float, float]]
) -> None:
    plain = synthetic_market([close for close, _ in pairs])
    market = Market(**{**vars(plain), "adjusted_close": np.array([adjusted for _, adjusted in pairs])})
    assert np.array_equal(market.adjusted_bars[:, 3], market.adjusted_close)
    assert market.adjusted_bars[:, 0] / market.adjusted_bars[:, 3] == pytest.approx(
        market.bars[:, 0] / market.bars[:, 3]
    )


def test_dates_without_a_session_are_no_bars(synthetic_market: "MarketFactory") -> None:
    saturday = date(2020, 1, 4)
    market = synthetic_market(CLOSES, start=str(saturday))
    assert market.dates[0].item() == saturday + timedelta(days=2)
    assert market.sha256 == content_hash(market.dates, market.bars, market.adjusted_close, None, ())
