"""FLAG learns what is planted in headlines, and nothing where nothing is: `benchmarks/planted_signal.py`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "planted_signal.py"
HOURS = 6


def measured(*arguments: str, seconds: int = HOURS * 3600) -> dict[str, Any]:
    """what the benchmark prints at its own budget: embedded backbone, 6,400 steps, 250 and 150 days."""
    command = [sys.executable, str(BENCHMARK), *arguments, "--json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, env=environment
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.long
def test_on_one_market_flag_comes_close_to_a_rule_that_reads_the_planted_tone() -> None:
    """With less than a third of the steps, at the bar of the whole budget."""
    (market,) = measured("--signal", "0.9", "--markets", "0", "--env-steps", "1920")["markets"]
    assert market["rule"] > 0
    assert market["of_rule"] >= 0.8
    assert market["timing"] > 3 * market["timing_by_chance"]


@pytest.mark.long
def test_on_one_market_without_a_signal_its_timing_is_chance() -> None:
    """Within three standard deviations of the same positions shifted in time: at equal exposure."""
    (market,) = measured("--signal", "0", "--markets", "7", "--env-steps", "1280")["markets"]
    assert market["timing_by_chance"] > 0, "it never traded, so there is nothing to judge"
    assert abs(market["timing"]) <= 3 * market["timing_by_chance"]


@pytest.mark.slow
def test_on_five_fresh_markets_flag_learns_to_read() -> None:
    found = measured("--signal", "0.9", "--markets", "0-4")
    assert len(found["markets"]) == 5
    assert found["at_least_80_percent_of_rule"] >= 4
    assert found["median_of_oracle"] >= 0.7


@pytest.mark.slow
def test_on_twenty_fresh_markets_without_a_signal_its_timing_is_zero_within_its_error() -> None:
    found = measured("--signal", "0", "--markets", "0-19", "--jobs", "2")
    assert len(found["markets"]) == 20
    assert abs(found["mean_timing"]) <= 2 * found["standard_error_of_timing"]
