import csv
import json
import math
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.records.ledger import LedgerState, read_trials, verify
from flagbench.records.run_directory import read_run
from flagbench.records.training_log import read_training_log
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.trading.action import NAMES

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran


def actions_of(seed: Path) -> list[str]:
    with (seed / "actions.csv").open() as stream:
        return [row["action"] for row in csv.DictReader(stream)]


def run_json(flagbench: "CommandLine", *arguments: object) -> list[dict[str, Any]]:
    outcome = flagbench("run", *arguments, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    printed = json.loads(outcome.out)
    assert set(printed) == {"runs"}
    runs: list[dict[str, Any]] = printed["runs"]
    return runs


def test_the_folder_stands_alone_on_the_last_line(random_run: "Ran") -> None:
    assert random_run.folder.is_dir()
    assert random_run.outcome.out.endswith(f"\n{random_run.folder}\n")
    assert [seed.name for seed in sorted(random_run.folder.iterdir())] == ["seed-0", "seed-1", "seed-12"]


def test_the_path_of_a_run_says_what_it_was(random_run: "Ran") -> None:
    asset, protocol, agent, run_id = random_run.folder.parts[-4:]
    assert (asset, protocol, agent) == ("TOY", "standard", "random")
    assert run_id == read_run(random_run.folder)[0].run_id


def test_a_run_prints_a_column_a_seed_and_buy_and_hold_for_both_windows(random_run: "Ran") -> None:
    headings = [line.split() for line in random_run.outcome.out.splitlines() if "  seed 0  " in line]
    assert headings == [["seed", "0", "seed", "1", "seed", "12", "buy-and-hold"]] * 2
    lines = random_run.outcome.out.splitlines()
    assert sum(line.startswith("train 2020-") for line in lines) == 1
    assert sum(line.startswith("test 2020-") for line in lines) == 1


def test_no_sharpe_ratio_is_printed_without_its_standard_error(random_run: "Ran") -> None:
    rows = [line for line in random_run.outcome.out.splitlines() if line.strip().startswith("sharpe ratio")]
    assert [row.count("±") for row in rows] == [4, 4]


def test_with_json_there_is_one_object_and_no_other_line(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    runs = run_json(flagbench, "--agent", "random", *csv_task, "--seeds", "2,0", "--out", tmp_path)
    assert [run["seed"] for run in runs] == [2, 0]
    for run in runs:
        assert set(run) == {"seed", "record", "kind", "train", "test", "knowledge"}
        assert run["kind"] == "market"
        record = json.loads(Path(run["record"]).read_text())
        assert record["seed"] == run["seed"]
        assert record["scores"] == {"train": run["train"], "test": run["test"]}
        assert run["test"]["uncertainty"]["sharpe_ratio"]["se"] > 0


def test_buy_and_hold_plays_its_closed_form_and_equals_the_column_beside_it(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    (run,) = run_json(flagbench, "--agent", "buy-and-hold", *csv_task, "--out", tmp_path)
    seed = Path(run["record"]).parent
    assert actions_of(seed) == [NAMES[action] for action in buy_and_hold_actions(24).tolist()]
    record = read_run(seed)[0]
    assert record.scores == record.buy_and_hold
    assert run["test"]["policy"]["identical_to"] == "buy-and-hold"


def test_always_flat_returns_nothing_and_has_no_sharpe_ratio(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    (run,) = run_json(flagbench, "--agent", "always-flat", *csv_task, "--out", tmp_path)
    for window in ("train", "test"):
        assert run[window]["cumulative_return"] == 0
        assert run[window]["sharpe_ratio"] is None
        assert run[window]["trades"] == 0


def test_the_folder_of_a_trained_seed_is_complete_and_leaves_nothing_beside_it(trained_run: "Ran") -> None:
    seed = trained_run.folder / "seed-3"
    files = {str(path.relative_to(seed)) for path in seed.rglob("*") if path.is_file()}
    assert files == {
        "record.json",
        "actions.csv",
        "equity.csv",
        "equity.png",
        "train.jsonl",
        "checkpoint/agent.json",
        "checkpoint/trained.safetensors",
    }
    assert [path.name for path in trained_run.folder.iterdir()] == ["seed-3"]


def test_the_record_of_a_trained_seed_says_how_it_was_trained(trained_run: "Ran") -> None:
    (record,) = read_run(trained_run.folder)
    assert (record.agent, record.seed) == ("flag", 3)
    assert record.setup is not None
    assert (record.setup.env_steps, record.setup.num_envs) == (16, 2)
    assert record.spec["settings"] == ["max_prompt_tokens=220", "ppo.num_steps=4"]
    assert record.spec["seeds"] == [3]
    assert record.params["ppo"]["num_steps"] == 4
    assert record.params["preset"] == "standard"
    assert record.observed is not None
    assert record.observed["processes"] == 1
    assert record.training is not None
    assert record.training["env_steps"] == 16
    assert record.seconds["training"] > 0


def test_the_training_log_has_a_line_an_iteration(trained_run: "Ran") -> None:
    log = read_training_log(trained_run.folder / "seed-3" / "train.jsonl")
    assert [line["env_steps"] for line in log] == [8, 16]
    assert all(math.isfinite(line["entropy"]) for line in log)


def test_random_weights_are_named_in_every_output(trained_run: "Ran", flagbench: "CommandLine") -> None:
    assert trained_run.outcome.err.startswith("note: `random` has random weights")
    assert "random weights: says nothing of a trained model" in trained_run.outcome.out


def test_a_record_refers_to_the_ledger_as_it_stood_after_its_trial(random_run: "Ran") -> None:
    ledger = random_run.folder.parents[3] / "ledger.jsonl"
    trials = read_trials(ledger)
    for number, record in enumerate(read_run(random_run.folder), start=1):
        assert record.ledger.length == number
        verify(ledger, expected=LedgerState(record.ledger.head, record.ledger.length))
        trial = trials[number - 1]
        assert (trial["seed"], trial["run_id"]) == (record.seed, record.run_id)
        assert trial["actions_sha256"] == record.actions_sha256
        actions = random_run.folder / f"seed-{record.seed}" / "actions.csv"
        assert sha256(actions.read_bytes()).hexdigest() == record.actions_sha256


def test_the_score_of_a_run_is_the_score_of_its_actions_file(
    random_run: "Ran", csv_task: tuple[str, ...], flagbench: "CommandLine"
) -> None:
    start, end = csv_task[5].split(":")
    for seed in (0, 12):
        actions = random_run.folder / f"seed-{seed}" / "actions.csv"
        outcome = flagbench("score", actions, *csv_task[:2], "--start", start, "--end", end, "--json")
        again = json.loads(outcome.out)
        (record,) = read_run(actions.parent)
        assert {name: again[name] for name in record.scores["test"]} == record.scores["test"]


def test_the_equity_file_holds_both_windows_and_ends_at_the_recorded_returns(random_run: "Ran") -> None:
    seed = random_run.folder / "seed-1"
    with (seed / "equity.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    (record,) = read_run(seed)
    for window in ("train", "test"):
        own = [float(row["equity"]) for row in rows if row["window"] == window]
        held = [float(row["buy_and_hold"]) for row in rows if row["window"] == window]
        assert len(own) == 25
        assert own[-1] / own[0] - 1 == pytest.approx(record.scores[window]["cumulative_return"])
        assert held[-1] / held[0] - 1 == pytest.approx(record.buy_and_hold[window]["cumulative_return"])


def test_the_same_seed_gives_the_same_actions_scores_and_weights(
    trained_run: "Ran",
    flagbench: "CommandLine",
    csv_task: tuple[str, ...],
    tiny_training: tuple[str, ...],
    tmp_path: Path,
) -> None:
    outcome = flagbench("run", *tiny_training, *csv_task, "--seeds", "3", "--out", tmp_path)
    first, second = trained_run.folder / "seed-3", Path(outcome.last_line) / "seed-3"
    assert (first / "actions.csv").read_bytes() == (second / "actions.csv").read_bytes()
    assert (first / "equity.csv").read_bytes() == (second / "equity.csv").read_bytes()
    records = [read_run(folder)[0] for folder in (first, second)]
    assert records[0].scores == records[1].scores
    training = [record.training or {} for record in records]
    assert training[0]["weights_sha256"] == training[1]["weights_sha256"]


def test_another_seed_gives_other_actions(random_run: "Ran") -> None:
    actions = [actions_of(random_run.folder / f"seed-{seed}") for seed in (0, 1, 12)]
    assert len({tuple(path) for path in actions}) == 3
    assert np.unique([len(path) for path in actions]).tolist() == [24]


def test_an_agent_of_a_file_runs_with_params_from_the_command_line(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path: Path
) -> None:
    agent = tmp_path / "mine.py"
    agent.write_text(
        "class Every:\n"
        "    def __init__(self, bars: int):\n"
        "        self.bars = bars\n"
        "    def reset(self, seed):\n"
        "        self.seen = 0\n"
        "    def act(self, observation):\n"
        "        self.seen += 1\n"
        "        return 2 if self.seen == self.bars else 1\n"
    )
    arguments = ("--agent", f"{agent}:Every", *csv_task, "--out", tmp_path / "runs")
    (run,) = run_json(flagbench, *arguments, "--set", "bars=5")
    seed = Path(run["record"]).parent
    assert actions_of(seed) == ["hold"] * 4 + ["buy"] + ["hold"] * 19
    assert seed.parts[-3] == "mine.Every"
    (record,) = read_run(seed)
    assert record.params == {"bars": 5}
    assert (record.setup, record.training, record.observed) == (None, None, None)
