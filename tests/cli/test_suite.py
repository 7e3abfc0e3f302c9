import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.records.ledger import read_trials
from flagbench.records.run_directory import read_run

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome

PATIENCE = 240.0
"""Seconds; a busy machine takes its time to start a worker."""

SUITE = """
id: tiny
version: 2
description: An honest agent beside one that may fail.
protocol: standard
data: replica:train=20,test=20
assets: [TSLA]
seeds: [0, 1]
knowledge: none
agents:
  - agent: {folder}/mine.py:Mine
    label: mine
  - agent: random
"""

AGENT = """
import os, time
from pathlib import Path

HERE = Path({folder!r})

class Mine:
    def reset(self, seed):
        self.seed = seed
    def act(self, observation):
        print("chatter")
        if self.seed == 1 and (HERE / "crash").exists():
            raise ValueError("no luck")
        if self.seed == 1 and (HERE / "die").exists():
            os._exit(9)
        while (HERE / "wait").exists():
            (HERE / f"begun-{{self.seed}}").write_text("")
            time.sleep(0.01)
        return 1
"""

PLAN = """\
suite tiny v2, protocol standard: An honest agent beside one that may fail.

 agent    asset            seed 0   seed 1   a cell takes
 ────────────────────────────────────────────────────────
 mine     TSLA (replica)   to do    to do    unknown
 random   TSLA (replica)   to do    to do    unknown

4 cells: 4 to do
estimated time: unknown for mine (2), random (2), of which no cell is finished
"""


@pytest.fixture(autouse=True)
def _heard_signals() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so would every process that a test starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def suite_in(folder: Path) -> Path:
    """A suite of two agents and two seeds; files beside it decide what the first agent does."""
    (folder / "mine.py").write_text(AGENT.format(folder=str(folder)))
    path = folder / "tiny.yaml"
    path.write_text(SUITE.format(folder=folder))
    return path


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return suite_in(tmp_path)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def states(flagbench: "CommandLine", suite: Path) -> list[str]:
    out = suite.parent / "out"
    printed = json.loads(flagbench("suite", suite, "--plan", "--json", "--out", out).out)
    return [cell["state"] for cell in printed["cells"]]


def halves(folder: Path) -> list[Path]:
    """Folders of runs that are not whole."""
    return [path for path in hidden(folder) if ".partial-" in path.name]


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_the_plan_is_shown_and_nothing_is_done(flagbench: "CommandLine", suite: Path) -> None:
    outcome = flagbench("suite", suite, "--plan", "--out", suite.parent / "out")
    assert (outcome.status, outcome.err) == (0, "")
    assert lines(outcome.out) == lines(PLAN)
    assert not (suite.parent / "out").exists()


@pytest.fixture(scope="module")
def crashed(flagbench: "CommandLine", tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "Outcome"]:
    """A suite of which one cell raised, run two at once."""
    folder = tmp_path_factory.mktemp("crashed")
    suite = suite_in(folder)
    (folder / "crash").touch()
    return suite, flagbench("suite", suite, "--jobs", 2, "--out", folder / "out")


def test_a_crash_in_one_cell_does_not_stop_the_others(crashed: tuple[Path, "Outcome"]) -> None:
    suite, outcome = crashed
    out = suite.parent / "out"
    assert outcome.status == 1
    assert outcome.last_line == str(out)
    (error,) = (out / "errors").iterdir()
    shown = lines(outcome.out)
    assert " mine     TSLA (replica)   done     failed" in outcome.out
    assert " random   TSLA (replica)   done     done" in outcome.out
    reason = "the agent failed after the bar of 2020-09-02: ValueError('no luck')"
    assert f"failed: mine TSLA (replica) seed 1: {reason} ({error})" in shown
    assert shown[-2] == f"to compare: flagbench compare {out}"


