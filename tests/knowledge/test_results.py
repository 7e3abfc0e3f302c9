import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ConfigError, RecordError
from flagbench.knowledge.results import ItemResult, SuiteResult, TaskResult


def item(name: str, *, correct: bool = True, truncated: bool = False, unparsed: bool = False) -> ItemResult:
    return ItemResult(name, f"cluster of {name}", "fact", correct, "yes", "no", truncated, unparsed)


def task(*correct: bool, name: str = "toy") -> TaskResult:
    return TaskResult(name, "1", tuple(item(str(i), correct=value) for i, value in enumerate(correct)))


def test_accuracy_and_standard_error_by_hand() -> None:
    toy = task(True, True, False, True)
    assert toy.accuracy == 0.75
    assert toy.stderr == pytest.approx(0.25)  # sqrt(0.75 * 0.25 / 3)
    assert task(True, True).stderr == 0


def test_a_single_item_has_no_standard_error() -> None:
    assert math.isnan(task(False).stderr)
    assert task(False).summary()["stderr"] is None


def test_what_could_not_be_asked_or_read_is_counted() -> None:
    items = (item("a", truncated=True), item("b", correct=False, unparsed=True), item("c", truncated=True))
    toy = TaskResult("toy", "2", items)
    assert (toy.unparsed, toy.truncated) == (1, 2)
    assert {name: toy.summary()[name] for name in ("items", "unparsed", "truncated")} == {
        "items": 3,
        "unparsed": 1,
        "truncated": 2,
    }


def test_items_have_names_of_their_own_and_there_are_some() -> None:
    with pytest.raises(ConfigError, match="`toy` has two items `a`"):
        TaskResult("toy", "1", (item("a"), item("b"), item("a")))
    with pytest.raises(ConfigError, match="`toy` has no items"):
        TaskResult("toy", "1", ())


def test_the_whole_of_a_suite_counts_every_item_once() -> None:
    suite = SuiteResult("two", (task(True, True, name="a"), task(False, name="b")), 32, "float32", "00")
    assert suite.whole.accuracy == 2 / 3
    assert [one.item for one in suite.whole.items] == ["a/0", "a/1", "b/0"]
    assert suite.whole.items[2].cluster == "b/cluster of 0"
    assert suite.whole.task == "two"


def test_the_summary_has_the_fields_that_others_rely_on() -> None:
    suite = SuiteResult("toy suite", (task(True, False),), 32, "float32", "00")
    figures = {"accuracy": 0.5, "stderr": 0.5, "items": 2, "unparsed": 0, "truncated": 0}
    assert suite.summary() == {"suite": "toy suite", "tasks": {"toy": figures}}
    limited = SuiteResult("toy suite", (task(True, False),), 32, "float32", "00", limit=2)
    assert limited.summary() == {"suite": "toy suite", "limit": 2, "tasks": {"toy": figures}}


TEXT = st.text(max_size=8)
ITEMS = st.lists(
    st.builds(ItemResult, TEXT, TEXT, TEXT, st.booleans(), TEXT, TEXT, st.booleans(), st.booleans()),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one.item,
)
TASKS = st.builds(TaskResult, task=TEXT, version=TEXT, items=ITEMS.map(tuple), origin=TEXT)
SUITES = st.builds(
    SuiteResult,
    suite=TEXT,
    tasks=st.lists(TASKS, max_size=3).map(tuple),
    batch_size=st.integers(1, 64),
    dtype=TEXT,
    model_sha256=TEXT,
    limit=st.none() | st.integers(1, 9),
)


@given(SUITES)
def test_results_survive_json(suite: SuiteResult) -> None:
    assert SuiteResult.from_json(json.loads(json.dumps(suite.to_json()))) == suite


def broken(change: dict[str, Any]) -> dict[str, Any]:
    return {**SuiteResult("toy", (task(True),), 32, "float32", "00").to_json(), **change}


@pytest.mark.parametrize(
    "values",
    [
        broken({"tasks": None}),
        broken({"unknown": 1}),
        broken({"tasks": [{"task": "toy", "version": "1", "origin": "", "items": []}]}),
        broken({"tasks": [{"task": "toy", "version": "1", "origin": "", "items": [{"item": "a"}]}]}),
        {name: value for name, value in broken({}).items() if name != "dtype"},
        {"tasks": []},
    ],
)
def test_a_broken_result_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="a knowledge result is broken"):
        SuiteResult.from_json(values)
