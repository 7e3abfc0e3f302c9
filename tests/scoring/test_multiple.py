import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.scoring.multiple import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20)


def test_four_by_hand() -> None:
    # In order 0.005·4, 0.01·3, 0.03·2 and 0.04·1, which is below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_tests_that_were_not_made_stay_and_do_not_count() -> None:
    first, none, second, unknown = holm([0.02, None, 0.03, math.nan])
    assert none is None
    assert unknown is not None
    assert math.isnan(unknown)
    assert [first, second] == pytest.approx([0.04, 0.04])
    assert holm([]) == []
    assert holm([None]) == [None]


def test_nothing_exceeds_one() -> None:
    assert holm([0.6, 0.9]) == [1.0, 1.0]


@given(P_VALUES)
def test_adjusted_ones_are_larger_in_the_same_order_and_bonferroni_bounds_them(values: list[float]) -> None:
    adjusted = holm(values)
    pairs = sorted(zip(values, adjusted, strict=True))
    for value, found in pairs:
        assert found is not None
        assert value <= found <= min(len(values) * value, 1.0) + 1e-12
    ordered = [found for _, found in pairs]
    assert ordered == sorted(ordered)  # type: ignore[type-var]


@given(P_VALUES)
def test_the_smallest_is_multiplied_by_the_number_of_tests(values: list[float]) -> None:
    assert min(holm(values)) == min(min(values) * len(values), 1.0)  # type: ignore[type-var]
