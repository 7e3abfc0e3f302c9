import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.records.run_directory import read_run

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran


@pytest.fixture(params=["trained_run", "random_run"])
def run(request: pytest.FixtureRequest) -> "Ran":
    """A run of an agent that learns, and one of three seeds of an agent that does not."""
    ran: Ran = request.getfixturevalue(request.param)
    return ran


def test_it_prints_exactly_what_the_run_printed(run: "Ran", flagbench: "CommandLine") -> None:
    assert flagbench("show", run.folder) == (0, run.outcome.out, "")


def test_it_needs_the_records_alone(
    run: "Ran", flagbench: "CommandLine", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", str(tmp_path / "nowhere"))
    copy = tmp_path / "elsewhere"
    shutil.copytree(run.folder, copy)
    for seed in copy.iterdir():
        shutil.rmtree(seed / "checkpoint", ignore_errors=True)
        for name in ("train.jsonl", "actions.csv", "equity.csv", "equity.png"):
            (seed / name).unlink(missing_ok=True)
    shown = flagbench("show", copy)
    assert shown.status == 0
    assert shown.out == run.outcome.out.replace(str(run.folder), str(copy))


def test_a_seed_is_shown_by_its_own_folder(random_run: "Ran", flagbench: "CommandLine") -> None:
    shown = flagbench("show", random_run.folder / "seed-12")
    assert shown.status == 0
    assert shown.last_line == str(random_run.folder / "seed-12")
    headings = [line.split() for line in shown.out.splitlines() if "  seed 12  " in line]
    assert headings == [["seed", "12", "buy-and-hold"]] * 2


def test_seeds_stand_in_the_order_of_their_numbers(random_run: "Ran", flagbench: "CommandLine") -> None:
    runs = json.loads(flagbench("show", random_run.folder, "--json").out)["runs"]
    assert [run["seed"] for run in runs] == [0, 1, 12]


@pytest.mark.parametrize("other", ["replica", "replica:seed=1"])
def test_rows_on_a_replica_and_on_another_market_never_share_a_table(
    random_run: "Ran", flagbench: "CommandLine", tmp_path: Path, other: str
) -> None:
    first = random_run.folder if other == "replica" else None
    arguments = ("run", "--agent", "random", "--asset", "TSLA", "--out", tmp_path / "runs")
    first = first or Path(flagbench(*arguments, "--data", "replica").last_line)
    second = Path(flagbench(*arguments, "--data", other, "--seeds", "7").last_line)
    mixed = tmp_path / "mixed"
    shutil.copytree(first, mixed)
    shutil.copytree(second / "seed-7", mixed / "seed-7")
    outcome = flagbench("show", mixed)
    assert (outcome.status, outcome.out) == (2, "")
    what = "kind of market" if other == "replica" else "market"
    assert outcome.err.startswith(f"error: one table holds one {what}, these records have 2: ")


def test_with_json_it_prints_the_records(run: "Ran", flagbench: "CommandLine") -> None:
    outcome = flagbench("show", run.folder, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    records = [record.model_dump(mode="json") for record in read_run(run.folder)]
    assert json.loads(outcome.out) == {"runs": records}
