import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.experiment import SilentRun, run_seed
from flagbench.suites.cells import Cell, last_words, plan_cells, state_of
from flagbench.suites.suite import load_suite

if TYPE_CHECKING:
    from tests.suites.conftest import SuiteFile

AGENT = """
class Mine:
    def __init__(self, patience: int = 1): pass
    def reset(self, seed): pass
    def act(self, observation): return 1
"""


def cells_of(path: Path) -> list[Cell]:
    return plan_cells(load_suite(str(path)), out=path.parent / "out", fallback=False)


def test_cells_come_in_the_order_of_the_file_and_seeds_share_a_run(suite_file: "SuiteFile") -> None:
    cells = cells_of(suite_file({"agent": "random"}, {"agent": "buy-and-hold"}, assets=["TSLA", "BTC"]))
    assert [str(cell) for cell in cells] == [
        f"{agent} {asset} (replica) seed {seed}"
        for agent in ("random", "buy-and-hold")
        for asset in ("TSLA", "BTC")
        for seed in (0, 1)
    ]
    runs = [cell.run for cell in cells]
    assert runs[0] == runs[1]
    assert len(set(runs)) == 4
    assert runs[0].name.startswith("tiny-")


def run_ids(path: Path) -> list[str]:
    return [cell.run.name for cell in cells_of(path)][:1]


def test_a_changed_spec_is_another_cell(suite_file: "SuiteFile", tmp_path: Path) -> None:
    agent = tmp_path / "mine.py"
    agent.write_text(AGENT)
    mine = {"agent": f"{agent}:Mine"}
    first = run_ids(suite_file(mine))
    assert run_ids(suite_file(mine, seeds=[0, 5])) == first
    assert run_ids(suite_file(mine, description="Other words.")) == first
    # It does not learn, so a budget says nothing of it.
    assert run_ids(suite_file(mine, env_steps=64)) == first
    others = [
        run_ids(suite_file(mine | {"params": {"patience": 2}})),
        run_ids(suite_file(mine, data="replica:train=20,test=21")),
        run_ids(suite_file(mine, protocol="paper")),
    ]
    agent.write_text(AGENT.replace("return 1", "return 2"))
    others.append(run_ids(suite_file(mine)))
    assert len({*map(tuple, others), tuple(first)}) == 5


def test_the_budget_of_an_agent_that_learns_decides(suite_file: "SuiteFile") -> None:
    flag = {"agent": "flag", "backbone": "random"}
    assert run_ids(suite_file(flag, env_steps=64)) != run_ids(suite_file(flag, env_steps=65))


def test_what_is_wrong_is_said_before_anything_runs(suite_file: "SuiteFile", tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown agent `rnadom`"):
        cells_of(suite_file({"agent": "rnadom"}))
    with pytest.raises(UnknownNameError, match="param `bars`"):
        cells_of(suite_file({"agent": "random", "params": {"bars": 3}}))
    with pytest.raises(ConfigError, match="has no backbone"):
        cells_of(suite_file({"agent": "random", "backbone": "embedded"}))
    assert not (tmp_path / "out").exists()


def test_a_cell_is_done_when_its_record_is_there(suite_file: "SuiteFile") -> None:
    first, second = cells_of(suite_file())
    assert state_of(first) == ("to do", 0, None, "")
    run_seed(first.plans[0], 0, SilentRun())
    state = state_of(first)
    assert (state.state, state.windows_done) == ("done", 1)
    assert state.seconds is not None
    assert state.seconds > 0
    assert state_of(second).state == "to do"


def test_a_broken_or_foreign_record_is_unreadable(suite_file: "SuiteFile") -> None:
    cell = cells_of(suite_file())[0]
    folder = run_seed(cell.plans[0], 0, SilentRun())
    assert folder is not None
    record = folder / "record.json"
    values = json.loads(record.read_text())
    record.write_text(json.dumps(values | {"spec": values["spec"] | {"agent": "flag"}}))
    assert state_of(cell).state == "unreadable"
    assert state_of(cell).reason == f"{folder} holds another spec's record"
    record.write_text("{")
    assert "is no JSON" in state_of(cell).reason
    record.unlink()
    assert "has no record.json" in state_of(cell).reason


def test_the_error_of_the_last_try_is_told_until_there_is_a_record(suite_file: "SuiteFile") -> None:
    cell = cells_of(suite_file())[0]
    cell.error_file.parent.mkdir(parents=True)
    cell.error_file.write_text("noise\nerror: no luck\nhint: try again\n")
    assert state_of(cell) == ("failed", 0, None, "no luck")
    run_seed(cell.plans[0], 0, SilentRun())
    assert state_of(cell).state == "done"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("error: a\nerror: b\nafter\n", "b"),
        ("Traceback\nValueError: c\n\n", "ValueError: c"),
        ("\n", "nothing was said"),
    ],
)
def test_the_line_that_says_what_went_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "error.txt"
    path.write_text(text)
    assert last_words(path) == words


def test_a_walking_cell_counts_its_windows(suite_file: "SuiteFile", tmp_path: Path) -> None:
    from flagbench.registry import task_files

    text = task_files("protocols")["walk-forward"].read_text(encoding="utf-8")
    short = text.replace("train_bars: 504", "train_bars: 20").replace("test_bars: 126", "test_bars: 10")
    protocol = tmp_path / "short.yaml"
    protocol.write_text(
        short.replace("min_windows: 5", "min_windows: 2").replace("max_windows: 8", "max_windows: 2")
    )
    cell = cells_of(suite_file(protocol=str(protocol), data="replica:train=20,test=60"))[0]
    assert len(cell.plans) == 2
    run_seed(cell.plans[0], 0, SilentRun())
    assert state_of(cell)[:2] == ("to do", 1)
    run_seed(cell.plans[1], 0, SilentRun())
    assert state_of(cell)[:2] == ("to do", 2)  # not yet pooled
