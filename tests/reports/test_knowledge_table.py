from typing import Any

import pytest

from flagbench.errors import ConfigError
from flagbench.knowledge.retention import NoiseFloor, TaskRetention
from flagbench.reports.knowledge_table import knowledge_table, p_value_text, reading
from flagbench.reports.score_table import TableText


def kept(**changes: Any) -> TaskRetention:
    """Three of 420 answers lost and one gained, which is no more than chance."""
    fields: dict[str, Any] = {
        "suite": "basics",
        "task": "finance_basics",
        "version": "1",
        "items": 420,
        "clusters": 420,
        "before": 360 / 420,
        "after": 358 / 420,
        "difference": -2 / 420,
        "low": -6 / 420,
        "high": 2 / 420,
        "p_value": 0.625,
        "test": "mcnemar",
        "forgotten": 3,
        "gained": 1,
        "smallest_detectable_difference": 0.02262,
        "noise": NoiseFloor(forgotten=0, gained=0, batch_size=1),
        "unparsed_before": 0,
        "unparsed_after": 0,
        "truncated_before": 0,
        "truncated_after": 0,
    }
    return TaskRetention.model_validate(fields | changes)


def of_seed(*retentions: TaskRetention) -> list[dict[str, Any]]:
    return [each.to_json() for each in retentions]


def rows_of(table: TableText) -> dict[str, list[str]]:
    assert all(len(row) == len(table.header) for row in table.rows)
    return {row[0]: row[1:] for row in table.rows}


def test_a_row_has_all_figures_of_a_task() -> None:
    table = knowledge_table("knowledge", {"seed 0": of_seed(kept())})
    assert table.title == "knowledge"
    assert table.header == [
        "",
        "items",
        "before",
        "after",
        "difference, points [95 %]",
        "p",
        "forgotten / gained",
        "noise",
    ]
    assert table.rows == [
        [
            "finance_basics",
            "420",
            "85.71 %",
            "85.24 %",
            "-0.48 [-1.43, +0.48]",
            "0.625",
            "3 / 1",
            "0 / 0",
        ]
    ]


def test_each_task_has_a_row_and_the_suite_the_last() -> None:
    general, whole = kept(task="general_basics"), kept(task=None)
    table = knowledge_table("", {"seed 0": of_seed(kept(), general, whole)})
    assert [row[0] for row in table.rows] == ["finance_basics", "general_basics", "basics"]


def test_a_suite_of_one_task_has_one_row() -> None:
    table = knowledge_table("", {"seed 0": of_seed(kept(), kept(task=None))})
    assert [row[0] for row in table.rows] == ["finance_basics"]


def test_several_runs_are_told_apart() -> None:
    table = knowledge_table("", {"seed 0": of_seed(kept()), "seed 4": of_seed(kept(gained=3))})
    rows = rows_of(table)
    assert rows["seed 0: finance_basics"][-2] == "3 / 1"
    assert rows["seed 4: finance_basics"][-2] == "3 / 3"
    assert [note.partition(":")[0] for note in table.notes] == ["seed 0", "seed 4"]


def test_an_agent_without_a_language_model_has_dashes_and_never_100_percent() -> None:
    table = knowledge_table("", {"seed 0": of_seed(kept()), "buy-and-hold": None})
    assert rows_of(table)["buy-and-hold"] == ["–"] * 7
    assert table.notes[-1] == ("– buy-and-hold: no language model, so there is no knowledge to keep or lose")
    assert "100" not in "".join(rows_of(table)["buy-and-hold"]) + table.notes[-1]


def test_a_noise_floor_that_was_not_measured_is_a_dash() -> None:
    table = knowledge_table("", {"seed 0": of_seed(kept(noise=None))})
    assert table.rows[0][-1] == "–"
    assert "asked twice" not in table.notes[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "finance_basics: 3 of 420 answers were lost and 1 gained in training; asked twice without "
            "training, 0 and 0 change by chance. No change of accuracy is shown (p = 0.625); a change below "
            "2.3 points may go unseen",
        ),
        (
            {"noise": None, "forgotten": 40, "gained": 5, "difference": -35 / 420, "p_value": 1e-7},
            "finance_basics: 40 of 420 answers were lost and 5 gained in training. This loss is more than "
            "chance explains (p < 0.001)",
        ),
        (
            {"noise": None, "forgotten": 1, "gained": 9, "difference": 8 / 420, "p_value": 0.0215},
            "finance_basics: 1 of 420 answers was lost and 9 gained in training. This gain is more than "
            "chance explains (p = 0.021)",
        ),
        (
            {"noise": None, "items": 4, "smallest_detectable_difference": None},
            "finance_basics: 3 of 4 answers were lost and 1 gained in training. These are too few answers to "
            "show a change (p = 0.625)",
        ),
    ],
)
def test_a_row_is_told_in_words(changes: dict[str, Any], words: str) -> None:
    assert reading(kept(**changes)) == words


def test_a_small_suite_is_told_task_by_task_and_a_large_one_as_a_whole() -> None:
    whole = kept(task=None)
    few = [kept(task=f"task {index}") for index in range(3)]
    many = [kept(task=f"task {index}") for index in range(4)]
    assert [note.partition(":")[0] for note in knowledge_table("", {"": of_seed(*few, whole)}).notes] == [
        "task 0",
        "task 1",
        "task 2",
        "basics",
    ]
    assert [note.partition(":")[0] for note in knowledge_table("", {"": of_seed(*many, whole)}).notes] == [
        "basics"
    ]


def test_items_that_share_sources_and_answers_that_are_none_are_named() -> None:
    found = kept(
        test="cluster-sign-flip", clusters=105, unparsed_after=7, truncated_before=2, truncated_after=2
    )
    assert knowledge_table("", {"seed 0": of_seed(found)}).notes[1:] == [
        "finance_basics: its 420 items share 105 sources; p flips whole sources",
        "finance_basics: 0 answers could not be read before training, 7 after it",
        "finance_basics: 2 prompts were cut at the model's context before training, 2 after it",
    ]


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(1.0, "1.000"), (0.0215, "0.021"), (0.001, "0.001"), (0.0009999, "< 0.001"), (1e-30, "< 0.001")],
)
def test_a_small_p_value_is_no_zero(p_value: float, text: str) -> None:
    assert p_value_text(p_value) == text


def test_no_difference_has_no_sign() -> None:
    same = kept(difference=0.0, low=0.0, high=0.0)
    assert knowledge_table("", {"": of_seed(same)}).rows[0][4] == "0.00 [0.00, 0.00]"


def test_a_broken_retention_is_refused_with_the_name_of_its_run() -> None:
    with pytest.raises(ConfigError, match="seed 3: `items`: Field required"):
        knowledge_table("", {"seed 3": [{"suite": "basics", "task": None, "version": "1"}]})
