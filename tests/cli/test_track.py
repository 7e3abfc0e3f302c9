import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.records.training_log import read_training_log

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Ran


def test_tensorboard_gets_what_the_training_log_has_and_nothing_changes(
    flagbench: "CommandLine",
    csv_task: tuple[str, ...],
    tiny_training: tuple[str, ...],
    trained_run: "Ran",
    tmp_path: Path,
) -> None:
    events_of = import_module("tensorboard.backend.event_processing.event_accumulator").EventAccumulator
    track = ("--track", "tensorboard", "--seeds", "3", "--out", tmp_path)
    outcome = flagbench("run", *tiny_training, *csv_task, *track)
    assert outcome.status == 0, outcome.err
    run = Path(outcome.last_line)
    folder = tmp_path / "tracking" / run.relative_to(tmp_path) / "seed-3" / "flagbench"
    events = events_of(str(folder))
    events.Reload()
    log = read_training_log(run / "seed-3" / "train.jsonl")
    for name in ("entropy", "value_loss", "env_steps"):
        shown = [(event.step, event.value) for event in events.Scalars(name)]
        assert [step for step, _ in shown] == [8, 16]
        assert [value for _, value in shown] == pytest.approx([line[name] for line in log])
    record = json.loads((run / "seed-3" / "record.json").read_text())
    untracked = json.loads((trained_run.folder / "seed-3" / "record.json").read_text())
    assert record["actions_sha256"] == untracked["actions_sha256"]
    assert record["training"]["weights_sha256"] == untracked["training"]["weights_sha256"]
    assert record["spec"]["track"] == ["tensorboard"]


def test_trackio_gets_it_too_and_what_it_prints_is_no_data(
    csv_task: tuple[str, ...], tiny_training: tuple[str, ...], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "flagbench", "run", *tiny_training, *csv_task, "--track", "trackio"]
    done = subprocess.run(
        [*command, "--seeds", "3", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TRACKIO_DIR": str(tmp_path / "trackio")},
    )
    assert done.returncode == 0, done.stderr
    assert "* Run finished" in done.stderr
    assert "* Run finished" not in done.stdout
    run = Path(done.stdout.splitlines()[-1])
    log = read_training_log(run / "seed-3" / "train.jsonl")
    with closing(sqlite3.connect(tmp_path / "trackio" / "flagbench.db")) as database:
        rows = database.execute("select step, metrics from metrics order by step").fetchall()
    assert [step for step, _ in rows] == [8, 16]
    shown = [json.loads(metrics)["entropy"] for _, metrics in rows]
    assert shown == pytest.approx([line["entropy"] for line in log])


@pytest.mark.parametrize(
    ("track", "error"),
    [
        ("tensorbord", "error: `--track tensorbord` is no tracker\nhint: known: "),
        ("tensorboard", "error: agent `random` does not learn\nhint: leave out --track\n"),
    ],
)
def test_what_cannot_be_tracked_is_refused_at_once(
    flagbench: "CommandLine",
    csv_task: tuple[str, ...],
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    track: str,
    error: str,
) -> None:
    monkeypatch.setattr("flagbench.records.trackers.find_spec", lambda _: object())
    outcome = flagbench("run", "--agent", "random", *csv_task, "--track", track, "--out", tmp_path)
    assert outcome.status == 2
    assert outcome.err.startswith(error)
    assert list(tmp_path.iterdir()) == []
