import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from flagbench.experiment import SilentRun, run_seed
from flagbench.planning import RunSpec, plan
from flagbench.submissions.preparing import prepare
from flagbench.submissions.track import Track, load_track
from tests.submissions.desk import Desk, EditManifest

DATA = "replica:train=30,test=60"
ASSETS = ("BTC", "TSLA")
SEEDS = (0, 1)

TRACK = f"""\
id: small
version: 1
title: Small
description: Two replicas of sixty days and two seeds.
kind: replica
protocol: standard
data: {DATA}
assets: [TSLA, BTC]
seeds: [0, 1]
knowledge: toy_addition
env_steps: 32
num_envs: 2
"""

CARD = """\
---
name: NAME
description: An agent for a test
authors: [A. Author, B. Author]
licence: Apache-2.0
code:
  url: https://example.org/agent
  commit: 0123456789abcdef
backbone: BACKBONE
training_data: none
hardware: a small machine
trials: none other
---

# A card

Some words.
"""


class MakeRuns(Protocol):
    """The type of `make_runs`; tests import it under `TYPE_CHECKING` only."""

    def __call__(
        self,
        out: Path,
        agent: str,
        *,
        assets: tuple[str, ...] = ASSETS,
        seeds: tuple[int, ...] = SEEDS,
        **given: Any,
    ) -> list[Path]: ...


class WriteCard(Protocol):
    """The type of `write_card`; tests import it under `TYPE_CHECKING` only."""

    def __call__(self, folder: Path, name: str, *, backbone: str = "null") -> Path: ...


class Prepared(NamedTuple):
    """A submission on a board, and the runs that it was made from."""

    folder: Path
    runs: list[Path]
    board: Path


def _make_runs(
    out: Path,
    agent: str,
    *,
    assets: tuple[str, ...] = ASSETS,
    seeds: tuple[int, ...] = SEEDS,
    **given: Any,
) -> list[Path]:
    folders = []
    for asset in assets:
        spec = RunSpec(
            agent=agent, asset=asset, seeds=seeds, out=out, **{"data": DATA, "knowledge": "none"} | given
        )
        planned = plan(spec)
        for seed in seeds:
            run_seed(planned, seed, SilentRun())
        folders.append(planned.folder)
    return folders


def _write_card(folder: Path, name: str, *, backbone: str = "null") -> Path:
    path = folder / f"{name}.md"
    path.write_text(CARD.replace("NAME", name).replace("BACKBONE", backbone))
    return path


@pytest.fixture(scope="session")
def make_runs() -> MakeRuns:
    """Makes runs of an agent on small replicas, an asset at a time; their folders."""
    return _make_runs


@pytest.fixture(scope="session")
def write_card() -> WriteCard:
    """Writes a whole card."""
    return _write_card


@pytest.fixture(scope="session")
def track_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The YAML file of a small track."""
    path = tmp_path_factory.mktemp("track") / "small.yaml"
    path.write_text(TRACK)
    return path


@pytest.fixture(scope="session")
def track(track_file: Path) -> Track:
    """The small track."""
    return load_track(str(track_file))


@pytest.fixture(scope="session")
def random_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Runs of the random agent on both assets; not to be changed."""
    return _make_runs(tmp_path_factory.mktemp("random"), "random")


@pytest.fixture(scope="session")
def prepared(random_runs: list[Path], track: Track, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A submission of the random agent; not to be changed."""
    board = tmp_path_factory.mktemp("board")
    card = _write_card(board, "random")
    return Prepared(prepare(random_runs, card, out=board / "submissions", track=track), random_runs, board)


@pytest.fixture
def submission(prepared: Prepared, tmp_path: Path) -> Path:
    """A copy that a test may spoil, on a board of its own."""
    target = tmp_path / "board" / prepared.folder.relative_to(prepared.board)
    shutil.copytree(prepared.folder, target)
    return target


Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="session")
def edit_manifest() -> Callable[[Path, Edit], None]:
    """Changes a submission's manifest in place; each run keeps a line of its own."""

    def edit(folder: Path, change: Edit) -> None:
        path = folder / "submission.json"
        values = json.loads(path.read_text())
        change(values)
        runs = ",\n".join(json.dumps(run) for run in values.pop("runs"))
        head = json.dumps(values, indent=2).removesuffix("\n}")
        path.write_text(f'{head},\n"runs": [\n{runs}\n]\n}}\n')

    return edit


@pytest.fixture
def desk(submission: Path, edit_manifest: EditManifest, track: Track) -> Desk:
    return Desk(submission, lambda change: edit_manifest(submission, change), track)
