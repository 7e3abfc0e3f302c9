import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from flagbench.errors import RecordError
from flagbench.records.ledger import read_trials
from flagbench.records.pooled_record import pooled_path, read_pooled
from flagbench.records.run_directory import read_run
from flagbench.registry import task_files

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, Outcome

LEARNER = """
import json

class Learner:
    '''Remembers the training window it was shown, to tell whether it is made anew for each.'''
    def __init__(self):
        self.shown = []
    def reset(self, seed):
        self.seed = seed
    def act(self, observation):
        return 2 if (int(observation["date"][-1]) + self.seed) % 3 else 0
    def train(self, make_envs, *, setup, seed, accelerator, monitor):
        observations, _ = make_envs(1).reset(seed=seed)
        self.shown.append(observations["date"][0])
        return {"env_steps": 1, "shown": self.shown, "seed": seed}
    def save(self, folder):
        (folder / "shown.json").write_text(json.dumps(self.shown))
    def load(self, folder): pass
"""


class Walked(NamedTuple):
    """A run of two seeds through three windows."""

    outcome: "Outcome"
    folder: Path
    arguments: tuple[str, ...]


def short_protocol(folder: Path) -> Path:
    """`walk-forward` with windows of 20 and 8 bars, two at least and three at most."""
    text = task_files("protocols")["walk-forward"].read_text(encoding="utf-8")
    changes = {"train_bars: 504": "train_bars: 20", "test_bars: 126": "test_bars: 8"}
    changes |= {"min_windows: 5": "min_windows: 2", "max_windows: 8": "max_windows: 3"}
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path = folder / "short.yaml"
    path.write_text(text.replace("id: walk-forward", "id: short"))
    return path