def test_the_error_of_a_cell_is_kept_whole_in_a_file(crashed: tuple[Path, "Outcome"]) -> None:
    (error,) = (crashed[0].parent / "out" / "errors").iterdir()
    assert error.name.startswith("TSLA-replica.mine.Mine.tiny-")
    assert error.name.endswith(".seed-1.txt")
    text = error.read_text()
    assert text.startswith("chatter\n")
    assert 'raise ValueError("no luck")' in text
    assert "\nhint: " in text


def test_every_cell_that_ended_has_its_line_on_stderr(crashed: tuple[Path, "Outcome"]) -> None:
    told = sorted(line for line in crashed[1].err.splitlines() if line.startswith("["))
    assert [line[:6] for line in told] == ["[1/4] ", "[2/4] ", "[3/4] ", "[4/4] "]
    assert sum(": done in " in line for line in told) == 3
    assert sum(": failed: the agent failed " in line for line in told) == 1
    assert crashed[1].err.splitlines()[1] == "4 cells: 4 to do"


def test_workers_share_one_ledger_that_holds(crashed: tuple[Path, "Outcome"]) -> None:
    trials = read_trials(crashed[0].parent / "out" / "ledger.jsonl")
    assert sorted((trial["agent"].rpartition(":")[2], trial["seed"]) for trial in trials) == [
        ("Mine", 0),
        ("random", 0),
        ("random", 1),
    ]


def test_seeds_of_one_agent_lie_in_one_run(crashed: tuple[Path, "Outcome"]) -> None:
    (run,) = (crashed[0].parent / "out").glob("*/*/random/*")
    records = read_run(run)
    assert [record.seed for record in records] == [0, 1]
    assert [record.spec["seeds"] for record in records] == [[0], [1]]
    assert hidden(crashed[0].parent / "out") == []


def test_the_same_again_runs_only_what_is_not_there(
    crashed: tuple[Path, "Outcome"], flagbench: "CommandLine"
) -> None:
    suite, _ = crashed
    out = suite.parent / "out"
    before = {path: path.stat().st_mtime_ns for path in out.rglob("record.json")}
    (suite.parent / "crash").unlink()
    again = flagbench("suite", suite, "--out", out)
    assert again.status == 0, again.out
    assert sum(line.startswith("[") for line in again.err.splitlines()) == 1
    assert "4 cells: 3 done, 1 failed, to do again" in again.err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(out.rglob("record.json"))) == 4
    assert not (out / "errors").exists()
    nothing = flagbench("suite", suite, "--out", out)
    assert nothing.status == 0
    assert "[" not in nothing.err
    assert "estimated time: nothing is left to do" in nothing.out


def test_a_worker_that_dies_is_a_failed_cell(flagbench: "CommandLine", suite: Path) -> None:
    (suite.parent / "die").touch()
    text = suite.read_text().partition("  - agent: random")[0].replace("[0, 1]", "[1]")
    suite.write_text(text)
    outcome = flagbench("suite", suite, "--out", suite.parent / "out")
    assert outcome.status == 1
    assert "failed: mine TSLA (replica) seed 1: chatter (" in outcome.out or "status 9" in outcome.out


def test_no_record_is_ever_overwritten(flagbench: "CommandLine", suite: Path) -> None:
    suite.write_text(suite.read_text().partition("  - agent: random")[0].replace("[0, 1]", "[0]"))
    assert flagbench("suite", suite, "--out", suite.parent / "out").status == 0
    (record,) = (suite.parent / "out").rglob("record.json")
    record.write_text("{broken")
    outcome = flagbench("suite", suite, "--out", suite.parent / "out")
    assert outcome.status == 1
    assert f"unreadable: mine TSLA (replica) seed 0: {record} is no JSON" in outcome.out
    assert f"move {record.parents[1]} away to run it again" in outcome.out
    assert record.read_text() == "{broken"


