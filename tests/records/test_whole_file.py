from pathlib import Path

import pytest

from flagbench.errors import RecordError
from flagbench.records.whole_file import write_whole


def test_folders_are_made_and_what_was_there_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_whole(path, "one")
    write_whole(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü\n"
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_replaced_stays_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(RecordError, match=r"taken cannot be written: Is a directory"):
        write_whole(taken, "text")
    assert list(tmp_path.iterdir()) == [taken]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RecordError, match="cannot be written"):
        write_whole(tmp_path / "file" / "below.json", "text")
