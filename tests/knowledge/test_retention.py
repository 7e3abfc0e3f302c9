from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ComparabilityError, ConfigError, FlagbenchError
from flagbench.knowledge.cluster_tests import sign_flip_p_value, smallest_detectable_difference
from flagbench.knowledge.results import ItemResult, SuiteResult, TaskResult
from flagbench.knowledge.retention import NoiseFloor, TaskRetention, retention
from flagbench.settings import parse

ANSWERS = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40)


def task(
    correct: str, *, name: str = "finance_basics", clusters: str | None = None, version: str = "1"
) -> TaskResult:
    """A task whose items are answered as a row of 1 and 0 says, their clusters named by letters."""
    return TaskResult(
        name,
        version,
        tuple(
            ItemResult(
                item=f"q{index}",
                cluster=f"q{index}" if clusters is None else clusters[index],
                kind="fact",
                correct=mark == "1",
                answer="yes" if mark == "1" else "no",
                target="yes",
                truncated=False,
                unparsed=False,
            )
            for index, mark in enumerate(correct)
        ),
    )


def suite(*tasks: TaskResult, batch_size: int = 8, model_sha256: str = "a" * 64) -> SuiteResult:
    return SuiteResult("basics", tasks, batch_size=batch_size, dtype="float32", model_sha256=model_sha256)


def both(before: str, after: str, **named: Any) -> tuple[SuiteResult, SuiteResult]:
    trained = suite(task(after, **named), model_sha256="b" * 64)
    return suite(task(before, **named)), trained


def changed(result: SuiteResult, **fields: Any) -> SuiteResult:
    """The suite with the first item of its first task changed."""
    first = result.tasks[0]
    items = (first.items[0]._replace(**fields), *first.items[1:])
    return replace(result, tasks=(replace(first, items=items), *result.tasks[1:]))


def reversed_items(result: SuiteResult) -> SuiteResult:
    tasks = tuple(replace(each, items=each.items[::-1]) for each in result.tasks)
    return replace(result, tasks=tasks)


# Figures


def test_figures_of_single_items_are_those_by_hand() -> None:
    # 20 items: 9 forgotten, 1 gained, 6 right and 4 wrong both times.
    before, after = both("1" * 9 + "0" + "1" * 6 + "0" * 4, "0" * 9 + "1" + "1" * 6 + "0" * 4)
    found, whole = retention(before, after)
    assert found.before == 15 / 20
    assert found.after == 7 / 20
    assert found.difference == -8 / 20
    assert (found.forgotten, found.gained) == (9, 1)
    assert (found.items, found.clusters) == (20, 20)
    assert found.test == "mcnemar"
    assert found.p_value == pytest.approx(22 / 1024)
    assert -0.65 <= found.low < found.difference < found.high <= -0.1
    assert found.noise is None
    changes = np.array([-1] * 9 + [1] + [0] * 10)
    sizes = np.ones(20, dtype=np.int64)
    assert found.smallest_detectable_difference == smallest_detectable_difference(changes, sizes)
    assert (found.task, found.version, found.name) == ("finance_basics", "1", "finance_basics")
    assert (whole.task, whole.version, whole.name) == (None, "1", "basics")
    assert whole.model_dump(exclude={"task"}) == found.model_dump(exclude={"task"})


def test_figures_of_clusters_are_those_by_hand() -> None:
    # Cluster a loses three, b loses one and wins one, c wins one, d stays: changes −3, 0, 1, 0.
    found, _ = retention(*both("1111001100", "0000111100", clusters="aaabbcdddd"))
    assert (found.forgotten, found.gained) == (4, 2)
    assert (found.items, found.clusters) == (10, 4)
    assert found.difference == -0.2
    assert found.test == "cluster-sign-flip"
    assert found.p_value == sign_flip_p_value(np.array([-3, 0, 1, 0])) == 1


def test_a_suite_is_pooled_over_its_tasks_with_their_clusters_apart() -> None:
    before = suite(task("1111", clusters="aabb"), task("1100", name="general_basics", clusters="aabb"))
    after = suite(task("0011", clusters="aabb"), task("0010", name="general_basics", clusters="aabb"))
    finance, general, whole = retention(before, after)
    assert (finance.name, general.name, whole.name) == ("finance_basics", "general_basics", "basics")
    assert (finance.forgotten, general.forgotten, whole.forgotten) == (2, 2, 4)
    assert (finance.gained, general.gained, whole.gained) == (0, 1, 1)
    assert (whole.items, whole.clusters) == (8, 4)
    assert (whole.before, whole.after) == (6 / 8, 3 / 8)
    assert (finance.version, whole.version) == ("1", "1/1")
    # Changes −2, 0, −2 and 1: |±2 ± 2 ± 1| is at least 3 for half the signs.
    assert whole.p_value == 4 / 8


