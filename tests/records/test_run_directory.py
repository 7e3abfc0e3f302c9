import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.errors import RecordError
from flagbench.records.run_directory import new_run_id, read_run, run_folder, writing
from flagbench.records.run_record import write_record

if TYPE_CHECKING:
    from tests.records.conftest import RecordFactory


def seed_folder(root: Path, *, run: str = "run", seed: int = 0, agent: str = "flag") -> Path:
    return (
        run_folder(root / "runs", asset="TSLA", protocol="standard", agent=agent, run_id=run) / f"seed-{seed}"
    )


def nothing() -> None:
    pass


def write_something(folder: Path, text: str = "whole", *, meanwhile: Callable[[], None] = nothing) -> None:
    with writing(folder) as partial:
        (partial / "record.json").write_text(text)
        meanwhile()


def go_wrong(
    folder: Path,
    error: type[BaseException] = KeyboardInterrupt,
    *,
    meanwhile: Callable[[], None] = nothing,
) -> None:
    with writing(folder) as partial:
        (partial / "checkpoint").mkdir()
        (partial / "checkpoint" / "weights").write_text("half")
        meanwhile()
        raise error


def everything(root: Path) -> list[Path]:
    return sorted(root.rglob("*"))


def test_a_folder_appears_whole_under_its_name_and_not_before(tmp_path: Path) -> None:
    folder = seed_folder(tmp_path)
    with writing(folder) as partial:
        (partial / "checkpoint").mkdir()
        (partial / "checkpoint" / "weights").write_text("w")
        assert not folder.exists()
        assert partial.parent == folder.parent
        assert partial.name.startswith(".seed-0.partial-")
    assert not partial.exists()
    assert (folder / "checkpoint" / "weights").read_text() == "w"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_goes_wrong_inside_leaves_nothing_at_all(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error):
        go_wrong(seed_folder(tmp_path), error)
    assert everything(tmp_path) == []


def test_other_runs_and_folders_stay_when_one_goes_wrong(tmp_path: Path) -> None:
    write_something(seed_folder(tmp_path, seed=0))
    write_something(seed_folder(tmp_path, run="other", agent="dqn"))
    (tmp_path / "runs" / "TSLA" / "standard" / "mine").mkdir()
    before = everything(tmp_path)
    for folder in (seed_folder(tmp_path, seed=1), seed_folder(tmp_path, run="new", agent="random")):
        with pytest.raises(KeyboardInterrupt):
            go_wrong(folder)
    assert everything(tmp_path) == before


def test_an_empty_folder_that_was_there_before_stays(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with pytest.raises(KeyboardInterrupt):
        go_wrong(seed_folder(tmp_path))
    assert everything(tmp_path) == [tmp_path / "runs"]


def test_a_run_that_finished_meanwhile_keeps_the_parents(tmp_path: Path) -> None:
    finished = seed_folder(tmp_path, seed=1)
    with pytest.raises(KeyboardInterrupt):
        go_wrong(seed_folder(tmp_path, seed=0), meanwhile=lambda: write_something(finished))
    assert (seed_folder(tmp_path, seed=1) / "record.json").read_text() == "whole"
    assert not any(path.name.startswith(".") for path in everything(tmp_path))


def test_a_folder_that_exists_is_refused_and_untouched(tmp_path: Path) -> None:
    folder = seed_folder(tmp_path)
    write_something(folder)
    before = everything(tmp_path)
    with pytest.raises(RecordError, match="seed-0 exists already"), writing(folder):
        pytest.fail("it must not begin")
    assert everything(tmp_path) == before
    assert (folder / "record.json").read_text() == "whole"


def test_a_folder_that_another_process_wrote_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = seed_folder(tmp_path)
    with pytest.raises(RecordError, match="was written by another process in the meantime"):
        write_something(folder, "late", meanwhile=lambda: write_something(folder))
    assert (folder / "record.json").read_text() == "whole"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_file_in_the_way_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(RecordError, match="cannot be written") as caught, writing(seed_folder(tmp_path)):
        pytest.fail("it must not begin")
    assert caught.value.hint == "choose another --out"
    assert (tmp_path / "runs").read_text() == "mine"


WRITER = """
import sys, time
from pathlib import Path
from flagbench.records.run_directory import writing
with writing(Path(sys.argv[1])) as partial:
    (partial / "record.json").write_text("half")
    print("half", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Path]:
    """The folder of a seed whose process was killed in the middle."""
    folder = seed_folder(tmp_path)
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.kill()
    yield folder
    assert process.returncode != 0


def test_a_killed_process_leaves_no_folder_under_the_name(killed: Path) -> None:
    assert not killed.exists()
    (left,) = killed.parent.iterdir()
    assert left.name.startswith(".seed-0.partial-")
    with pytest.raises(RecordError, match="is no run"):
        read_run(killed.parent)


def test_after_a_killed_process_the_folder_can_be_written(killed: Path) -> None:
    write_something(killed)
    assert (killed / "record.json").read_text() == "whole"


def test_a_run_is_read_seed_by_seed_in_the_order_of_numbers(record: "RecordFactory", tmp_path: Path) -> None:
    for seed in (10, 9, 0):
        with writing(seed_folder(tmp_path, seed=seed)) as partial:
            write_record(record(seed=seed), partial)
    run = seed_folder(tmp_path).parent
    (run / "seed-of-an-idea").mkdir()
    (run / "seed-11").write_text("a file")
    assert [read.seed for read in read_run(run)] == [0, 9, 10]
    assert [read.seed for read in read_run(run / "seed-9")] == [9]


def test_a_folder_without_seeds_is_no_run(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RecordError, match=r"is no run: neither record\.json nor seed-… lies in it"):
            read_run(path)


def test_a_seed_without_its_record_breaks_the_run(record: "RecordFactory", tmp_path: Path) -> None:
    with writing(seed_folder(tmp_path)) as partial:
        write_record(record(), partial)
    seed_folder(tmp_path, seed=1).mkdir()
    with pytest.raises(RecordError, match="seed-1 is no run: it has no record"):
        read_run(seed_folder(tmp_path).parent)


def test_a_run_id_sorts_by_time_in_utc_and_does_not_repeat() -> None:
    noon = datetime(2020, 10, 1, 12, 0, 0, tzinfo=timezone(timedelta(hours=2)))
    ids = {new_run_id(noon) for _ in range(50)}
    assert len(ids) == 50
    assert all(run_id.startswith("20201001T100000Z-") for run_id in ids)
    assert new_run_id(datetime(2019, 12, 31, tzinfo=UTC)) < min(ids)


@pytest.mark.parametrize(
    ("agent", "name"),
    [("flag", "flag"), ("a b/c:d", "a-b-c-d"), ("../up", "up"), ("v1.2_x", "v1.2_x"), (".hidden", "hidden")],
)
def test_a_name_cannot_lead_out_of_the_out_folder(tmp_path: Path, agent: str, name: str) -> None:
    folder = run_folder(tmp_path, asset="TSLA", protocol="standard", agent=agent, run_id="id")
    assert folder == tmp_path / "TSLA" / "standard" / name / "id"
    assert os.fspath(folder.resolve()).startswith(os.fspath(tmp_path.resolve()))
