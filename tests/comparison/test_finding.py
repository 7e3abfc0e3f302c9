from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.comparison.finding import find_seeds
from flagbench.errors import RecordError

if TYPE_CHECKING:
    from tests.comparison.conftest import Copy


def test_a_run_a_seed_and_a_folder_above_name_the_same_seeds_once(runs: dict[str, Path]) -> None:
    run = runs["random"]
    named = find_seeds([run, run / "seed-1", run.parent])
    assert [(found.record.agent, found.record.seed) for found in named] == [
        ("random", 0),
        ("random", 1),
        ("random", 2),
    ]
    assert len(find_seeds([runs["all"]])) == 10


def test_the_order_of_what_is_named_does_not_matter(runs: dict[str, Path]) -> None:
    paths = [runs["tone-rule"], runs["always-flat"], runs["random BTC"]]
    forward, backward = find_seeds(paths), find_seeds(paths[::-1])
    assert [run.folder for run in forward] == [run.folder for run in backward]


def test_seeds_in_hidden_folders_are_unfinished(copy: "Copy") -> None:
    run = copy("random")
    (run / "seed-1").rename(run / ".seed-1.partial-abc")
    assert [found.record.seed for found in find_seeds([run])] == [0, 2]


@pytest.mark.parametrize(("name", "what"), [("empty", "holds no run"), ("nothing", "is no folder")])
def test_a_folder_without_runs_is_named(name: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecordError, match=what) as caught:
        find_seeds([tmp_path / name])
    assert str(tmp_path / name) in caught.value.message
