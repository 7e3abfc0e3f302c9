from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ConfigError
from flagbench.market.period import Period


@pytest.mark.parametrize("text", ["2020-07-01:2020-09-30", " 2020-07-01 : 2020-09-30 "])
def test_a_period_is_read_from_two_dates(text: str) -> None:
    assert Period.parse(text) == Period(date(2020, 7, 1), date(2020, 9, 30))


@given(st.dates(), st.dates())
def test_a_period_is_read_back_from_what_it_prints(one: date, other: date) -> None:
    period = Period.of(min(one, other), max(one, other))
    assert Period.parse(str(period)) == period


@pytest.mark.parametrize(
    "text", ["", ":", "2020-07-01", "2020-07-01:", "2020-07-01:2020-02-30", "a:b", "2020-07-01:2020-08-01:x"]
)
def test_what_is_no_period_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Period.parse(text)
    assert caught.value.message == f"`{text}` is no period"
    assert caught.value.hint == "write two ISO dates: 2020-07-01:2020-09-30"


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        Period.parse("2020-09-30:2020-07-01")
    expected = "a period must not end before it begins, given 2020-09-30 to 2020-07-01"
    assert caught.value.message == expected


def test_a_period_may_be_one_day() -> None:
    assert str(Period.parse("2020-07-01:2020-07-01")) == "2020-07-01:2020-07-01"
