import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty weekday bars of a random walk."""
    path: Path = tmp_path_factory.mktemp("bars") / "walk.csv"
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 40)))
    days = np.busday_offset("2020-01-01", np.arange(40), roll="forward").astype("datetime64[D]")
    rows = [f"{day},{c},{c * 1.01},{c * 0.99},{c}" for day, c in zip(days, closes, strict=True)]
    path.write_text("\n".join(["date,open,high,low,close", *rows]) + "\n", encoding="utf-8")
    return path


NOTED = """
import os
from pathlib import Path
from flagbench.flag.agent import FlagAgent

class Noted(FlagAgent):
    '''FLAG, which notes in which process its language model is asked for.'''

    def language_model(self):
        with Path(os.environ["NOTES"]).open("a") as notes:
            notes.write(os.environ["RANK"] + "\\n")
        return super().language_model()
"""


class Ran(NamedTuple):
    """Two runs of two processes, which differ in whether the model is asked; records a seed."""

    with_questions: list[dict[str, Any]]
    without: list[dict[str, Any]]
    folder: Path


@pytest.fixture(scope="module")
def ran(bars: Path, toy_addition: str, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("processes")
    (folder / "noted.py").write_text(NOTED)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    agent = ["--agent", f"{folder / 'noted.py'}:Noted", "--backbone", "random", "--set", "ppo.num_steps=4"]
    windows = ["--train", "2020-01-29:2020-02-10", "--test", "2020-02-11:2020-02-20"]
    budget = ["--env-steps", "32", "--num-envs", "2", "--set", "ppo.update_epochs=2", "--precision", "no"]
    run = ["-m", "flagbench", "run", *agent, "--asset", str(bars), *windows, *budget, "--json"]
    records = []
    for suite, seeds in ((toy_addition, "0-1"), ("none", "0")):
        out = ["--knowledge", suite, "--seeds", seeds, "--out", str(folder / suite)]
        own = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "NOTES": str(folder / f"{suite}.txt")}
        done = subprocess.run(
            [*torchrun, *run, *out],
            capture_output=True,
            text=True,
            env={**os.environ, **own},
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed = json.loads(done.stdout)["runs"]
        records.append([json.loads(Path(run["record"]).read_text(encoding="utf-8")) for run in printed])
    return Ran(records[0], records[1], folder)


def test_two_processes_end_with_equal_weights_and_one_correct_record(ran: Ran, toy_addition: str) -> None:
    records = ran.with_questions
    assert [record["seed"] for record in records] == [0, 1]
    for record in records:
        assert record["observed"]["processes"] == 2
        assert record["training"]["env_steps"] == 32
        assert record["training"]["iterations"] == 2
        first, second = record["training"]["weights_sha256"]
        assert first == second
    digests = [record["training"]["weights_sha256"][0] for record in records]
    assert digests[0] != digests[1]
    ledger = ran.folder / toy_addition / "ledger.jsonl"
    assert len(ledger.read_text(encoding="utf-8").splitlines()) == 2


def test_only_the_first_of_two_processes_asks_and_the_training_is_the_same(ran: Ran) -> None:
    asked, silent = ran.with_questions[0], ran.without[0]
    assert asked["training"]["weights_sha256"] == silent["training"]["weights_sha256"]
    assert asked["actions_sha256"] == silent["actions_sha256"]
    assert asked["scores"] == silent["scores"]
    # before, again and after, for each of two seeds
    assert (ran.folder / "toy_addition.txt").read_text().split() == ["0"] * 6
    assert not (ran.folder / "none.txt").exists()
    assert silent["knowledge"] is None
    for record in ran.with_questions:
        task, whole = record["knowledge"]["retention"]
        assert (task["items"], whole["items"]) == (12, 12)
        hashes = record["knowledge"]["model_sha256"]
        assert hashes["before"] == record["training"]["weights"]["backbone_sha256"] != hashes["after"]
