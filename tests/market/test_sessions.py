from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.market.sessions import infer_exchange, sessions_between


def sessions(exchange: str, first: str, last: str) -> list[str]:
    days = sessions_between(exchange, np.datetime64(first, "D"), np.datetime64(last, "D"))
    assert days.dtype == np.dtype("datetime64[D]")
    return [str(day) for day in days]


def test_new_york_is_closed_on_weekends_and_on_the_day_kept_for_a_holiday() -> None:
    assert sessions("XNYS", "2020-07-01", "2020-07-07") == [
        "2020-07-01",
        "2020-07-02",
        "2020-07-06",  # the 4th was a Saturday, so the 3rd was kept
        "2020-07-07",
    ]


def test_a_day_that_ends_early_is_a_session() -> None:
    assert "2020-11-27" in sessions("XNYS", "2020-11-25", "2020-11-30")


def test_the_calendar_knows_closings_that_no_rule_gives() -> None:
    assert sessions("XNYS", "2001-09-10", "2001-09-17") == ["2001-09-10", "2001-09-17"]


def test_the_calendar_reaches_back_further_than_twenty_years() -> None:
    assert sessions("XNYS", "1993-01-29", "1993-02-01") == ["1993-01-29", "1993-02-01"]


@pytest.mark.parametrize("exchange", ["XNYS", "24/7"])
def test_both_ends_belong_to_the_range(exchange: str) -> None:
    assert sessions(exchange, "2020-07-01", "2020-07-01") == ["2020-07-01"]


def test_a_range_may_hold_no_session() -> None:
    assert sessions("XNYS", "2020-07-03", "2020-07-05") == []


def test_a_year_has_252_or_253_sessions_in_new_york() -> None:
    assert len(sessions("XNYS", "2019-01-01", "2019-12-31")) == 252
    assert len(sessions("XNYS", "2020-01-01", "2020-12-31")) == 253


def test_what_never_closes_has_every_day() -> None:
    assert sessions("24/7", "2020-02-28", "2020-03-01") == ["2020-02-28", "2020-02-29", "2020-03-01"]
    assert len(sessions("24/7", "2020-01-01", "2020-12-31")) == 366


some_dates = st.lists(st.dates(date(1950, 1, 1), date(2100, 1, 1)), min_size=1)


@given(some_dates)
def test_one_bar_on_a_weekend_means_that_every_day_has_one(days: list[date]) -> None:
    expected = "24/7" if any(day.isoweekday() > 5 for day in days) else "weekdays"
    assert infer_exchange(np.array(days, dtype="datetime64[D]")) == expected


@given(some_dates)
def test_bars_on_weekdays_only_mean_that_holidays_are_not_known(days: list[date]) -> None:
    moved = [day - timedelta(days=max(0, day.isoweekday() - 5)) for day in days]
    assert infer_exchange(np.array(moved, dtype="datetime64[D]")) == "weekdays"
