"""`--metric FILE.py:NAME`: a user's figure beside the installed ones."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran

METRIC = """
from flagbench.scoring.metric import Metric

UP = Metric(
    name="days_up",
    description="bars with r > 0",
    unit="count",
    compute=lambda performance: float((performance.returns > 0).sum()),
    undefined=lambda performance: None if performance.exposed.any() else "never held a position",
)
"""


@pytest.fixture(scope="module")
def option(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    path = tmp_path_factory.mktemp("metric") / "mine.py"
    path.write_text(METRIC)
    return "--metric", f"{path}:UP"


def test_a_run_prints_it_records_it_and_says_where_it_came_from(
    flagbench: "CommandLine", csv_task: tuple[str, ...], option: tuple[str, str], tmp_path: Path
) -> None:
    ran = flagbench("run", "--agent", "buy-and-hold", *csv_task, *option, "--out", tmp_path)
    assert ran.status == 0, ran.err
    assert ran.out.count("\n days up ") == 2
    record = json.loads((Path(ran.last_line) / "seed-0" / "record.json").read_text())
    assert record["spec"]["metrics"] == [option[1]]
    assert 0 < record["scores"]["test"]["days_up"] < 25
    assert flagbench("show", ran.last_line, *option).out == ran.out
    assert "days up" not in flagbench("show", ran.last_line).out


def test_a_score_has_it_or_its_reason(
    flagbench: "CommandLine", csv_task: tuple[str, ...], option: tuple[str, str], tmp_path: Path
) -> None:
    ran = flagbench("run", "--agent", "always-flat", *csv_task, *option, "--out", tmp_path, "--json")
    score = json.loads(ran.out)["runs"][0]["test"]
    assert score["days_up"] is None
    assert score["undefined"]["days_up"] == "never held a position"


def test_a_comparison_and_a_report_have_it_too(
    flagbench: "CommandLine", random_run: "Ran", option: tuple[str, str], tmp_path: Path
) -> None:
    assert "days up" in flagbench("compare", random_run.folder, *option).out
    assert "days up" not in flagbench("compare", random_run.folder).out
    page = tmp_path / "page.html"
    assert flagbench("report", random_run.folder, *option, "--out", page).status == 0
    assert "days up" in page.read_text(encoding="utf-8")


def test_an_old_record_without_it_shows_a_dash(
    flagbench: "CommandLine", random_run: "Ran", option: tuple[str, str]
) -> None:
    shown = flagbench("show", random_run.folder, *option)
    rows = [line.split() for line in shown.out.splitlines() if line.startswith(" days up")]
    assert [set(row[2:]) for row in rows] == [{"–"}, {"–"}]


def test_what_is_no_metric_ends_the_command_before_it_begins(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    wrong = ("--metric", tmp_path / "nowhere.py:UP", "--out", tmp_path)
    outcome = flagbench("run", "--agent", "buy-and-hold", *csv_task, *wrong)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: unknown metric file")
    assert list(tmp_path.iterdir()) == []
