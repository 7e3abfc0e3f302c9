import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from flagbench.audit import programme
from flagbench.audit.programme import Programme, least_cost, least_miss


def make_programme(rows: list[list[float]], limits: list[float], *, printed: bool = True) -> Programme:
    matrix = np.array(rows, dtype=np.float64)
    return Programme(
        csr_array(matrix),
        np.array(limits, dtype=np.float64),
        np.ones(matrix.shape[1]),
        np.full(len(limits), printed),
    )


def test_the_least_cost_is_that_of_the_programme() -> None:
    """x + y ≥ 1 with x and y up to 1: the cheapest of 2x + 3y is 2."""
    found = least_cost(make_programme([[-1, -1]], [-1]), np.array([2.0, 3.0]))
    assert found == pytest.approx(2)
    assert found <= 2


def test_what_is_missed_is_counted_in_units_of_the_printed_rows() -> None:
    """x + y ≤ 2 can be, x + y ≥ 5 is missed by 3."""
    assert least_miss(make_programme([[1, 1], [-1, -1]], [2, -2])) == 0
    assert least_miss(make_programme([[-1, -1]], [-5])) == pytest.approx(3)


def test_a_miss_of_rounding_is_none() -> None:
    assert least_miss(make_programme([[-1, -1]], [-2 - 1e-9])) == 0


matrices = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.tuples(
            st.lists(st.floats(-5, 5), min_size=width, max_size=width),
            st.floats(-6, 6),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    )
)


@given(matrices, st.integers(0, 2**32 - 1))
def test_no_path_costs_less_than_the_least_cost(
    rows: list[tuple[list[float], float, bool]], seed: int
) -> None:
    """Whatever the solver says of these, also of ones that nothing fulfils."""
    made = make_programme([row for row, _, _ in rows], [limit for _, limit, _ in rows])
    cost = np.random.default_rng(seed).normal(size=len(made.upper))
    bound = least_cost(made, cost)
    matrix = made.rows.toarray()
    for path in product((0.0, 1.0), repeat=len(made.upper)):
        if (matrix @ np.array(path) <= made.limits).all():
            assert cost @ np.array(path) >= bound - 1e-12


@given(matrices)
def test_a_path_that_fulfils_all_rows_misses_nothing(rows: list[tuple[list[float], float, bool]]) -> None:
    made = make_programme([row for row, _, _ in rows], [limit for _, limit, _ in rows])
    made = made._replace(printed=np.array([printed for _, _, printed in rows]))
    matrix = made.rows.toarray()
    paths = [np.array(path) for path in product((0.0, 1.0), repeat=len(made.upper))]
    if any((matrix @ path <= made.limits).all() for path in paths):
        assert least_miss(made) == 0


def test_a_solver_that_was_stopped_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows, cost = random.normal(size=(60, 400)), random.normal(size=400)
    impossible = make_programme(rows.tolist(), [-1e4] * 60)
    hard = make_programme(rows.tolist(), list(rows.sum(axis=1) / 2))
    assert least_miss(impossible) > 0
    assert math.isfinite(least_cost(hard, cost))
    monkeypatch.setattr(programme, "LONGEST", 0.0)
    assert programme.solve(hard, cost).status == 1
    assert least_miss(impossible) == 0
    assert least_cost(hard, cost) == -math.inf
