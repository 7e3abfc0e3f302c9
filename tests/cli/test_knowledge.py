import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.knowledge.suites import load_suites

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, OnTerminal

FEW = ("knowledge", "--model", "random", "--limit", "6")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_json_has_the_fields_that_others_rely_on(flagbench: "CommandLine") -> None:
    outcome = flagbench(*FEW, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    assert set(printed) == {"suite", "limit", "tasks"}
    assert (printed["suite"], printed["limit"]) == ("basics", 6)
    assert list(printed["tasks"]) == ["finance_basics", "general_basics"]
    for figures in printed["tasks"].values():
        assert set(figures) == {"accuracy", "stderr", "items", "unparsed", "truncated"}
        assert (figures["items"], figures["unparsed"], figures["truncated"]) == (6, 0, 0)
        p = figures["accuracy"]
        assert 0 <= p <= 1
        assert figures["stderr"] == pytest.approx((p * (1 - p) / 5) ** 0.5)


def test_the_table_says_what_the_json_says(flagbench: "CommandLine") -> None:
    tasks = json.loads(flagbench(*FEW, "--json").out)["tasks"]
    outcome = flagbench(*FEW)
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "basics: what random knows"
    for name, figures in tasks.items():
        (line,) = [line.split() for line in lines if line.split()[:1] == [name]]
        accuracy, error = (f"{100 * figures[key]:.2f}" for key in ("accuracy", "stderr"))
        assert line == [name, accuracy, "%", "±", error, "6", "0", "0"]
    (line,) = [line.split() for line in lines if line.split()[:3] == ["all", "of", "basics"]]
    whole = sum(figures["accuracy"] for figures in tasks.values()) / 2
    assert (line[3], line[-3:]) == (f"{100 * whole:.2f}", ["12", "0", "0"])
    assert "random weights: what is right is right by chance" in lines
    assert "at most 6 items a task, chosen by the hash of their ids" in lines
    assert not any(line.startswith("truncated:") for line in lines)


def test_one_task_may_be_asked_with_a_single_item(flagbench: "CommandLine") -> None:
    outcome = flagbench("knowledge", "--model", "random", "--suite", "general_basics", "--limit", 1)
    (line,) = [line for line in outcome.out.splitlines() if "general_basics  " in line]
    assert "± –" in line
    assert "all of" not in outcome.out


def test_what_was_cut_unread_or_is_not_for_sale_is_told(flagbench: "CommandLine", data_folder: Path) -> None:
    arguments = (*FEW, "--suite", "finance", "--limit", "2", "--data", data_folder)
    outcome = flagbench(*arguments)
    assert outcome.status == 0
    (note,) = outcome.err.splitlines()
    assert note == (
        "note: not for commercial use: financial_phrasebank (CC-BY-NC-SA-3.0), fiqa_sa (CC-BY-NC-4.0), "
        "gold_headlines (CC-BY-NC-ND-4.0), fomc_stance (CC-BY-NC-4.0)"
    )
    assert "truncated: the prompt was longer than the model's context and lost its beginning" in outcome.out
    assert "unparsed: no answer could be read; it counts as wrong" in outcome.out
    noted = flagbench(*FEW, "--suite", "fomc_stance", "--data", data_folder, "--json")
    assert json.loads(noted.out)["suite"] == "fomc_stance"
    assert noted.err == "note: not for commercial use: fomc_stance (CC-BY-NC-4.0)\n"


def test_all_has_a_table_for_each_suite(flagbench: "CommandLine", data_folder: Path) -> None:
    outcome = flagbench(*FEW, "--suite", "all", "--limit", "1", "--data", data_folder)
    titles = [line for line in outcome.out.splitlines() if line.endswith("what random knows")]
    assert titles == [f"{suite.name}: what random knows" for suite in load_suites("all")]


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("--suite", "basic"), "unknown knowledge suite `basic`", "did you mean `basics`?"),
        (("--limit", "0"), "`--limit` is at least 1, given 0", ""),
        (("--batch-size", "-3"), "`--batch-size` is at least 1, given -3", ""),
        (("--model", "./nowhere"), "`./nowhere` is no model folder: it has no config.json", "give a folder"),
        (("--data", "nowhere", "--suite", "control"), "no knowledge data: nowhere (--data) is no folder", ""),
    ],
)
def test_what_a_user_can_mend_is_said(
    arguments: tuple[str, ...], error: str, hint: str, flagbench: "CommandLine"
) -> None:
    outcome = flagbench(*FEW, *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    lines = outcome.err.splitlines()
    assert lines[0] == f"error: {error}"
    assert not hint or lines[1].startswith(f"hint: {hint}")


def test_data_that_is_nowhere_is_missed_without_a_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flagbench", *FEW, "--suite", "finqa", "--data", tmp_path],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    first, hint = done.stderr.splitlines()
    assert first.startswith(
        "error: knowledge data is missing: no data folder has qa/finqa/test.jsonl.gz, and "
    )
    assert hint.startswith("hint: connect to a network, or put it into a data folder")


def test_a_bar_moves_on_a_terminal_and_stdout_is_data(on_terminal: "OnTerminal") -> None:
    status, shown, out = on_terminal(["-m", "flagbench", *FEW, "--json"])
    assert status == 0
    assert json.loads(out)["suite"] == "basics"
    assert "knowledge: basics" in shown
    assert "/48" in shown


def test_random_weights_are_the_same_every_time(flagbench: "CommandLine") -> None:
    assert flagbench(*FEW, "--json").out == flagbench(*FEW, "--json").out
