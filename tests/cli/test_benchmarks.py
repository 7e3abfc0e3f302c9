"""The scripts below `benchmarks` that a user runs."""

import json
import math
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flagbench.market.asset import load_asset
from flagbench.market.replica import ReplicaSpec, make_replica
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.trading.oracle import best_actions
from flagbench.trading.prices import window_prices
from flagbench.trading.protocol import load_protocol
from flagbench.trading.replay import replay

ROOT = Path(__file__).parents[2]
TINY = ("--backbone", "random", "--env-steps", "16", "--train", "40", "--test", "20", "--markets", "0-1")


def planted_signal(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The benchmark, started from anywhere."""
    command = [sys.executable, str(ROOT / "benchmarks" / "planted_signal.py"), *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, env=environment, timeout=500
    )


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    return planted_signal(tmp_path_factory.mktemp("anywhere"), *TINY, "--json")


def test_the_planted_signal_is_summed_up_from_its_markets(
    measured: "subprocess.CompletedProcess[str]",
) -> None:
    found = json.loads(measured.stdout)
    assert len(measured.stdout.splitlines()) == 1
    markets: list[dict[str, Any]] = found["markets"]
    assert [market["market"] for market in markets] == [0, 1]
    for market in markets:
        assert market["of_rule"] == market["agent"] / market["rule"]
        assert market["of_oracle"] == market["agent"] / market["oracle"]
        assert market["oracle"] >= max(market["agent"], market["rule"])
        assert 0 <= market["exposure"] <= 1
        assert market["timing_by_chance"] > 0
        assert market["seconds"] > 0
    shares = [[market[name] for market in markets] for name in ("of_rule", "of_oracle")]
    assert found["median_of_rule"] == pytest.approx(sum(shares[0]) / 2)
    assert found["median_of_oracle"] == pytest.approx(sum(shares[1]) / 2)
    assert found["at_least_80_percent_of_rule"] == sum(share >= 0.8 for share in shares[0])
    timings = [market["timing"] for market in markets]
    assert found["mean_timing"] == pytest.approx(sum(timings) / 2)
    # The standard error of two values is half their distance.
    assert found["standard_error_of_timing"] == pytest.approx(abs(timings[0] - timings[1]) / 2)
    assert found["standard_error_of_timing"] == pytest.approx(statistics.stdev(timings) / math.sqrt(2))


def test_each_market_of_the_planted_signal_is_the_replica_that_it_names(
    measured: "subprocess.CompletedProcess[str]",
) -> None:
    protocol = load_protocol("standard")
    for market in json.loads(measured.stdout)["markets"]:
        spec = ReplicaSpec(signal=0.9, seed=market["market"], train=40, test=20)
        replica = make_replica(load_asset("TSLA"), spec)
        test = replica.asset.windows.test
        best = replay(replica, protocol, test, best_actions(window_prices(replica, protocol, test), protocol))
        assert market["oracle"] == pytest.approx(math.log(best.equity[-1] / best.equity[0]))
        # An exposure of k bars of nineteen is a whole number of bars.
        held = replay(replica, protocol, test, buy_and_hold_actions(19))
        bars = market["exposure"] * len(held.order_returns)
        assert bars == pytest.approx(round(bars))
        assert abs(market["timing"]) <= np.abs(held.order_returns).sum()


def test_progress_goes_to_stderr_with_json_and_to_stdout_without(
    measured: "subprocess.CompletedProcess[str]", tmp_path: Path
) -> None:
    lines = measured.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["market 0", "market 1"]
    plain = planted_signal(tmp_path, *TINY[:-1], "0")
    first, last = plain.stdout.splitlines()
    assert first.rpartition(",")[0] == lines[0].rpartition(",")[0]  # all but the seconds
    assert last.startswith("0 of 1 at 0.80 of the rule or more, median ")
    assert "±" not in last  # one market has no standard error
