import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome, Ran


@pytest.fixture
def score_toy(flagbench: "CommandLine", csv_task: tuple[str, ...]) -> "CommandLine":
    """`flagbench score` on the small market."""

    def score(*arguments: object) -> "Outcome":
        return flagbench("score", *csv_task[:2], *arguments)

    return score


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("--start", "2020-03-04"), "--start and --end go together", None),
        ((), "a CSV as asset needs --start and --end", None),
        (("--start", "March", "--end", "2020-03-10"), "`--start March` is no ISO date", "2020-10-01"),
        (("--start", "2020-03-10", "--end", "2020-03-04"), "a period must not end before it begins", None),
        (("--start", "2020-03-04", "--end", "2020-03-10", "--periods", "-5"), "given -5", None),
        (("--start", "2020-03-04", "--end", "2020-03-10"), "played.csv cannot be read as CSV", None),
    ],
)
def test_a_score_that_cannot_be_made_is_refused(
    score_toy: "CommandLine", arguments: tuple[str, ...], error: str, hint: str | None
) -> None:
    outcome = score_toy("played.csv", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    first, *more = outcome.err.splitlines()
    assert first.startswith("error: ")
    assert error in first
    assert [line.startswith("hint: ") and (hint or "") in line for line in more] == [True] * bool(hint)


def test_positions_are_only_taken_under_investorbench(score_toy: "CommandLine", tmp_path: Path) -> None:
    path = tmp_path / "positions.csv"
    path.write_text("date,position\n2020-03-04,1\n")
    window = ("--start", "2020-03-04", "--end", "2020-03-05")
    outcome = score_toy(path, *window)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines()[1] == "hint: add --scoring investorbench to score positions"


@pytest.mark.parametrize("what", ["nothing", "file", "empty", "other"])
def test_a_path_that_is_no_run_cannot_be_shown(flagbench: "CommandLine", tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "file":
        path.write_text("")
    elif what != "nothing":
        path.mkdir()
    if what == "other":
        (path / "seed-of-an-idea").mkdir()
    outcome = flagbench("show", path)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.splitlines() == [
        f"error: {path} is no run: neither record.json nor seed-… lies in it",
        "hint: give a folder that `flagbench run` printed",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "is no run: it has no record.json"),
        ("{", "is no JSON: "),
        ("[]", "has schema version None, this flagbench reads 1"),
        ('{"schema_version": 2}', "has schema version 2, this flagbench reads 1"),
        ('{"schema_version": 1}', "`run_id`: Field required"),
    ],
)
def test_a_broken_record_cannot_be_shown(
    flagbench: "CommandLine", random_run: "Ran", tmp_path: Path, text: str | None, error: str
) -> None:
    shutil.copytree(random_run.folder, tmp_path / "run")
    path = tmp_path / "run" / "seed-1" / "record.json"
    path.unlink()
    if text is not None:
        path.write_text(text)
    outcome = flagbench("show", tmp_path / "run")
    assert (outcome.status, outcome.out) == (2, "")
    assert error in outcome.err.splitlines()[0]


def test_a_record_with_a_field_too_many_is_no_record(
    flagbench: "CommandLine", random_run: "Ran", tmp_path: Path
) -> None:
    shutil.copytree(random_run.folder, tmp_path / "run")
    path = tmp_path / "run" / "seed-1" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"sede": 1}))
    outcome = flagbench("show", tmp_path / "run")
    assert (outcome.status, outcome.out) == (2, "")
    first, second = outcome.err.splitlines()
    assert first.endswith("unknown setting `sede`")
    assert second == "hint: did you mean `seed`?"


@pytest.mark.parametrize(
    "arguments", [("run", "--agent", "flga", "--asset", "TSLA"), ("show", "nowhere"), ("rnu",)]
)
def test_a_real_process_shows_no_traceback(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "flagbench", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["error:", "hint:"]
    assert list(tmp_path.iterdir()) == []
