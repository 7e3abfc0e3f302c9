import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lm_eval.tasks import TaskManager

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.knowledge.suites import (
    ALL,
    installed_tasks,
    load_suites,
    read_config,
    suite_names,
    task_names,
    tasks_of,
)

if TYPE_CHECKING:
    from tests.knowledge.conftest import TaskPackage

OURS = Path(__file__).parents[2] / "tasks" / "knowledge"

MMLU = {
    "finance": {
        "business_ethics",
        "econometrics",
        "high_school_macroeconomics",
        "high_school_microeconomics",
        "management",
        "marketing",
        "professional_accounting",
    },
    "control": {
        "anatomy",
        "college_biology",
        "computer_security",
        "elementary_mathematics",
        "high_school_world_history",
    },
}


def test_the_suites_hold_what_they_promise() -> None:
    names = {suite.name: [task.name for task in suite.tasks] for suite in load_suites(ALL)}
    assert names["basics"] == ["finance_basics", "general_basics"]
    for suite, subjects in MMLU.items():
        assert {name.removeprefix("mmlu_cloze_") for name in names[suite] if "mmlu" in name} == subjects
    assert {name for name in names["finance"] if "mmlu" not in name} == {
        "finqa",
        "convfinqa",
        "tatqa",
        "financial_phrasebank",
        "fiqa_sa",
        "sentfin",
        "twitter_sentiment",
        "gold_headlines",
        "fomc_stance",
    }
    assert len(names["control"]) == 5


@pytest.mark.parametrize("name", sorted(path.stem for path in OURS.glob("*.yaml")))
def test_every_task_of_ours_says_what_it_is(name: str) -> None:
    (suite,) = load_suites(name)
    for task in suite.tasks:
        about = task.metadata
        assert int(about.version) >= 1
        assert all((about.description, about.source, about.licence))
        file = read_config(task.path)["dataset_kwargs"]["file"]
        assert about.noncommercial == file.startswith("noncommercial/")
        assert about.noncommercial == ("-NC" in about.licence)


def test_lm_eval_finds_the_same_names_in_our_folder() -> None:
    manager = TaskManager(include_path=OURS, include_defaults=False)
    ours = {path.stem for path in OURS.glob("*.yaml")}
    assert set(manager.all_groups) == ours & set(suite_names())
    assert set(manager.all_subtasks) == ours & set(task_names())


def test_a_task_alone_is_a_suite_of_its_own() -> None:
    (suite,) = load_suites("fomc_stance")
    assert (suite.name, [task.name for task in suite.tasks]) == ("fomc_stance", ["fomc_stance"])


def test_all_is_every_suite_and_each_task_once(task_package: "TaskPackage") -> None:
    task_package({"again.yaml": "group: again\ntask: [fomc_stance, finqa]\nmetadata: {version: 1}\n"})
    suites = load_suites(ALL)
    assert [suite.name for suite in suites] == suite_names()
    assert {"again", "basics", "finance", "control"} <= set(suite_names())
    names = [task.name for task in tasks_of(suites)]
    assert len(names) == len(set(names))
    assert set(names) <= set(task_names())


def test_a_strangers_task_and_suite_are_found_beside_ours(task_package: "TaskPackage") -> None:
    files = {
        "strange_task.yaml": "task: strange_task\nmetadata: {version: 7, licence: MIT}\n",
        "strange_suite.yaml": "group: strange_suite\ntask: [strange_task, finqa]\nmetadata: {version: 1}\n",
        "lonely_task.yaml": "task: lonely_task\nmetadata: {version: 2, author: somebody}\n",
    }
    folder = task_package(files)
    (suite,) = load_suites("strange_suite")
    assert [task.name for task in suite.tasks] == ["strange_task", "finqa"]
    assert suite.tasks[0].path == folder / "strange_task.yaml"
    assert suite.tasks[0].metadata.version == 7
    tasks = installed_tasks()
    assert tasks["strange_task"][0] == "strange_suite"
    assert tasks["lonely_task"][0] is None
    assert task_names()[-1] == "lonely_task"


def test_a_file_may_stand_in_the_place_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "own_task.yaml").write_text("task: own_task\nmetadata: {version: 1}\n", encoding="utf-8")
    listed = "group: own_suite\ntask: [own_task, finqa]\nmetadata: {version: 1}\n"
    (tmp_path / "own_suite.yaml").write_text(listed, encoding="utf-8")
    (suite,) = load_suites(str(tmp_path / "own_suite.yaml"))
    assert (suite.name, [task.name for task in suite.tasks]) == ("own_suite", ["own_task", "finqa"])
    (suite,) = load_suites(str(tmp_path / "own_task.yaml"))
    assert [task.path for task in suite.tasks] == [tmp_path / "own_task.yaml"]
    with pytest.raises(ConfigError, match=r"no_task\.yaml cannot be read"):
        load_suites(str(tmp_path / "no_task.yaml"))
    assert "own_task" not in task_names()


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown knowledge suite `basic`") as caught:
        load_suites("basic")
    assert caught.value.hint == "did you mean `basics`?"


BROKEN = {
    "no_yaml": ("task: [", "cannot be read"),
    "no_mapping": ("- task", "must hold a YAML mapping"),
    "other_name": ("task: another", "must be named `other_name` like its file, not `another`"),
    "no_metadata": ("task: no_metadata", "`metadata` with a `version` is missing"),
    "no_version": ("task: no_version\nmetadata: {licence: MIT}", "`version`: Field required"),
    "no_tasks": ("group: no_tasks\nmetadata: {version: 1}", "must list the names of the suite's tasks"),
    "circle": ("include: circle.yaml\ntask: circle", "includes itself"),
    "nothing": ("include: nowhere.yaml\ntask: nothing", "nowhere.yaml cannot be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(name: str, task_package: "TaskPackage") -> None:
    content, reason = BROKEN[name]
    folder = task_package({f"{name}.yaml": content})
    try:
        with pytest.raises(ConfigError) as caught:
            load_suites(name)
    finally:
        (folder / f"{name}.yaml").unlink()
    assert reason in caught.value.message
    assert str(folder) in caught.value.message


def test_a_suite_of_tasks_that_are_not_there_is_refused(task_package: "TaskPackage") -> None:
    folder = task_package({"hollow.yaml": "group: hollow\ntask: [fomc]\nmetadata: {version: 1}\n"})
    try:
        with pytest.raises(UnknownNameError, match="unknown knowledge task `fomc`"):
            load_suites("hollow")
    finally:
        (folder / "hollow.yaml").unlink()


def test_names_are_listed_without_anything_heavy() -> None:
    code = (
        "import sys; from flagbench.knowledge.suites import task_names; assert task_names(); "
        "print([name for name in ('torch', 'lm_eval', 'datasets', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