@pytest.fixture(scope="module")
def walked(
    flagbench: "CommandLine", csv_task: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Walked:
    folder = tmp_path_factory.mktemp("walked")
    (folder / "learner.py").write_text(LEARNER)
    agent = ("--agent", f"{folder / 'learner.py'}:Learner")
    arguments = (*agent, "--asset", csv_task[1], "--protocol", str(short_protocol(folder)))
    outcome = flagbench("run", *arguments, "--seeds", "0-1", "--out", folder / "out")
    assert outcome.status == 0, outcome.err
    return Walked(outcome, Path(outcome.last_line), arguments)


def test_every_window_of_every_seed_is_a_run_of_its_own(walked: Walked) -> None:
    names = sorted(str(path.relative_to(walked.folder)) for path in walked.folder.glob("*/*"))
    windows = [f"window-{window}/seed-{seed}" for window in range(3) for seed in range(2)]
    assert names == ["pooled/seed-0.json", "pooled/seed-1.json", *windows]
    records = read_run(walked.folder)
    assert [(record.window, record.seed) for record in records] == [
        (window, seed) for window in range(3) for seed in range(2)
    ]
    assert len({record.run_id for record in records}) == 1
    assert [record.seed for record in read_run(walked.folder / "window-1")] == [0, 1]


def test_windows_are_consecutive_and_each_is_trained_anew_with_the_same_seed(walked: Walked) -> None:
    for seed in range(2):
        records = [record for record in read_run(walked.folder) if record.seed == seed]
        opened = []
        for record in records:
            train, test = (record.asset["windows"][name].split(":") for name in ("train", "test"))
            assert train[1] < test[0]
            opened.append(test)
            assert record.training == {"env_steps": 1, "shown": [train[0]], "seed": seed}
            assert (record.scores["train"]["bars"], record.scores["test"]["bars"]) == (20, 8)
        for (_, last), (first, _) in pairwise(opened):
            assert np.busday_count(last, first) == 1


def test_the_pooled_score_is_that_of_all_daily_returns_in_a_row(walked: Walked) -> None:
    for pooled in read_pooled(walked.folder):
        records = [record for record in read_run(walked.folder) if record.seed == pooled.seed]
        grown = np.prod([1 + record.scores["test"]["cumulative_return"] for record in records])
        assert pooled.test["cumulative_return"] == pytest.approx(grown - 1)
        assert pooled.test["bars"] == 3 * 7 + 1
        assert pooled.test["trades"] == sum(record.scores["test"]["trades"] for record in records)
        held = np.prod([1 + record.buy_and_hold["test"]["cumulative_return"] for record in records])
        assert pooled.buy_and_hold["cumulative_return"] == pytest.approx(held - 1)
        returns: list[float] = []
        for record in records:
            lines = (walked.folder / f"window-{record.window}/seed-{record.seed}/equity.csv").read_text()
            equity = [float(line.split(",")[2]) for line in lines.splitlines() if line.startswith("test,")]
            returns += (np.array(equity[1:]) / np.array(equity[:-1]) - 1).tolist()
        series = np.array(returns)
        assert pooled.test["sharpe_ratio"] == pytest.approx(series.mean() / series.std(ddof=1) * 252**0.5)
        assert pooled.actions_sha256 == tuple(record.actions_sha256 for record in records)


def test_a_row_a_window_and_a_pooled_table_are_printed(walked: Walked) -> None:
    out = walked.outcome.out
    assert "3 consecutive test windows of 8 bars, each trained anew on the 20 bars before it" in out
    for record in read_run(walked.folder):
        first, last = record.scores["test"]["period"]
        assert out.count(f" window {record.window}, {first} to {last} ") == 3
    assert "pooled: 21 daily returns of 3 test windows in a row" in out
    assert "In words: over 21 test days" in out
    rows = [line for line in out.splitlines() if line.startswith(" window ")]
    assert sum("±" in row for row in rows) == 3


def test_it_is_shown_again_from_its_files_alone(walked: Walked, flagbench: "CommandLine") -> None:
    shown = flagbench("show", walked.folder)
    assert shown.out == walked.outcome.out
    one = flagbench("show", walked.folder / "window-2")
    assert one.status == 0
    assert "pooled" not in one.out
    printed = json.loads(flagbench("show", walked.folder, "--json").out)
    assert len(printed["runs"]) == 6
    assert [record["seed"] for record in printed["pooled"]] == [0, 1]


def test_json_has_every_window_and_what_they_came_to(
    walked: Walked, flagbench: "CommandLine", tmp_path: Path
) -> None:
    outcome = flagbench("run", *walked.arguments, "--out", tmp_path, "--json")
    printed = json.loads(outcome.out)
    assert [(run["seed"], run["window"]) for run in printed["runs"]] == [(0, 0), (0, 1), (0, 2)]
    (pooled,) = printed["pooled"]
    assert json.loads(Path(pooled["record"]).read_text())["test"] == pooled["test"]
    same = read_pooled(walked.folder)[0]
    assert pooled["test"]["sharpe_ratio"] == same.test["sharpe_ratio"]
    assert len(pooled["windows"]) == 3


def test_every_window_is_a_trial_before_it_is_scored(walked: Walked) -> None:
    trials = read_trials(walked.folder.parents[3] / "ledger.jsonl")
    assert len(trials) == 6
    assert len({trial["period"] for trial in trials}) == 3


def test_a_seed_without_all_its_windows_has_no_pooled_score(
    walked: Walked, flagbench: "CommandLine", tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(walked.folder, run)
    shutil.rmtree(run / "window-2" / "seed-1")
    pooled_path(run, 1).unlink()
    shown = flagbench("show", run)
    assert shown.status == 0
    assert "seed 1: not all of its windows are there, so it has no pooled score" in shown.out
    pooled_path(run, 0).write_text("{")
    with pytest.raises(RecordError, match=r"seed-0\.json cannot be read"):
        read_pooled(run)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        (("--test", "2020-03-02:2020-03-20"), "computes its windows from the bars"),
        (("--protocol", "walk-forward"), "TOY: 0 test windows of 126 bars fit, 5 are needed"),
    ],
)
def test_what_does_not_walk_is_refused(
    walked: Walked, flagbench: "CommandLine", *, more: tuple[str, ...], error: str
) -> None:
    outcome = flagbench("run", *walked.arguments, *more)
    assert outcome.status == 2
    assert error in outcome.err


def test_the_stand_in_has_room_for_every_window(
    flagbench: "CommandLine", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = ("--out", tmp_path / "out", "--json")
    outcome = flagbench(
        "run", "--agent", "buy-and-hold", "--asset", "TSLA", "--protocol", "walk-forward", *out
    )
    assert outcome.status == 0, outcome.err
    assert "SYNTHETIC PRICES" in outcome.err
    printed = json.loads(outcome.out)
    assert len(printed["runs"]) == 5
    record = json.loads(Path(printed["runs"][0]["record"]).read_text())
    assert record["spec"]["data"] == "replica:signal=0.2,seed=0,train=504,test=630"
