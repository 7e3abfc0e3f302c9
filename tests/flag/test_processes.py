import json
import os
import subprocess
import sys
from pathlib import Path

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


def test_two_processes_end_with_equal_weights_and_one_correct_record(bars: Path, tmp_path: Path) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    run = ["-m", "flagbench", "run", "--agent", "flag", "--backbone", "random", "--asset", str(bars)]
    windows = ["--train", "2020-01-29:2020-02-10", "--test", "2020-02-11:2020-02-20"]
    budget = ["--env-steps", "32", "--num-envs", "2", "--seeds", "0-1", "--set", "ppo.num_steps=4"]
    shape = ["--set", "ppo.update_epochs=2", "--precision", "no", "--out", str(tmp_path), "--json"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, *run, *windows, *budget, *shape],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)["runs"]
    assert [run["seed"] for run in runs] == [0, 1]
    records = [json.loads(Path(run["record"]).read_text(encoding="utf-8")) for run in runs]
    for record in records:
        assert record["observed"]["processes"] == 2
        assert record["training"]["env_steps"] == 32
        assert record["training"]["iterations"] == 2
        first, second = record["training"]["weights_sha256"]
        assert first == second
    digests = [record["training"]["weights_sha256"][0] for record in records]
    assert digests[0] != digests[1]
    assert len((tmp_path / "ledger.jsonl").read_text(encoding="utf-8").splitlines()) == 2