def started(suite: Path, *, jobs: int) -> "subprocess.Popen[str]":
    """`flagbench suite` in a process of its own, once every worker has a cell in hand."""
    command = [sys.executable, "-m", "flagbench", "suite", str(suite), "--jobs", str(jobs)]
    process = subprocess.Popen(
        [*command, "--out", str(suite.parent / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if len(list(suite.parent.glob("begun-*"))) == jobs:
            return process
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"the cells did not begin: {process.communicate()}")


@pytest.mark.parametrize(
    ("send", "sent", "status"),
    [(os.killpg, signal.SIGINT, 130), (os.kill, signal.SIGINT, 130), (os.kill, signal.SIGTERM, 143)],
    ids=["terminal", "kill", "sigterm"],
)
def test_a_signal_stops_the_workers_and_the_same_command_goes_on(
    flagbench: "CommandLine", suite: Path, send: Callable[[int, int], None], sent: int, status: int
) -> None:
    (suite.parent / "wait").touch()
    process = started(suite, jobs=2)
    send(process.pid, sent)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (status, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1] == (
        "interrupted; finished cells are kept, and the same command goes on with the others"
    )
    assert list((suite.parent / "out").rglob("*")) == []
    (suite.parent / "wait").unlink()
    assert states(flagbench, suite) == ["to do"] * 4
    outcome = flagbench("suite", suite, "--jobs", 2, "--out", suite.parent / "out")
    assert outcome.status == 0, outcome.out
    assert states(flagbench, suite) == ["done"] * 4


def test_a_suite_is_not_run_twice_at_once_in_one_folder(flagbench: "CommandLine", suite: Path) -> None:
    out = suite.parent / "out"
    (suite.parent / "wait").touch()
    process = started(suite, jobs=1)
    command = [sys.executable, "-m", "flagbench", "suite", str(suite), "--out", str(out)]
    try:  # without the lock the second would wait for the same cell, and for ever
        second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        assert flagbench("suite", suite, "--plan", "--out", out).status == 0
    finally:
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.splitlines()[-2:] == [
        f"error: `flagbench suite tiny` is already at work in {out}",
        "hint: wait for it or choose another --out",
    ]
    (suite.parent / "wait").unlink()
    assert flagbench("suite", suite, "--out", out).status == 0
    assert not list(out.glob(".tiny.lock"))


def test_a_folder_that_cannot_be_made_is_named(flagbench: "CommandLine", suite: Path) -> None:
    outcome = flagbench("suite", suite, "--out", suite / "out")
    assert outcome.status == 2
    assert f"error: {suite / 'out'} cannot be written" in outcome.err


def test_workers_end_with_a_suite_that_was_killed(suite: Path) -> None:
    (suite.parent / "wait").touch()
    process = started(suite, jobs=1)
    assert len(halves(suite.parent / "out")) == 1
    process.kill()
    process.communicate(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while halves(suite.parent / "out") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert halves(suite.parent / "out") == []


def test_what_the_command_line_says_goes_before_the_file(flagbench: "CommandLine", suite: Path) -> None:
    outcome = flagbench(
        "suite", suite, "--plan", "--seeds", "3,5", "--data", "replica:train=20,test=21", "--json"
    )
    printed = json.loads(outcome.out)
    assert (printed["suite"], printed["folder"]) == ("tiny", "suites/tiny")
    assert [cell["seed"] for cell in printed["cells"]] == [3, 5, 3, 5]
    plain = json.loads(flagbench("suite", suite, "--plan", "--seeds", "3,5", "--json").out)
    assert plain["cells"][0]["folder"] != printed["cells"][0]["folder"]


def test_wrong_numbers_are_errors_of_the_user(flagbench: "CommandLine", suite: Path) -> None:
    assert flagbench("suite", suite, "--jobs", 0).err == "error: --jobs 0: at least one cell is run at once\n"
    outcome = flagbench("suite", suite, "--env-steps", -1)
    assert outcome.status == 2
    assert outcome.err.startswith("error: the command line: `env_steps`: ")