def test_unparsed_answers_and_cut_prompts_are_counted() -> None:
    before, after = both("1100", "1100")
    found, _ = retention(changed(before, truncated=True), changed(after, unparsed=True, truncated=True))
    assert (found.unparsed_before, found.unparsed_after) == (0, 1)
    assert (found.truncated_before, found.truncated_after) == (1, 1)


def test_the_noise_floor_has_counts_of_its_own() -> None:
    before, after = both("111000", "110001")
    noise = reversed_items(suite(task("011110"), batch_size=1))
    found, whole = retention(before, after, noise)
    assert (found.forgotten, found.gained) == (1, 1)
    assert found.noise == whole.noise == NoiseFloor(forgotten=1, gained=2, batch_size=1)


def test_figures_survive_json() -> None:
    before, after = both("111000", "110001")
    for found in retention(before, after, suite(task("111000"), batch_size=1)):
        assert parse(TaskRetention, found.to_json(), origin="a record") == found
    few = retention(*both("1", "1"))[0]
    assert few.smallest_detectable_difference is None
    assert parse(TaskRetention, few.to_json(), origin="a record") == few


def test_two_calls_give_the_same_and_another_seed_another_interval() -> None:
    generator = np.random.default_rng(0)
    first, second = ("".join(generator.choice(["0", "1"], 200)) for _ in range(2))
    results = both(first, second)
    found = retention(*results)
    assert found == retention(*results)
    other = retention(*results, seed=1)
    assert (other[0].low, other[0].high) != (found[0].low, found[0].high)
    assert other[0].p_value == found[0].p_value


# Properties


def answered(answers: list[tuple[bool, bool, int]], *, singles: bool) -> tuple[SuiteResult, SuiteResult]:
    columns = ("".join("01"[answer[column]] for answer in answers) for column in (0, 1))
    clusters = None if singles else "".join("abcd"[answer[2]] for answer in answers)
    return both(*columns, clusters=clusters)


@given(answers=ANSWERS, singles=st.booleans())
def test_before_and_after_exchanged_turn_the_sign(
    answers: list[tuple[bool, bool, int]], singles: bool
) -> None:
    before, after = answered(answers, singles=singles)
    for found, turned in zip(
        retention(before, after, resamples=4000), retention(after, before, resamples=4000), strict=True
    ):
        assert turned.difference == -found.difference
        assert (turned.before, turned.after) == (found.after, found.before)
        assert (turned.forgotten, turned.gained) == (found.gained, found.forgotten)
        assert turned.p_value == pytest.approx(found.p_value, rel=1e-12)
        assert turned.smallest_detectable_difference == found.smallest_detectable_difference
        # Both ends are estimates from 4,000 resamples; a step is one item.
        tolerance = max(0.15 * (found.high - found.low), 1.5 / found.items)
        assert turned.low == pytest.approx(-found.high, abs=tolerance)
        assert turned.high == pytest.approx(-found.low, abs=tolerance)


@given(answers=ANSWERS, singles=st.booleans())
def test_an_untouched_model_forgets_and_gains_exactly_nothing(
    answers: list[tuple[bool, bool, int]], singles: bool
) -> None:
    before, _ = answered(answers, singles=singles)
    noise = reversed_items(replace(before, batch_size=1))
    for found in retention(before, before, noise, resamples=50):
        assert (found.forgotten, found.gained) == (0, 0)
        assert found.noise is not None
        assert (found.noise.forgotten, found.noise.gained) == (0, 0)
        assert found.difference == found.low == found.high == 0
        assert found.before == found.after == before.tasks[0].accuracy
        assert found.p_value == 1


@given(answers=ANSWERS, singles=st.booleans())
def test_an_item_that_is_right_both_times_changes_nothing_but_the_number(
    answers: list[tuple[bool, bool, int]], singles: bool
) -> None:
    found = retention(*answered(answers, singles=singles), resamples=50)[0]
    more = retention(*answered([*answers, (True, True, 0)], singles=singles), resamples=50)[0]
    assert more.items == found.items + 1
    assert (more.forgotten, more.gained) == (found.forgotten, found.gained)
    assert more.difference * more.items == pytest.approx(found.difference * found.items)
    if singles:
        assert more.p_value == found.p_value


