import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from flagbench.comparison.building import compare
from flagbench.comparison.comparison import Comparison
from flagbench.experiment import SilentRun, run_seed
from flagbench.planning import RunSpec, plan

TONE_RULE = f"{Path(__file__).parents[2] / 'baselines' / 'tone_rule.py'}:ToneRule"
REPLICA = "replica:train=30,test=60"
RESAMPLES = 200

Edit = Callable[[dict[str, Any]], object]


class MakeRun(Protocol):
    """The type of `make_run`; tests import it under `TYPE_CHECKING` only."""

    def __call__(
        self, out: Path, agent: str, *, asset: str = "TSLA", seeds: tuple[int, ...] = (0,), **given: Any
    ) -> Path: ...


class Copy(Protocol):
    """The type of `copy`."""

    def __call__(self, name: str, edit: Edit | None = None, *, into: str = "copy") -> Path: ...


def _run(out: Path, agent: str, *, asset: str = "TSLA", seeds: tuple[int, ...] = (0,), **given: Any) -> Path:
    """One run on a small replica; its folder."""
    spec = RunSpec(agent=agent, asset=asset, seeds=seeds, out=out, **{"data": REPLICA, **given})
    planned = plan(spec)
    for seed in seeds:
        run_seed(planned, seed, SilentRun())
    return planned.folder


@pytest.fixture(scope="session")
def make_run() -> MakeRun:
    """Makes one run on a small replica and gives its folder."""
    return _run


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs of four agents on a stock's replica and two on a coin's, by agent and asset; not to be changed."""
    out = tmp_path_factory.mktemp("runs")
    made = {
        "buy-and-hold": _run(out, "buy-and-hold"),
        "always-flat": _run(out, "always-flat", seeds=(0, 1)),
        "random": _run(out, "random", seeds=(0, 1, 2)),
        "tone-rule": _run(out, TONE_RULE),
        "random BTC": _run(out, "random", asset="BTC", seeds=(0, 1)),
        "tone-rule BTC": _run(out, TONE_RULE, asset="BTC"),
    }
    return {"all": out, **made}


@pytest.fixture(scope="session")
def compared(runs: dict[str, Path]) -> Comparison:
    """All of them in one comparison."""
    return compare([runs["all"]], resamples=RESAMPLES)


@pytest.fixture
def copy(runs: dict[str, Path], tmp_path: Path) -> Copy:
    """Copies a run, ledger and all, and edits the record of its seed 0; gives the run's new folder."""

    def copied(name: str, edit: Edit | None = None, *, into: str = "copy") -> Path:
        target = tmp_path / into
        if not target.exists():
            target.mkdir()
            shutil.copy(runs["all"] / "ledger.jsonl", target)
        folder = target / runs[name].relative_to(runs["all"])
        shutil.copytree(runs[name], folder)
        if edit is not None:
            _edit(folder / "seed-0", edit)
        return folder

    return copied


@pytest.fixture
def edit_record() -> Callable[[Path, Edit], None]:
    """Changes a seed's record in place."""
    return _edit


def _edit(folder: Path, edit: Edit) -> None:
    path = folder / "record.json"
    record = json.loads(path.read_text())
    edit(record)
    path.write_text(json.dumps(record))
