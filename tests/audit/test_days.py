import math

import pytest

from flagbench.audit.claim import Claim, make_claim
from flagbench.audit.days import days_flag, implied_days, whole_days
from flagbench.audit.interval import Interval


def claim(cr: str, sr: str, av: str) -> Claim:
    return make_claim({"cr": cr, "sr": sr, "av": av, "mdd": "9.195"}, asset="HON")


def test_returns_that_are_added_imply_the_number_of_days() -> None:
    """252 · 33.256 / (2.347 · 23.967) = 148.985, known to half a unit of each last digit."""
    days = implied_days(claim("33.256", "2.347", "23.967"), 252)
    low = 252 * 33.2555 / (2.3475 * 23.9675)
    high = 252 * 33.2565 / (2.3465 * 23.9665)
    assert days == pytest.approx((low, high))
    assert list(whole_days(days)) == [149]


@pytest.mark.parametrize(("sr", "av"), [("nan", "0.000"), ("0.000", "23.967"), ("2.347", "0.000")])
def test_nothing_is_implied_where_a_divisor_may_be_zero(sr: str, av: str) -> None:
    assert math.isinf(implied_days(claim("0.000", sr, av), 252).high)


@pytest.mark.parametrize(
    ("implied", "flag"),
    [
        ([Interval(148.9, 149.1)], None),
        ([Interval(148.2, 148.9), Interval(215.1, 215.9)], "days-not-whole"),
        ([Interval(118.9, 119.1), Interval(172.2, 172.3)], "days-outside-window"),
        ([Interval(-math.inf, math.inf)], None),
        ([Interval(-149.1, -148.9)], "days-not-whole"),
    ],
)
def test_days_are_whole_and_the_windows_own(implied: list[Interval], flag: str | None) -> None:
    assert days_flag(implied, [148, 149, 150]) == flag
