"""An agent that knows the future runs like any other, and everything that comes of it says so."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.records.run_directory import read_run
from flagbench.records.run_record import read_record

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome, Ran

ORACLE = f"{Path(__file__).parents[2] / 'baselines' / 'oracle.py'}:Oracle"


@pytest.fixture(scope="module")
def ran(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> "Outcome":
    outcome = flagbench("run", "--agent", ORACLE, *csv_task, "--out", tmp_path_factory.mktemp("oracle"))
    assert outcome.status == 0, outcome.err
    return outcome


def test_its_record_says_that_it_is_not_ranked(ran: "Outcome", random_run: "Ran") -> None:
    (record,) = read_run(Path(ran.last_line))
    assert not record.ranked
    assert record.params == {"actions": "of 48 bars, told beforehand"}
    assert all(each.ranked for each in read_run(random_run.folder))


def test_its_tables_say_that_it_knows_the_future(ran: "Outcome", flagbench: "CommandLine") -> None:
    assert ran.out.startswith(f"{ORACLE} (knows the future) on TOY")
    assert f"with {ORACLE} (knows the future) (seed 0)" in ran.out
    assert flagbench("show", ran.last_line).out == ran.out


def test_it_ends_richer_than_agents_that_do_not(ran: "Outcome", random_run: "Ran") -> None:
    (best,) = read_run(Path(ran.last_line))
    for window in ("train", "test"):
        others = [record.scores[window] for record in read_run(random_run.folder)]
        others.append(best.buy_and_hold[window])
        own = best.scores[window]["cumulative_return"]
        assert own > max(score["cumulative_return"] for score in others)


def test_a_record_of_before_says_nothing_and_is_ranked(random_run: "Ran", tmp_path: Path) -> None:
    values = json.loads((random_run.folder / "seed-0" / "record.json").read_text())
    del values["ranked"]
    (tmp_path / "record.json").write_text(json.dumps(values))
    assert read_record(tmp_path).ranked
