import math
from statistics import NormalDist

import numpy as np
import pytest

from flagbench.market.draws import CUT, stream, student_table, to_normals, to_student, uniforms


def test_numbers_of_a_seed_and_purpose_never_change() -> None:
    numbers = uniforms(stream(7, "TSLA", "returns"), 3)
    assert numbers.tolist() == [0.14164586728218842, 0.6544292127846444, 0.548783420482572]


def test_another_seed_or_purpose_gives_other_numbers() -> None:
    first = uniforms(stream(1, "A", "B"), 1000)
    for other in (stream(2, "A", "B"), stream(1, "A", "C"), stream(1, "AB")):
        assert abs(np.corrcoef(first, uniforms(other, 1000))[0, 1]) < 0.1


def test_uniforms_lie_strictly_between_0_and_1_and_run_along_the_last_axis() -> None:
    numbers = uniforms(stream(0), 1000, 4)
    assert numbers.min() > 0
    assert numbers.max() < 1
    assert numbers.mean() == pytest.approx(0.5, abs=0.02)
    assert uniforms(stream(0), 3, 4).tolist() == numbers[:3].tolist()


def test_normals_are_the_inverse_of_the_distribution_function() -> None:
    assert to_normals(np.array([[0.5, 0.975], [0.025, 0.8413447460685429]])) == pytest.approx(
        np.array([[0, 1.959963985], [-1.959963985, 1]]), abs=1e-8
    )


# Quantiles of Student's t as statistical tables print them.
@pytest.mark.parametrize(
    ("freedom", "quantiles"),
    [
        (5, {0.9: 1.476, 0.975: 2.571, 0.99: 3.365, 0.995: 4.032, 0.9995: 6.869}),
        (10, {0.9: 1.372, 0.975: 2.228, 0.99: 2.764, 0.995: 3.169, 0.9995: 4.587}),
        (30, {0.9: 1.310, 0.975: 2.042, 0.99: 2.457, 0.995: 2.750, 0.9995: 3.646}),
    ],
)
def test_fat_tails_are_students(freedom: int, quantiles: dict[float, float]) -> None:
    normals = np.array([NormalDist().inv_cdf(share) for share in quantiles])
    scale = math.sqrt((freedom - 2) / freedom)  # of unit variance; the cut changes it a little
    assert to_student(normals, freedom) / scale == pytest.approx(list(quantiles.values()), rel=2e-3)


def test_fat_tails_are_exactly_symmetric_and_bounded() -> None:
    normals = np.linspace(0, 8, 999)
    assert (to_student(-normals, 5) == -to_student(normals, 5)).all()
    assert to_student(np.array([CUT]), 5) == to_student(np.array([8.2]), 5)
    # Student's quantile of Φ(5) is 31.85; the deviation is √(5/3).
    assert to_student(np.array([CUT]), 5).item() == pytest.approx(24.7, abs=0.1)


@pytest.mark.parametrize("freedom", [4.5, 5, 8, 30])
def test_fat_tails_have_unit_variance_and_the_kurtosis_that_is_said(freedom: float) -> None:
    normals = np.linspace(-8.5, 8.5, 200_001)
    weights = np.exp(-(normals**2) / 2)
    weights /= weights.sum()
    values = to_student(normals, freedom)
    assert (weights * values**2).sum() == pytest.approx(1, abs=1e-4)
    kurtosis = student_table(freedom).kurtosis
    assert (weights * values**4).sum() == pytest.approx(kurtosis, rel=1e-3)
    assert 3 < kurtosis < 3 + 6 / (freedom - 4)
