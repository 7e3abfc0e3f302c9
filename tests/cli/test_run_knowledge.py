"""`flagbench run` of agents with a language model: asked before and after, and otherwise the same run."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagbench.records.run_directory import read_run
from flagbench.records.run_record import RunRecord

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, OnTerminal, Ran

pytestmark = pytest.mark.usefixtures("toy_addition")

PATIENCE = 120.0
"""Seconds; a busy machine takes its time to load torch."""

AGENTS = """
import os, signal
import torch
from flagbench.learning.random_backbone import make_random_backbone

class Reader:
    '''Has a language model, never asks it, and is long on every second bar.'''

    def reset(self, seed):
        self.bars = 0
        torch.manual_seed(seed)

    def act(self, observation):
        self.bars += 1
        return 2 if self.bars % 2 else 0

    def language_model(self):
        if not hasattr(self, "pair"):
            model, tokenizer = make_random_backbone(seed=0, layers=1, width=32)
            self.pair = model.eval(), tokenizer
        return self.pair

class Flat(Reader):
    def act(self, observation): return 1

class Raises(Reader):
    def language_model(self): raise ValueError("no luck")

class Nonsense(Reader):
    def language_model(self): return "a model"

class Pair(Reader):
    def language_model(self): return "a model", "a tokenizer"

class Interrupted(Reader):
    '''Ctrl-C while its model reads, once it was handed out for the nth time.'''

    def __init__(self, nth: int):
        self.left = nth

    def language_model(self):
        if not hasattr(self, "pair"):
            super().language_model()[0].register_forward_pre_hook(self.read)
        self.left -= 1
        if self.left == 0:
            next(self.pair[0].parameters()).data += 1e-3  # a model that was trained is asked anew
        return self.pair

    def read(self, *_):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.fixture
def agents(tmp_path: Path) -> str:
    path = tmp_path / "reading.py"
    path.write_text(AGENTS)
    return str(path)


def record_of(outcome_out: str) -> tuple[Path, dict[str, Any], RunRecord]:
    """Seed folder, what `--json` printed, and the record, of a run of one seed."""
    (printed,) = json.loads(outcome_out)["runs"]
    folder = Path(printed["record"]).parent
    return folder, printed, read_run(folder)[0]


# The run is the same


@pytest.mark.parametrize("adapt", ["top_layers", "lora"])
def test_a_run_with_questions_takes_the_same_actions_as_one_without(
    flagbench: "CommandLine",
    csv_task: tuple[str, ...],
    tiny_training: tuple[str, ...],
    tmp_path: Path,
    adapt: str,
) -> None:
    runs = {}
    for suite in ("none", "toy_addition"):
        arguments = (*tiny_training, *csv_task, "--set", f"adapt={adapt}", "--knowledge", suite)
        outcome = flagbench("run", *arguments, "--out", tmp_path / suite, "--json")
        assert outcome.status == 0, outcome.err
        runs[suite] = record_of(outcome.out)
    (silent, _, without), (asked, _, with_questions) = runs.values()
    assert (silent / "actions.csv").read_bytes() == (asked / "actions.csv").read_bytes()
    assert (silent / "equity.csv").read_bytes() == (asked / "equity.csv").read_bytes()
    assert without.scores == with_questions.scores
    trained = [record.training or {} for record in (without, with_questions)]
    assert trained[0]["weights_sha256"] == trained[1]["weights_sha256"]
    assert without.knowledge is None
    assert not (silent / "knowledge").exists()
    assert with_questions.knowledge is not None
    hashes = with_questions.knowledge["model_sha256"]
    assert hashes["before"] == trained[1]["weights"]["backbone_sha256"] != hashes["after"]
    assert with_questions.seconds["knowledge"] > 0


