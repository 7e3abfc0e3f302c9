import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from flagbench.errors import RecordError
from flagbench.records.run_record import SCHEMA_VERSION, read_record, write_record

if TYPE_CHECKING:
    from tests.records.conftest import RecordFactory


def test_a_record_reads_back_to_the_last_digit(record: "RecordFactory", tmp_path: Path) -> None:
    written = record()
    write_record(written, tmp_path)
    assert read_record(tmp_path) == written
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_an_agent_that_does_not_learn_has_no_setup(record: "RecordFactory", tmp_path: Path) -> None:
    write_record(record(setup=None, training=None, observed=None), tmp_path)
    values = json.loads((tmp_path / "record.json").read_text())
    assert (values["setup"], values["training"], values["observed"]) == (None, None, None)
    assert read_record(tmp_path).setup is None


def test_the_file_is_plain_json_with_its_schema_version(record: "RecordFactory", tmp_path: Path) -> None:
    write_record(record(), tmp_path)
    text = (tmp_path / "record.json").read_text(encoding="utf-8")
    assert text.endswith("}\n")
    values = json.loads(text)
    assert values["schema_version"] == SCHEMA_VERSION == 1
    assert values["ledger"] == {"head": "ef" * 32, "length": 1}
    assert values["setup"]["mixed_precision"] == "auto"


def test_a_record_cannot_be_changed(record: "RecordFactory") -> None:
    with pytest.raises(ValidationError, match="frozen"):
        record().seed = 3


def test_a_number_that_json_does_not_have_is_written_as_null(record: "RecordFactory", tmp_path: Path) -> None:
    write_record(record(training={"loss": float("nan"), "norms": [1.5, float("inf")]}), tmp_path)
    assert read_record(tmp_path).training == {"loss": None, "norms": [1.5, None]}


def test_a_folder_without_a_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is no run: it has no record") as caught:
        read_record(tmp_path)
    assert caught.value.hint == "give a folder that `flagbench run` printed"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"{", r"record\.json is no JSON: "),
        (b"\xff{}", r"record\.json is no JSON: "),
        (b"[1]", "has schema version None, this flagbench reads 1"),
        (b'{"schema_version": "1"}', "has schema version 1, this flagbench reads 1"),
        (b'{"schema_version": 2}', "has schema version 2, this flagbench reads 1"),
        (b'{"schema_version": 1}', "`run_id`: Field required"),
    ],
)
def test_a_broken_record_is_refused(tmp_path: Path, text: bytes, error: str) -> None:
    (tmp_path / "record.json").write_bytes(text)
    with pytest.raises(RecordError, match=error):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seed": "many"}, "seed"),
        ({"market": None}, "market"),
        ({"ledger": {"head": "x"}}, r"ledger\.length"),
        ({"setup": {"env_steps": 0, "num_envs": 1}}, r"setup\.env_steps"),
        ({"scores": {"tomorrow": {}}}, r"scores\.tomorrow"),
        ({"sede": 1}, "sede"),
    ],
)
def test_a_wrong_field_is_named(
    record: "RecordFactory", tmp_path: Path, change: dict[str, Any], field: str
) -> None:
    write_record(record(), tmp_path)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(RecordError, match=rf"record\.json: .*`{field}"):
        read_record(tmp_path)
