"""Every task of ours on its real data."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.knowledge.evaluation import evaluate_knowledge
from flagbench.knowledge.results import SuiteResult
from flagbench.knowledge.suites import load_suites

if TYPE_CHECKING:
    from flagbench.learning.backbone import Backbone
    from tests.knowledge.conftest import Rebuild

OURS = {suite.name: [task.name for task in suite.tasks] for suite in load_suites("all")}
PUBLIC = [*OURS["finance"], *OURS["control"]]

ITEMS = {
    "finqa": 1147 - 39,  # all but those whose program was not executed
    "convfinqa": 421,
    "financial_phrasebank": 513,
    "fiqa_sa": 230,
    "sentfin": 1410,
    "twitter_sentiment": 2388,
    "gold_headlines": 455 + 416 + 65,  # up, down, unchanged, and no other direction
    "fomc_stance": 496,
    "econometrics": 114,
    "high_school_macroeconomics": 390,
    "high_school_microeconomics": 238,
    "professional_accounting": 282,
    "business_ethics": 100,
    "management": 103,
    "marketing": 234,
    "elementary_mathematics": 378,
    "high_school_world_history": 237,
    "college_biology": 144,
    "anatomy": 135,
    "computer_security": 100,
}
"""As the data's description counts them; of TAT-QA it does not count those that are single numbers."""


def asked(backbone: "Backbone", suite: str, **settings: Any) -> SuiteResult:
    settings = {"max_tokens": backbone.max_tokens, **settings}
    return evaluate_knowledge(backbone.model, backbone.tokenizer, suite=suite, **settings)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_whole_data_set_is_read(name: str, rebuild: "Rebuild", data_folder: Path) -> None:
    items = rebuild(name, data=data_folder)
    assert len(items) == ITEMS.get(name.removeprefix("mmlu_cloze_"), len(items))
    assert len({item["id"] for item in items}) == len(items)
    assert not any("#" in item["id"] for item in items if name == "finqa")
    if "choices" in items[0]:
        # A task of which one answer is always right would measure nothing.
        common = Counter(item["choices"][item["answer"]] for item in items).most_common(1)[0][1]
        assert common < 0.7 * len(items)


def test_tatqa_has_its_numbers(rebuild: "Rebuild", data_folder: Path) -> None:
    items = rebuild("tatqa", data=data_folder)
    kinds = Counter(item["kind"] for item in items)
    assert (kinds["arithmetic"], kinds["count"]) == (699, 40)
    assert 350 < kinds["span"] < 714
    assert len({item["cluster"] for item in items}) <= 277


@pytest.mark.parametrize("suite", ["finance", "control"])
def test_every_task_of_a_suite_is_asked(suite: str, tiny: "Backbone", data_folder: Path) -> None:
    result = asked(tiny, suite, limit=3, data=str(data_folder))
    assert [task.task for task in result.tasks] == OURS[suite]
    for task in result.tasks:
        assert len(task.items) == 3
        assert task.origin.startswith("data folder, ")
        assert all(item.target for item in task.items)
    pages = [item for task in result.tasks if task.task == "finqa" for item in task.items]
    assert suite != "finance" or any(item.truncated for item in pages)  # about 1,300 tokens a page


@pytest.mark.slow
def test_a_suite_is_asked_in_full(stories: "Backbone", data_folder: Path) -> None:
    result = asked(stories, "control", data=str(data_folder))
    assert {t.task.removeprefix("mmlu_cloze_"): len(t.items) for t in result.tasks}.items() <= ITEMS.items()
    # It has read children's stories only: near a quarter, and not far below.
    assert 0.2 < result.whole.accuracy < 0.35
    assert result.whole.truncated > 0


@pytest.mark.parametrize("name", OURS["basics"])
def test_what_ships_in_the_wheel_is_well_formed(name: str, tiny: "Backbone") -> None:
    (task,) = asked(tiny, name, limit=8).tasks
    assert task.origin == f"flagbench.tasks, knowledge/basics/{name}.jsonl"
    assert (task.truncated, task.unparsed) == (0, 0)