def test_chance_that_an_agent_draws_in_its_reset_is_drawn_once(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    """Asking begins with a reset that a run without questions does not have."""
    path = tmp_path / "drawing.py"
    path.write_text(
        "import random\n"
        "from flagbench.learning.random_backbone import make_random_backbone\n"
        "class Drawing:\n"
        "    def reset(self, seed): self.first = random.random()\n"
        "    def act(self, observation): return 2 if self.first < 0.5 else 0\n"
        "    def language_model(self): return make_random_backbone(seed=0, layers=1, width=32)\n"
        "    def train(self, make_envs, *, setup, seed, accelerator, monitor):\n"
        "        return {'env_steps': setup.env_steps, 'drawn': [self.first, random.random()]}\n"
        "    def save(self, folder): pass\n"
        "    def load(self, folder): pass\n"
    )
    drawn = []
    for suite in ("none", "toy_addition"):
        arguments = ("--agent", f"{path}:Drawing", *csv_task, "--env-steps", "4", "--knowledge", suite)
        outcome = flagbench("run", *arguments, "--out", tmp_path / suite, "--json")
        assert outcome.status == 0, outcome.err
        drawn.append((record_of(outcome.out)[2].training or {})["drawn"])
    assert drawn[0] == drawn[1]


# What is written and printed


@pytest.fixture(scope="module")
def asked_run(
    flagbench: "CommandLine",
    csv_task: tuple[str, ...],
    tiny_training: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
    toy_addition: str,
) -> "Ran":
    """FLAG on seeds 0 and 1, asked twelve questions; tests must not change its folder."""
    from tests.cli.conftest import Ran

    out = tmp_path_factory.mktemp("asked")
    arguments = ("--knowledge", toy_addition, "--seeds", "0-1", "--out", out)
    outcome = flagbench("run", *tiny_training, *csv_task, *arguments)
    assert outcome.status == 0, outcome.err
    return Ran(outcome, Path(outcome.last_line))


def test_the_files_hold_every_item_and_agree_with_the_record(asked_run: "Ran") -> None:
    for record in read_run(asked_run.folder):
        folder = asked_run.folder / f"seed-{record.seed}" / "knowledge"
        assert {path.name for path in folder.iterdir()} == {"before.jsonl", "noise.jsonl", "after.jsonl"}
        right = {}
        for name in ("before", "noise", "after"):
            lines = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
            assert [line["item"] for line in lines] == [f"sum-{number}" for number in range(12)]
            assert {(line["task"], line["version"]) for line in lines} == {("toy_addition", "2")}
            right[name] = [line["correct"] for line in lines]
        assert record.knowledge is not None
        task, whole = record.knowledge["retention"]
        assert whole == {**task, "task": None}
        for name in ("before", "after"):
            assert task[name] == record.knowledge[name]["toy_addition"]["accuracy"] == sum(right[name]) / 12
        pairs = list(zip(right["before"], right["after"], strict=True))
        assert (task["forgotten"], task["gained"]) == (pairs.count((True, False)), pairs.count((False, True)))
        pairs = list(zip(right["before"], right["noise"], strict=True))
        noise = {"forgotten": pairs.count((True, False)), "gained": pairs.count((False, True))}
        assert task["noise"] == {**noise, "batch_size": 8}


def test_a_table_has_a_row_a_seed_and_show_prints_it_from_the_records_alone(
    asked_run: "Ran", flagbench: "CommandLine", tmp_path: Path
) -> None:
    lines = asked_run.outcome.out.splitlines()
    assert lines.count("knowledge before and after training, suite toy_addition") == 1
    rows = [line.split() for line in lines if " toy_addition " in line]
    assert [row[:4] for row in rows] == [["seed", f"{seed}:", "toy_addition", "12"] for seed in (0, 1)]
    copy = tmp_path / "elsewhere"
    shutil.copytree(asked_run.folder, copy)
    for folder in copy.glob("seed-*/knowledge"):
        shutil.rmtree(folder)
    shown = flagbench("show", copy)
    assert shown.status == 0
    assert shown.out == asked_run.outcome.out.replace(str(asked_run.folder), str(copy))


def test_the_json_of_a_run_holds_its_knowledge(asked_run: "Ran", flagbench: "CommandLine") -> None:
    records = json.loads(flagbench("show", asked_run.folder, "--json").out)["runs"]
    knowledge = records[1]["knowledge"]
    assert set(knowledge) == {
        "suite",
        "batch_size",
        "dtype",
        "model_sha256",
        "before",
        "after",
        "retention",
        "separately",
        "kept",
    }
    assert (knowledge["suite"], knowledge["batch_size"], knowledge["dtype"]) == (
        "toy_addition",
        32,
        "float32",
    )
    for name in ("before", "after"):
        assert set(knowledge[name]["toy_addition"]) == {
            "accuracy",
            "stderr",
            "items",
            "unparsed",
            "truncated",
        }


# Agents that do not learn


def test_a_model_that_nobody_trains_forgets_and_gains_exactly_nothing(
    flagbench: "CommandLine", csv_task: tuple[str, ...], agents: str, tmp_path: Path
) -> None:
    arguments = ("--agent", f"{agents}:Reader", *csv_task, "--knowledge", "toy_addition")
    outcome = flagbench("run", *arguments, "--out", tmp_path / "runs", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    folder, printed, record = record_of(outcome.out)
    assert printed["knowledge"] == record.knowledge
    assert (record.setup, record.training, record.observed) == (None, None, None)
    for part in printed["knowledge"]["retention"]:
        assert (part["forgotten"], part["gained"], part["difference"], part["p_value"]) == (0, 0, 0, 1)
    hashes = printed["knowledge"]["model_sha256"]
    assert hashes["before"] == hashes["after"]
    files = [(folder / "knowledge" / f"{name}.jsonl").read_bytes() for name in ("before", "noise", "after")]
    assert files[0] == files[1] == files[2]
    assert (folder.parent / "retention.png").exists()


def test_one_picture_shows_what_all_seeds_earned_against_what_they_forgot(
    flagbench: "CommandLine", csv_task: tuple[str, ...], agents: str, tmp_path: Path
) -> None:
    arguments = ("--agent", f"{agents}:Reader", *csv_task, "--seeds", "0-1", "--knowledge", "toy_addition")
    outcome = flagbench("run", *arguments, "--out", tmp_path / "runs")
    assert (outcome.status, outcome.err) == (0, "")
    folder = Path(outcome.last_line)
    assert sorted(path.name for path in folder.iterdir()) == ["retention.png", "seed-0", "seed-1"]
    assert (folder / "retention.png").read_bytes().startswith(b"\x89PNG")


def test_there_is_no_picture_where_no_sharpe_ratio_is_defined(
    flagbench: "CommandLine", csv_task: tuple[str, ...], agents: str, tmp_path: Path
) -> None:
    arguments = ("--agent", f"{agents}:Flat", *csv_task, "--knowledge", "toy_addition")
    outcome = flagbench("run", *arguments, "--out", tmp_path / "runs")
    assert (outcome.status, outcome.err) == (0, "")
    assert "knowledge before and after training" in outcome.out
    assert [path.name for path in Path(outcome.last_line).iterdir()] == ["seed-0"]


@pytest.mark.parametrize("agent", ["random", "Reader"])
def test_nothing_is_asked_without_a_language_model_or_with_none(
    flagbench: "CommandLine", csv_task: tuple[str, ...], agents: str, tmp_path: Path, agent: str
) -> None:
    name, suite = (agent, "toy_addition") if agent == "random" else (f"{agents}:{agent}", "none")
    arguments = ("--agent", name, *csv_task, "--knowledge", suite, "--out", tmp_path / "runs")
    outcome = flagbench("run", *arguments, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    folder, printed, record = record_of(outcome.out)
    assert printed["knowledge"] is record.knowledge is None
    assert not (folder / "knowledge").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["seed-0"]
    assert "knowledge" not in flagbench("show", folder).out


LOADED = """
import sys
from flagbench.cli.main import main
status = main(sys.argv[1:])
print(status, *sorted({"torch", "transformers", "lm_eval", "datasets", "rich"} & set(sys.modules)))
"""


def test_without_a_language_model_no_engine_is_loaded(csv_task: tuple[str, ...], tmp_path: Path) -> None:
    arguments = ("run", "--agent", "random", *csv_task, "--json", "--out", str(tmp_path))
    command = [sys.executable, "-c", LOADED, *arguments, "--knowledge", "toy_addition"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"


def test_an_unknown_suite_is_refused_before_anything_heavy_loads(
    csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = ("run", "--agent", "flag", *csv_task, "--out", str(tmp_path / "runs"))
    command = [sys.executable, "-c", LOADED, *arguments, "--knowledge", "toy_additoin"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
    assert done.stderr.splitlines() == [
        "error: unknown knowledge suite `toy_additoin`",
        "hint: did you mean `toy_addition`?",
    ]
    assert not (tmp_path / "runs").exists()


# What goes wrong


FAULTS = {
    "Raises": "failed in `language_model`: ValueError('no luck')",
    "Nonsense": "failed in `language_model`: ValueError('too many values to unpack (expected 2)')",
    "Pair": "`language_model()` must return a transformers model and its tokenizer: 'str' object has",
}


@pytest.mark.parametrize("agent", FAULTS)
def test_a_language_model_that_is_none_is_the_agents_fault(
    flagbench: "CommandLine", csv_task: tuple[str, ...], agents: str, tmp_path: Path, agent: str
) -> None:
    arguments = ("--agent", f"{agents}:{agent}", *csv_task, "--knowledge", "toy_addition")
    outcome = flagbench("run", *arguments, "--out", tmp_path / "runs")
    assert (outcome.status, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first.startswith("error: ")
    assert FAULTS[agent] in first
    assert second.startswith("hint: ")
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def _heard_signals() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so would every process that a test starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_heard_signals")
@pytest.mark.parametrize("nth", [1, 3], ids=["before", "after"])
def test_ctrl_c_while_a_model_is_asked_leaves_nothing_behind(
    csv_task: tuple[str, ...], agents: str, tmp_path: Path, nth: int
) -> None:
    """A model is handed out three times: before, again for the noise floor, and after."""
    out = tmp_path / "out"
    agent = ("--agent", f"{agents}:Interrupted", "--set", f"nth={nth}", "--knowledge", "toy_addition")
    command = [sys.executable, "-m", "flagbench", "run", *agent, *csv_task, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted; the seed in progress was not written\n"
    # What the untrained model answered is true whatever became of the seed.
    assert [path.name for path in out.glob("*")] == ([] if nth == 1 else [".answers"])


# Progress


def test_on_a_terminal_one_bar_stands_after_the_other(
    csv_task: tuple[str, ...], tiny_training: tuple[str, ...], tmp_path: Path, on_terminal: "OnTerminal"
) -> None:
    asked = ("--knowledge", "toy_addition", "--out", str(tmp_path))
    status, shown, printed = on_terminal(["-m", "flagbench", "run", *tiny_training, *csv_task, *asked])
    assert status == 0
    bars = [f"flag TOY seed 0: toy_addition {when} training" for when in ("before", "after")]
    assert shown.rindex(bars[0]) < shown.index("16/16") < shown.index(bars[1])
    assert "━" not in printed
