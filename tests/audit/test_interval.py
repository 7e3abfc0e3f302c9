import math

from flagbench.audit.interval import EVERYTHING, Interval


def test_products_of_intervals_hold_every_product() -> None:
    assert Interval(-2, 3).times(Interval(-5, 4)) == (-15, 12)
    assert Interval(1, 2).times(Interval(3, 4)) == (3, 8)


def test_what_lies_in_both_may_be_nothing() -> None:
    assert Interval(0, 2).meet(Interval(1, 3)) == (1, 2)
    assert Interval(0, 1).meet(Interval(2, 3)).is_empty
    assert not Interval(0, 1).meet(EVERYTHING).is_empty


def test_sums_shifts_and_widening_move_both_ends() -> None:
    assert Interval(0, 1).plus(Interval(2, 4)) == (2, 5)
    assert Interval(0, 1).widened(0.5) == (-0.5, 1.5)
    assert Interval(1, 4).middle == 2.5


def test_nan_lies_nowhere() -> None:
    assert not EVERYTHING.contains(math.nan)
    assert EVERYTHING.contains(7)
