"""Hand-computed p-values, and simulations: 300 in every run of the tests, 2,000 among the slow ones."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from flagbench.knowledge.cluster_tests import (
    bootstrap_interval,
    mcnemar_p_value,
    sign_flip_p_value,
    smallest_detectable_difference,
)
from flagbench.trading.portfolio import IntArray

CHANGES = st.lists(st.integers(-4, 4), min_size=1, max_size=12)
COUNTS = st.integers(0, 60)
many = pytest.mark.parametrize("simulations", [300, pytest.param(2000, marks=pytest.mark.slow)])
# Seeds are fixed, so what passes once passes always; a bound is crossed by chance once in a thousand.
RARELY = 1e-3


def highest(share: float, simulations: int) -> float:
    """What an event of that probability stays below in all but one of a thousand experiments."""
    return float(binom.ppf(1 - RARELY, simulations, share)) / simulations


def single(forgotten: int, gained: int, items: int) -> tuple[IntArray, IntArray]:
    """Changes and sizes of clusters of one item."""
    changes = np.zeros(items, dtype=np.int64)
    changes[:forgotten] = -1
    changes[forgotten : forgotten + gained] = 1
    return changes, np.ones(items, dtype=np.int64)


def by_brute_force(changes: list[int]) -> float:
    sums = [sum(a * b for a, b in zip(changes, signs, strict=True)) for signs in all_signs(len(changes))]
    return sum(abs(value) >= abs(sum(changes)) for value in sums) / len(sums)


def all_signs(length: int) -> list[tuple[int, ...]]:
    return list(product((-1, 1), repeat=length))


def mcnemar_of(changes: IntArray) -> float:
    return mcnemar_p_value(forgotten=int((changes < 0).sum()), gained=int((changes > 0).sum()))


# McNemar


@pytest.mark.parametrize(
    ("forgotten", "gained", "p_value"),
    [
        (9, 1, 2 * (1 + 10) / 2**10),
        (1, 9, 2 * (1 + 10) / 2**10),
        (3, 1, 2 * (1 + 4) / 2**4),
        (5, 0, 2 / 2**5),
        (6, 0, 2 / 2**6),
        (12, 3, 2 * (1 + 15 + 105 + 455) / 2**15),
        (1, 0, 1),
        (4, 4, 1),
        (0, 0, 1),
    ],
)
def test_mcnemars_test_is_the_binomial_one_of_the_items_that_changed(
    forgotten: int, gained: int, p_value: float
) -> None:
    assert mcnemar_p_value(forgotten=forgotten, gained=gained) == pytest.approx(p_value, rel=1e-12)


@given(forgotten=COUNTS, gained=COUNTS)
def test_mcnemars_test_is_the_sign_flip_test_of_single_items(forgotten: int, gained: int) -> None:
    p_value = mcnemar_p_value(forgotten=forgotten, gained=gained)
    assert p_value == pytest.approx(mcnemar_p_value(forgotten=gained, gained=forgotten))
    changes, _ = single(forgotten, gained, 150)
    assert sign_flip_p_value(changes) == pytest.approx(p_value, rel=1e-9)


# Sign flips


@pytest.mark.parametrize(
    ("changes", "p_value"),
    [
        ([3, 3, 3], 2 / 8),
        ([3, -1], 1),  # |±3 ± 1| is 2 or 4, all at least 2
        ([4, 1, -2], 6 / 8),  # only ±(4 − 1 − 2) are below 3
        ([2, 2, 2, 2, 2, 2, -1], 4 / 128),  # ±11 and ±13
        ([0, 0], 1),
        ([1, -1], 1),
        ([5], 1),
    ],
)
def test_the_sign_flip_test_counts_choices_of_signs(changes: list[int], p_value: float) -> None:
    assert sign_flip_p_value(np.array(changes)) == pytest.approx(p_value, rel=1e-12)


@given(changes=CHANGES)
def test_the_sign_flip_test_is_the_enumeration_of_all_signs(changes: list[int]) -> None:
    p_value = sign_flip_p_value(np.array(changes))
    assert p_value == pytest.approx(by_brute_force(changes), rel=1e-12)
    assert p_value == pytest.approx(sign_flip_p_value(-np.array(changes)), rel=1e-12)
    assert p_value == pytest.approx(sign_flip_p_value(np.array([*changes, 0, 0])), rel=1e-12)


def test_of_many_clusters_it_is_what_drawn_signs_come_to() -> None:
    generator = np.random.default_rng(5)
    changes = generator.integers(-3, 4, 300) - np.repeat([0, 1], [240, 60])
    signs = generator.choice([-1, 1], (20_000, 300))
    drawn = np.mean(np.abs(signs @ changes) >= abs(changes.sum()))
    exact = sign_flip_p_value(changes)
    assert 0.01 < exact < 0.1
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000))


# Size and power


def null_changes(generator: np.random.Generator, clusters: int, size: int, *, together: float) -> IntArray:
    """Changes of clusters of equal size without any trend: a tenth of the items change.

    Args:
        generator: of the draws.
        clusters: how many.
        size: items of each.
        together: share of clusters whose changed items all go one way.
    """
    changed = generator.binomial(size, 0.1, clusters)
    apart = 2 * generator.binomial(changed, 0.5) - changed
    as_one = changed * generator.choice([-1, 1], clusters)
    return np.where(generator.random(clusters) < together, as_one, apart)


@many
def test_mcnemars_test_rejects_at_most_one_in_twenty_models_that_lost_nothing(simulations: int) -> None:
    generator = np.random.default_rng(1)
    rejected = np.mean(
        [mcnemar_of(null_changes(generator, 400, 1, together=1)) < 0.05 for _ in range(simulations)]
    )
    assert rejected <= (0.07 if simulations == 2000 else highest(0.05, simulations))


@many
@pytest.mark.parametrize("together", [0.0, 0.5, 1.0])
def test_the_cluster_test_does_too_however_clusters_hang_together(simulations: int, together: float) -> None:
    generator = np.random.default_rng(2)
    draws = (null_changes(generator, 80, 5, together=together) for _ in range(simulations))
    rejected = np.mean([sign_flip_p_value(changes) < 0.05 for changes in draws])
    assert rejected <= (0.07 if simulations == 2000 else highest(0.05, simulations))


@many
def test_mcnemars_test_of_items_that_hang_together_rejects_far_too_often(simulations: int) -> None:
    # Ten of a hundred pages of five questions fall or rise as a whole: why clusters have a test of their own.
    generator = np.random.default_rng(3)
    wrong = right = 0
    for _ in range(simulations):
        pages = generator.choice([-1, 1], 100) * (generator.random(100) < 0.1)
        wrong += mcnemar_of(np.repeat(pages, 5)) < 0.05
        right += sign_flip_p_value(5 * pages) < 0.05
    assert wrong / simulations > 0.25
    assert right / simulations <= highest(0.05, simulations)


@pytest.mark.parametrize(("churn", "least"), [(0.0, 0.99), (0.01, 0.95), (0.03, 0.75)])
def test_a_loss_of_five_points_in_four_hundred_items_is_found_most_of_the_time(
    churn: float, least: float
) -> None:
    counts = np.random.default_rng(5).multinomial(400, [churn + 0.05, churn, 0.95 - 2 * churn], size=500)
    found = np.mean([mcnemar_p_value(forgotten=int(lost), gained=int(won)) < 0.05 for lost, won, _ in counts])
    assert found > least


def test_a_loss_of_five_points_in_pages_of_five_questions_is_found_most_of_the_time() -> None:
    generator = np.random.default_rng(6)
    lost = generator.binomial(5, 0.06, (500, 80))
    gained = generator.binomial(5 - lost, 0.01)
    found = np.mean([sign_flip_p_value(changes) < 0.05 for changes in gained - lost])
    assert found > 0.9


# Interval


def test_nothing_changed_leaves_no_interval() -> None:
    assert bootstrap_interval(*single(0, 0, 50), seed=0, resamples=100) == (0.0, 0.0)


def test_everything_changed_leaves_no_interval_either() -> None:
    assert bootstrap_interval(*single(50, 0, 50), seed=0, resamples=100) == (-1.0, -1.0)


def test_the_interval_of_single_items_is_the_binomials() -> None:
    # With nothing gained, the number forgotten in a resample is binomial (400, 0.05).
    low, high = bootstrap_interval(*single(20, 0, 400), seed=0, resamples=20_000)
    assert -low * 400 == pytest.approx(binom.ppf(0.975, 400, 0.05), abs=1)
    assert -high * 400 == pytest.approx(binom.ppf(0.025, 400, 0.05), abs=1)


def test_clusters_are_drawn_as_one_with_all_their_items() -> None:
    generator = np.random.default_rng(8)
    changes = np.array([-3, 1, 0, 0, 2, -1, 0, -2, 0, 1])
    sizes = np.array([4, 2, 3, 5, 2, 1, 1, 2, 6, 3])
    drawn = generator.integers(0, 10, (20_000, 10))
    differences = changes[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    interval = bootstrap_interval(changes, sizes, seed=0, resamples=20_000)
    assert interval == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])), abs=0.01)


@given(changes=CHANGES, seed=st.integers(0, 1000))
def test_the_order_of_clusters_does_not_matter(changes: list[int], seed: int) -> None:
    values = np.array(changes)
    sizes = np.abs(values) + 1
    shuffled = np.random.default_rng(seed).permutation(len(values))
    one = bootstrap_interval(values, sizes, seed=seed, resamples=50)
    assert one == bootstrap_interval(values[shuffled], sizes[shuffled], seed=seed, resamples=50)
    assert -1 <= one.low <= one.high <= 1


def covered(changes: IntArray, sizes: IntArray, truth: float) -> bool:
    interval = bootstrap_interval(changes, sizes, seed=0, resamples=1000)
    return interval.low <= truth <= interval.high


def check_coverage(hits: list[bool]) -> None:
    share, simulations = float(np.mean(hits)), len(hits)
    if simulations == 2000:
        assert 0.93 <= share <= 0.97
    else:
        assert 1 - highest(0.05, simulations) <= share <= highest(0.95, simulations)


@many
def test_the_interval_of_single_items_covers_the_truth_19_times_in_20(simulations: int) -> None:
    counts = np.random.default_rng(10).multinomial(400, [0.08, 0.03, 0.89], size=simulations)
    check_coverage([covered(*single(int(lost), int(won), 400), -0.05) for lost, won, _ in counts])


@many
def test_the_interval_of_clusters_covers_the_truth_19_times_in_20(simulations: int) -> None:
    generator = np.random.default_rng(11)
    hits = []
    for _ in range(simulations):
        sizes = generator.integers(1, 6, 150)
        # A page is lost whole in 5 % of cases, and else loses and gains questions one by one.
        whole = generator.random(150) < 0.05
        lost = generator.binomial(sizes, 0.04)
        gained = generator.binomial(sizes - lost, 0.03 / 0.96)
        hits.append(covered(np.where(whole, -sizes, gained - lost), sizes, -0.05 - 0.95 * 0.01))
    check_coverage(hits)


def test_where_two_items_are_expected_to_change_the_interval_is_too_narrow() -> None:
    lost = np.random.default_rng(0).binomial(400, 0.005, 1000)
    share = np.mean([covered(*single(int(count), 0, 400), -0.005) for count in lost])
    assert share == pytest.approx(0.865, abs=0.03)


# Smallest detectable difference


def test_without_churn_eight_items_must_be_lost() -> None:
    square = (1.959964 + 0.841621) ** 2
    smallest = smallest_detectable_difference(*single(0, 0, 400))
    assert smallest == pytest.approx(square / 400, rel=1e-5) == pytest.approx(0.01962, abs=1e-5)
    assert smallest_detectable_difference(*single(9, 0, 400)) == smallest


def test_churn_makes_it_larger() -> None:
    square = (1.959964 + 0.841621) ** 2
    by_hand = square / 2 + math.sqrt((square / 2) ** 2 + square * 40)
    smallest = smallest_detectable_difference(*single(30, 20, 400))
    assert smallest == pytest.approx(by_hand / 400, rel=1e-5) == pytest.approx(0.05518, abs=1e-5)


def test_of_too_few_items_no_difference_can_be_seen() -> None:
    assert smallest_detectable_difference(*single(0, 0, 7)) is None
    assert smallest_detectable_difference(*single(0, 0, 8)) == pytest.approx(0.98111, abs=1e-5)
    eight_pages = np.zeros(8, dtype=np.int64), np.full(8, 5)
    assert smallest_detectable_difference(*eight_pages) == pytest.approx(0.98111, abs=1e-5)


@pytest.mark.parametrize("churn", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("items", [200, 400, 1000])
def test_it_is_found_about_four_times_in_five(items: int, churn: float) -> None:
    steady = round(items * churn)
    smallest = smallest_detectable_difference(*single(steady, steady, items))
    assert smallest is not None
    shares = [churn + smallest, churn, 1 - 2 * churn - smallest]
    counts = np.random.default_rng(12).multinomial(items, shares, size=1000)
    found = np.mean([mcnemar_p_value(forgotten=int(lost), gained=int(won)) < 0.05 for lost, won, _ in counts])
    assert found == pytest.approx(0.78, abs=0.05)


@pytest.mark.parametrize("size", [2, 5])
def test_of_clusters_lost_whole_it_is_found_about_four_times_in_five(size: int) -> None:
    sizes = np.full(120, size)
    smallest = smallest_detectable_difference(np.zeros_like(sizes), sizes)
    assert smallest is not None
    assert smallest == pytest.approx(7.849 / 120, rel=1e-3)
    lost = np.random.default_rng(13).random((1000, 120)) < smallest
    found = np.mean([sign_flip_p_value(changes) < 0.05 for changes in -size * lost.astype(np.int64)])
    assert found == pytest.approx(0.8, abs=0.05)


@given(forgotten=COUNTS, gained=COUNTS, more=st.integers(1, 500))
def test_more_items_show_less_of_a_difference(forgotten: int, gained: int, more: int) -> None:
    few = smallest_detectable_difference(*single(forgotten, gained, 150))
    many_items = smallest_detectable_difference(*single(forgotten, gained, 150 + more))
    assert few is not None
    assert many_items is not None
    assert many_items < few
