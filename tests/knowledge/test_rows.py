import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from flagbench.errors import ConfigError
from flagbench.knowledge.rows import as_dataset, packaged_rows, read_rows

ROWS: list[dict[str, Any]] = [{"text": "up", "label": 1}, {"text": "down\u2028and out", "label": 0}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with `qa/toy.jsonl.gz`."""
    (tmp_path / "data" / "qa").mkdir(parents=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    (tmp_path / "data" / "qa" / "toy.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path / "data"


@pytest.fixture
def hub(tmp_path: Path) -> dict[str, Any]:
    """A data set as it lies on the hub: a folder with a Parquet file a split."""
    (tmp_path / "hub").mkdir()
    Dataset.from_list([{"News": "from the hub", "label": 2}]).to_parquet(tmp_path / "hub" / "test.parquet")
    return {"path": str(tmp_path / "hub"), "columns": {"News": "text"}}


def test_rows_come_from_the_data_folder_first(folder: Path, hub: dict[str, Any]) -> None:
    rows, origin = read_rows("qa/toy.jsonl.gz", hub=hub, data=str(folder))
    assert rows == ROWS
    assert origin == "data folder, qa/toy.jsonl.gz"


def test_the_folder_may_be_named_by_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", str(folder))
    assert read_rows("qa/toy.jsonl.gz", hub=None, data=None).rows == ROWS


def test_rows_come_from_the_hub_where_no_folder_has_them(folder: Path, hub: dict[str, Any]) -> None:
    rows, origin = read_rows("qa/other.jsonl.gz", hub=hub, data=str(folder))
    assert rows == [{"text": "from the hub", "label": 2}]
    assert origin == f"hub, {hub['path']}"


def test_a_json_file_of_mixed_types_is_read_as_it_is(folder: Path, tmp_path: Path) -> None:
    listed = [{"answer": 1}, {"answer": ["a"]}, {"answer": "b"}]
    (tmp_path / "gold.json").write_text(json.dumps(listed), encoding="utf-8")
    rows, _ = read_rows("qa/x", hub={"path": str(tmp_path), "file": "gold.json"}, data=str(folder))
    assert rows == listed


def test_data_that_is_nowhere_is_missed_with_what_to_do(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"no data folder has qa/x$") as nowhere:
        read_rows("qa/x", hub=None, data=str(folder))
    assert (
        nowhere.value.hint
        == "put it into a data folder as qa/x and name the folder by --data or FLAGBENCH_DATA"
    )
    with pytest.raises(
        ConfigError, match=r"no data folder has qa/x, and /no/such/set cannot be fetched: "
    ) as far:
        read_rows("qa/x", hub={"path": "/no/such/set"}, data=str(folder))
    assert far.value.hint.startswith("connect to a network, or put it into a data folder")


def test_a_named_folder_must_exist(tmp_path: Path, hub: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"nowhere \(--data\) is no folder"):
        read_rows("qa/x", hub=hub, data=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"plain", "line 1: no JSON lines: Not a gzipped file"),
        (gzip.compress(b'{"a": 1}\n{"a"', mtime=0), "line 2: no JSON lines"),
        (gzip.compress(b"[1]\n", mtime=0), "line 1: an object is needed"),
        (gzip.compress(b"\xff\n", mtime=0), "no JSON lines: 'utf-8' codec"),
    ],
)
def test_a_broken_file_is_named_with_its_line(folder: Path, content: bytes, reason: str) -> None:
    (folder / "qa" / "toy.jsonl.gz").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_rows("qa/toy.jsonl.gz", hub=None, data=str(folder))
    assert reason in caught.value.message
    assert str(folder / "qa" / "toy.jsonl.gz") in caught.value.message


def test_an_unknown_field_of_the_hub_is_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="unknown setting `splits`"):
        read_rows("qa/x", hub={"path": "a", "splits": "test"}, data=str(folder))


def test_what_a_package_lacks_is_missed() -> None:
    with pytest.raises(ConfigError, match=r"flagbench ships no knowledge/x\.jsonl"):
        packaged_rows("flagbench", "knowledge/x.jsonl")


def test_ids_that_occur_again_are_numbered() -> None:
    items = [{"id": name, "n": n} for n, name in enumerate("abaac")]
    dataset = as_dataset(items, origin="somewhere")["test"]
    assert dataset["id"][:] == ["a", "b", "a#2", "a#3", "c"]
    assert dataset["n"][:] == [0, 1, 2, 3, 4]
    assert dataset.info.description == "somewhere"
    with pytest.raises(ConfigError, match="somewhere: there are no items"):
        as_dataset([], origin="somewhere")
