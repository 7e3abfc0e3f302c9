"""What an agent does to the process stays out of the output, and what it raises is its own fault."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.agents.training import training_envs
from flagbench.cli.main import main
from flagbench.market.market import Market
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from tests.conftest import MarketFactory

AGENTS = """
import os, sys
import numpy as np

class Talks:
    def __init__(self): print("built")
    def reset(self, seed): print("reset")
    def act(self, observation):
        print("acting")
        return 1

class Wanders(Talks):
    def act(self, observation):
        os.chdir("/")
        return 1

class Leaves(Talks):
    def act(self, observation): sys.exit(0)

class Learner(Talks):
    summary = {"loss": np.float32(1), "bad": float("nan"), "path": os}
    def train(self, make_envs, *, setup, seed, accelerator, monitor): return self.summary
    def save(self, folder): print("saved")
    def load(self, folder): pass

class NoSummary(Learner):
    summary = None

class NoSave(Learner):
    def save(self, folder): raise RuntimeError("disk full")

class BadParams(Talks):
    params = [1, 2, 3]

class BadDefaults(Talks):
    @classmethod
    def defaults(cls, briefing): raise ValueError("no idea")

class OnlyTrains(Talks):
    def train(self, *args, **kwargs): return {}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command that lacks only the agent, in a folder with `mine.py`."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(AGENTS)
    lines = [f"2021-02-{day:02d},{100 + day % 5},110,90,{100 + day % 5}" for day in range(1, 29)]
    Path("bars.csv").write_text("\n".join(["date,open,high,low,close", *lines]) + "\n")
    windows = ["--train", "2021-02-12:2021-02-19", "--test", "2021-02-20:2021-02-28"]
    return ["run", "--asset", "bars.csv", "--protocol", "paper", *windows, "--env-steps", "4"]


def test_what_an_agent_prints_goes_to_stderr(run: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*run, "--agent", "mine.py:Talks", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["runs"][0]["seed"] == 0
    assert {"built", "reset", "acting"} <= set(printed.err.splitlines())


def test_a_change_of_the_working_directory_is_undone(run: list[str], tmp_path: Path) -> None:
    assert main([*run, "--agent", "mine.py:Wanders"]) == 0
    assert Path.cwd() == tmp_path
    assert len(list(tmp_path.glob("runs/*/*/*/*/seed-0/record.json"))) == 1


def test_a_summary_becomes_plain_json(run: list[str], tmp_path: Path) -> None:
    assert main([*run, "--agent", "mine.py:Learner"]) == 0
    (record,) = tmp_path.glob("runs/*/*/*/*/seed-0/record.json")
    training = json.loads(record.read_text())["training"]
    assert (training["loss"], training["bad"]) == (1.0, None)
    assert training["path"].startswith("<module 'os'")


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("Leaves", "the agent failed after the bar of 2021-02-12: SystemExit(0)"),
        ("NoSummary", "failed in `train`: TypeError"),
        ("NoSave", "failed in `save`: RuntimeError('disk full')"),
        ("BadParams", "failed in `params`: TypeError"),
        ("BadDefaults", "failed in `defaults`: ValueError('no idea')"),
        ("OnlyTrains", "has `train`, but not `save` and `load` too"),
    ],
)
def test_what_an_agent_raises_is_its_own_fault(
    run: list[str], agent: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*run, "--agent", f"mine.py:{agent}"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert list(tmp_path.glob("runs/*/*/*/*/*")) == []


def test_the_factory_of_environments_closes_over_no_bar_after_the_training_window(
    synthetic_market: "MarketFactory",
) -> None:
    whole = synthetic_market([100.0 + day for day in range(60)])
    period = whole.asset.windows.train
    factory = training_envs(whole.until(period), load_protocol("paper"), period)
    cells = [cell.cell_contents for cell in factory.__closure__ or ()]  # type: ignore[attr-defined]
    (known,) = (content for content in cells if isinstance(content, Market))
    assert known.dates[-1].item() <= period.last
    assert len(cells) == 3
