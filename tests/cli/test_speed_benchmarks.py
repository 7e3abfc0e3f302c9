"""`benchmarks/run.py`: every row runs and its two ways give the same. No time is asserted."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measure import MODULES, row_of

ROOT = Path(__file__).parents[2]
RUN = str(ROOT / "benchmarks" / "run.py")

ROWS = [slug for slugs in MODULES.values() for slug in slugs]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, RUN, *arguments], capture_output=True, text=True, check=False, timeout=600
    )


@pytest.mark.parametrize("slug", ROWS)
def test_a_row_runs_and_its_two_ways_agree(slug: str) -> None:
    command = [sys.executable, "-m", "benchmarks.measure", slug]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=600)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert len(result["ours"]) == len(result["theirs"]) == 1
    assert result["agreement"]


def test_every_slug_names_its_row() -> None:
    assert [row_of(slug).slug for slug in ROWS] == ROWS


def test_the_driver_writes_what_it_measured_and_keeps_the_other_rows(tmp_path: Path) -> None:
    out = tmp_path / "results.json"
    out.write_text('{"other": {}}')
    done = run("--quick", "--only", "all-metrics", "--out", str(out))
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    assert list(results) == ["other", "all-metrics"]
    assert f"all-metrics: {results['all-metrics']['ratios']['wall'][0]:.2f}" in done.stdout
    assert results["all-metrics"]["agreement"] in done.stdout


def test_an_unknown_row_is_answered_with_those_there_are() -> None:
    done = run("--quick", "--only", "nothing")
    assert done.returncode == 2
    assert ", ".join(ROWS) in " ".join(done.stderr.split())


def test_the_table_says_when_a_ratio_is_not_reached_or_its_spread_reaches_below(tmp_path: Path) -> None:
    def result(*ratios: float) -> dict[str, object]:
        times = [{"wall": 0.5, "processor": 0.5} for _ in ratios]
        return {
            "agreement": "equal",
            "ours": times,
            "theirs": times,
            "ratios": {"wall": list(ratios), "processor": list(ratios)},
            "peak_rss_mib_ours": 100.4,
        }

    path = tmp_path / "results.json"
    rows = {"flag-embedded": result(6, 7, 8), "dqn": result(1.2, 1.4, 1.5), "all-metrics": result(1, 2, 3)}
    path.write_text(json.dumps(rows))
    lines = run("--table", str(path)).stdout.splitlines()
    embedded, dqn, metrics = (line.split(" | ") for line in lines[2:])
    assert embedded[2:7] == ["5", "7.00 (6.00 to 8.00)", "7.00 (6.00 to 8.00)", "yes", "500 / 500"]
    assert embedded[7] == "100 / –"
    assert dqn[5] == "yes, but the spread reaches below"
    assert metrics[5] == "**no**"


def test_a_size_must_be_chosen() -> None:
    done = run()
    assert done.returncode == 2
    assert "choose --quick or --full" in done.stderr
