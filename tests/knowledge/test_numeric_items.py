import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from datasets import Dataset

from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from tests.knowledge.conftest import Rebuild

Row = Mapping[str, Any]


def write(data: Path, file: str, rows: Iterable[Row]) -> Path:
    """A file of a data folder."""
    path = data / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


FINQA: list[dict[str, Any]] = [
    {"id": "AB/2016/page_23.pdf-2", "executed": 0.14464, "answer": "14"},
    {"id": "AB/2016/page_23.pdf-3", "executed": None, "answer": "3298"},
    {"id": "CD/2015/page_4.pdf-1", "executed": "yes", "answer": ""},
]


def test_finqa_is_asked_for_what_its_programs_come_to(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    rows = [
        {**row, "context": "It was.\n\nyear | 2016\nsales | 7\n\nSo it was.", "question": "?"}
        for row in FINQA
    ]
    path = write(data, "qa/finqa/test.jsonl.gz", rows)
    items = rebuild("finqa", data=data)
    assert [(item["id"], item["cluster"], item["target"], item["kind"]) for item in items] == [
        ("AB/2016/page_23.pdf-2", "AB/2016/page_23.pdf", "0.14464", "number"),
        ("CD/2015/page_4.pdf-1", "CD/2015/page_4.pdf", "yes", "yes or no"),
    ]
    assert {item["unit"] for item in items} == {"fraction or percent"}
    # the authors' layout; a column has one type there
    there = [
        {
            "id": row["id"],
            "pre_text": ["It was."],
            "table": [["year", "2016"], ["sales", "7"]],
            "post_text": ["So it", "was."],
            "qa": {"question": "?", "exe_ans": None if row["executed"] is None else str(row["executed"])},
        }
        for row in FINQA
    ]
    Dataset.from_list(there).to_parquet(hub / "test.parquet")
    path.unlink()
    assert rebuild("finqa", data=data, path=str(hub)) == items


def test_convfinqa_asks_the_last_of_several_questions(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    page = {"text": "It was.", "table": "year | 2016\nsales | 7\n"}
    rows: list[Row] = [
        {"id": "Single_AB/2007/page_1.pdf-1", "questions": ["what?", "and then?"], "answer": 1.42, **page},
        {"id": "Double_AB/2007/page_1.pdf", "questions": ["was it?"], "answer": "no", **page},
    ]
    path = write(data, "qa/convfinqa/validation.jsonl.gz", rows)
    items = rebuild("convfinqa", data=data)
    assert [item["question"] for item in items] == [
        "Question: what?\nQuestion: and then?",
        "Question: was it?",
    ]
    assert [item["target"] for item in items] == ["1.42", "no"]
    assert {item["cluster"] for item in items} == {"AB/2007/page_1"}
    assert items[0]["context"] == "It was.\n\nyear | 2016\nsales | 7"
    # ChanceFocus/flare-convfinqa: a row a turn, the prompt written already
    there = [
        {
            "id": f"c{n}",
            "query": f"Page. {n}?\nAnswer:",
            "answer": str(n),
            "turn": turn,
            "dialogue_id": dialogue,
        }
        for n, (dialogue, turn) in enumerate([(0, 0), (0, 2), (0, 1), (1, 0)])
    ]
    Dataset.from_list(there).to_parquet(hub / "test.parquet")
    path.unlink()
    elsewhere = rebuild("convfinqa", data=data, path=str(hub))
    assert {item["id"]: (item["context"], item["target"]) for item in elsewhere} == {
        "dialogue-0": ("Page. 1?", "1"),
        "dialogue-1": ("Page. 3?", "3"),
    }


TATQA = [
    ("arithmetic", -0.2, "percent", "-0.2"),
    ("arithmetic", 273, "million", "273"),
    ("count", "3", "", "3"),
    ("span", ["6,577"], "million", "6577"),
    ("span", ["$(0.28)"], "", "-0.28"),
    ("span", ["$0.5 million"], "", "500000.0"),
    ("span", ["the modified retrospective method"], "", None),
    ("span", ["30 to 90"], "", None),
    ("span", ["FY19"], "", None),
    ("multi-span", ["2019", "2018"], "", None),
]


def test_tatqa_asks_for_single_numbers(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    page: Row = {"table": [["", "2019"], ["Sales", "$7"]], "paragraphs": ["It was.", "So it was."]}
    rows = [
        {"id": str(n), "question": f"{n}?", "answer": answer, "answer_type": kind, "scale": scale, **page}
        for n, (kind, answer, scale, _) in enumerate(TATQA)
    ]
    path = write(data, "qa/tatqa/test.jsonl.gz", rows)
    items = rebuild("tatqa", data=data)
    assert {int(item["id"]): item["target"] for item in items} == {
        n: target for n, (*_, target) in enumerate(TATQA) if target is not None
    }
    assert [item["unit"] for item in items] == ["percent", "million", "", "million", "", ""]
    assert len({item["cluster"] for item in items}) == 1
    assert items[0]["context"] == " | 2019\nSales | $7\n\nIt was. So it was.".strip()
    # next-tat/TAT-QA: a JSON file of tables with their questions
    questions = [{**row, "uid": row["id"]} for row in rows]
    for question in questions:
        for name in ("id", "table", "paragraphs"):
            del question[name]
    there = [
        {
            "table": {"uid": "t", "table": page["table"]},
            "paragraphs": [
                {"uid": "p", "order": n, "text": text} for n, text in enumerate(page["paragraphs"])
            ],
            "questions": questions,
        }
    ]
    (hub / "tatqa_dataset_test_gold.json").write_text(json.dumps(there), encoding="utf-8")
    path.unlink()
    assert rebuild("tatqa", data=data, path=str(hub)) == items


@pytest.mark.parametrize(
    "change", [{"executed": "perhaps"}, {"executed": "1,2"}, {"question": None, "id": None, "context": None}]
)
def test_a_row_that_is_none_of_the_data_set_is_refused(change: Row, rebuild: "Rebuild", data: Path) -> None:
    row = {"id": "A/1.pdf-1", "context": "It was.", "question": "?", "executed": 1.0}
    write(data, "qa/finqa/test.jsonl.gz", [{**row, **change}])
    with pytest.raises(ConfigError, match=r"finqa/test\.jsonl\.gz: a row is not as the task expects it"):
        rebuild("finqa", data=data)


def test_an_unknown_unit_is_refused(rebuild: "Rebuild", data: Path) -> None:
    page = {"table": [["a"]], "paragraphs": []}
    row = {"id": "1", "question": "?", "answer": 1, "answer_type": "arithmetic", "scale": "dozen", **page}
    write(data, "qa/tatqa/test.jsonl.gz", [row])
    with pytest.raises(ConfigError, match="unknown unit 'dozen'"):
        rebuild("tatqa", data=data)