@given(answers=ANSWERS, singles=st.booleans())
def test_figures_fit_together(answers: list[tuple[bool, bool, int]], singles: bool) -> None:
    before, after = answered(answers, singles=singles)
    found = retention(before, after, resamples=50)[0]
    assert found.difference == pytest.approx(found.after - found.before, abs=1e-12)
    assert found.before == before.tasks[0].accuracy
    assert found.after == after.tasks[0].accuracy
    assert 0 < found.p_value <= 1
    assert -1 <= found.low <= found.high <= 1
    assert found.clusters <= found.items == len(answers)


@given(answers=ANSWERS, singles=st.booleans())
def test_the_order_in_which_items_were_asked_does_not_matter(
    answers: list[tuple[bool, bool, int]], singles: bool
) -> None:
    before, after = answered(answers, singles=singles)
    found = retention(before, after, resamples=50)
    assert found == retention(before, reversed_items(after), resamples=50)
    assert found == retention(reversed_items(before), after, resamples=50)


def test_a_planted_loss_of_five_points_in_four_hundred_items_is_found() -> None:
    generator = np.random.default_rng(3)
    before = generator.random(400) < 0.85
    lost = before & (generator.random(400) < 0.065)
    gained = ~before & (generator.random(400) < 0.03)
    marks = ("".join(np.where(marks, "1", "0")) for marks in (before, before & ~lost | gained))
    found = retention(*both(*marks))[0]
    assert found.difference == pytest.approx(-0.05, abs=0.02)
    assert found.p_value < 0.001
    assert found.high < 0
    assert found.smallest_detectable_difference is not None
    assert found.smallest_detectable_difference < -found.difference


# Refusals


def test_what_differs_is_named() -> None:
    before, after = both("1100", "1000")
    for other, words in (
        (replace(after, batch_size=16), "batch size 8 and 16"),
        (replace(after, dtype="bfloat16"), "dtype float32 and bfloat16"),
        (replace(after, suite="finance"), "suite `basics` and `finance`"),
        (suite(task("1000", version="2")), "task `finance_basics` version 1 and 2"),
        (suite(task("1000", name="fiqa")), "tasks on one side only: finance_basics, fiqa"),
        (suite(task("10000")), "task `finance_basics` has 1 items on one side only, such as `q4`"),
        (changed(after, item="q9"), "task `finance_basics` has 2 items on one side only, such as `q0`"),
        (changed(after, target="no"), "task `finance_basics`, item `q0`: target `yes` and `no`"),
        (changed(after, cluster="p"), "task `finance_basics`, item `q0`: cluster `q0` and `p`"),
        (changed(after, kind="sum"), "task `finance_basics`, item `q0`: kind `fact` and `sum`"),
    ):
        with pytest.raises(ComparabilityError) as raised:
            retention(before, other)
        expected = f"knowledge before and after training cannot be compared: {words}"
        assert raised.value.message == expected
        assert raised.value.hint == "evaluate one suite before and after, with one batch size and dtype"


def test_all_that_differs_is_named_at_once() -> None:
    before, after = both("1100", "1000")
    with pytest.raises(ComparabilityError, match=r"dtype float32 and float16; batch size 8 and 2$"):
        retention(before, replace(after, dtype="float16", batch_size=2))


def test_a_noise_floor_is_the_untrained_models_in_other_batches() -> None:
    before, after = both("1100", "1000")
    for noise, words in (
        (before, "batch size 8 in both"),
        (replace(after, batch_size=1), "weights aaaaaaaaaaaa and bbbbbbbbbbbb"),
        (replace(before, batch_size=1, dtype="float16"), "dtype float32 and float16"),
    ):
        with pytest.raises(ComparabilityError) as raised:
            retention(before, after, noise)
        start = "the noise floor does not belong to the knowledge before training"
        assert raised.value.message == f"{start}: {words}"
        assert raised.value.hint


def test_a_suite_without_tasks_is_refused() -> None:
    with pytest.raises(ConfigError, match="knowledge suite `basics` has no tasks"):
        retention(suite(), suite())


def test_a_refusal_is_an_error_that_the_command_line_can_show() -> None:
    assert issubclass(ComparabilityError, FlagbenchError)
