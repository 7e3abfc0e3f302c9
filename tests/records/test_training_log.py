import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flagbench.records.training_log import Silent, TrainingLog, read_training_log, training_log


class Listener:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.figures: list[dict[str, Any]] = []

    def advance(self, steps: int) -> None:
        self.steps.append(steps)

    def log(self, figures: Mapping[str, Any]) -> None:
        self.figures.append(dict(figures))


def test_each_iteration_is_a_line_that_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    figures: list[dict[str, Any]] = [
        {"env_steps": 8, "loss": 0.1 + 0.2, "actions": [1, 2]},
        {"env_steps": 16, "episode_return": None},
    ]
    with training_log(path, Silent()) as log:
        for line in figures:
            log.log(line)
    assert read_training_log(path) == figures
    assert path.read_text().count("\n") == 2


def test_a_line_is_on_disk_as_soon_as_it_is_logged(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with training_log(path, Silent()) as log:
        log.log({"env_steps": 8})
        assert read_training_log(path) == [{"env_steps": 8}]
        log.log({"env_steps": 16})
        assert len(read_training_log(path)) == 2


def test_the_monitor_is_told_everything_as_it_is(tmp_path: Path) -> None:
    listener = Listener()
    with training_log(tmp_path / "train.jsonl", listener) as log:
        log.advance(4)
        log.advance(4)
        log.log({"env_steps": 8, "loss": float("inf")})
    assert listener.steps == [4, 4]
    assert listener.figures == [{"env_steps": 8, "loss": float("inf")}]


def test_numbers_that_json_does_not_have_become_null(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with training_log(path, Silent()) as log:
        log.log({"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": -float("inf")}, "e": True})
    (line,) = path.read_text().splitlines()
    assert json.loads(line) == {"a": None, "b": [1.0, None], "c": {"d": None}, "e": True}


def test_the_file_is_closed_whatever_happens(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    logs: list[TrainingLog] = []

    def be_interrupted() -> None:
        with training_log(path, Silent()) as log:
            logs.append(log)
            log.log({"env_steps": 8})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    with pytest.raises(ValueError, match="closed file"):
        logs[0].log({"env_steps": 16})
    assert read_training_log(path) == [{"env_steps": 8}]


def test_a_log_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text("old\n")
    with training_log(path, Silent()):
        pass
    assert read_training_log(path) == []
