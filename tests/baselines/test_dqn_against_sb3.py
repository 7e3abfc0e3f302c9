"""DQN beside stable-baselines3's: `benchmarks/dqn_against_sb3.py`."""

import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "dqn_against_sb3.py"


def measured(folder: Path, *arguments: str, seconds: int) -> tuple[dict[str, Any], str]:
    """What the benchmark prints, started from anywhere."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=seconds,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


def test_seeds_are_summed_up_as_shares_of_the_oracle(tmp_path: Path) -> None:
    options = ("--seeds", "0-1", "--env-steps", "64", "--train", "40", "--test", "20")
    found, talk = measured(tmp_path, *options, seconds=500)
    assert [line.split(":")[0] for line in talk.splitlines() if line.startswith("seed")] == [
        "seed 0",
        "seed 1",
    ]
    one, two = found["seeds"]
    differences = [seed["ours"] - seed["sb3"] for seed in (one, two)]
    oracle = statistics.mean([one["oracle"], two["oracle"]])
    for seed in (one, two):
        assert seed["oracle"] >= max(seed["ours"], seed["sb3"], seed["rule"], seed["buy_and_hold"])
    assert found["of_oracle"] == pytest.approx(statistics.mean(differences) / oracle)
    # Student's t with one degree of freedom is Cauchy's: its 95 % point is tan(0.45 π).
    reach = math.tan(0.45 * math.pi) * statistics.stdev(differences) / math.sqrt(2) / oracle
    expected = [found["of_oracle"] - reach, found["of_oracle"] + reach]
    assert found["interval_of_oracle"] == pytest.approx(expected)


@pytest.mark.slow
def test_it_learns_as_well_as_stable_baselines3s(tmp_path: Path) -> None:
    """The whole 90 % interval of the mean difference within 10 % of the oracle's return."""
    found, _ = measured(tmp_path, "--seeds", "0-11", "--jobs", "2", seconds=3 * 3600)
    assert len(found["seeds"]) >= 10
    assert found["level"] == 0.9
    low, high = found["interval_of_oracle"]
    assert -0.1 <= low <= high <= 0.1
    # Both have learnt what there is to learn, or their agreement would say nothing.
    assert min(found["mean_ours"], found["mean_sb3"]) >= 0.8 * found["mean_rule"] > 0
