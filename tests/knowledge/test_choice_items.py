import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from datasets import Dataset

from flagbench.errors import ConfigError
from flagbench.knowledge.choice_items import DIRECTIONS, SENTIMENTS, STANCES, TWEETS, packaged, written

if TYPE_CHECKING:
    from tests.knowledge.conftest import ChoiceTask, Rebuild

Row = Mapping[str, Any]


def write(data: Path, file: str, rows: Iterable[Row]) -> None:
    """A file of a data folder."""
    path = data / file
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def in_test_split(text: str) -> bool:
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10 == 0


def sentences(count: int) -> list[str]:
    """Sentences that belong to the test split by their hashes."""
    return [text for text in (f"Sales rose by {n} %." for n in range(12 * count)) if in_test_split(text)][
        :count
    ]


def answers(items: Iterable[Row]) -> list[tuple[str, str]]:
    return [(item["text"], item["choices"][item["answer"]]) for item in items]


# Items that ship with a package

GOOD = {"id": "a", "cluster": "b", "kind": "fact", "question": "?", "choices": ["x", "y"], "answer": 1}


def test_packaged_items_are_taken_as_they_are(choice_task: "ChoiceTask") -> None:
    folder = choice_task("good_items", [{**GOOD, "note": "left out"}])
    (item,) = packaged(package=folder.parent.name, file="knowledge/good_items.jsonl", version=1)["test"]
    assert item == GOOD


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": None}, "`id` must be a str, given None"),
        ({"question": 3}, "`question` must be a str, given 3"),
        ({"choices": "xy"}, "`choices` must be a list"),
        ({"choices": ["x"]}, "two or more different texts"),
        ({"choices": ["x", "x"]}, "two or more different texts"),
        ({"choices": ["x", " "]}, "two or more different texts"),
        ({"answer": 2}, "`answer` must be the position of a choice, given 2"),
        ({"answer": -1}, "`answer` must be the position of a choice, given -1"),
        ({"answer": "x"}, "`answer` must be a int, given 'x'"),
    ],
)
def test_a_packaged_item_that_is_none_is_named_by_its_line(
    change: Row, reason: str, choice_task: "ChoiceTask", request: pytest.FixtureRequest
) -> None:
    name = f"bad_items_{request.node.callspec.indices['change']}"
    folder = choice_task(name, [GOOD, {**GOOD, **change}])
    with pytest.raises(ConfigError) as caught:
        packaged(package=folder.parent.name, file=f"knowledge/{name}.jsonl")
    assert reason in caught.value.message
    assert f"knowledge/{name}.jsonl, line 2" in caught.value.message


def test_items_may_stand_in_the_task_itself() -> None:
    short = {"question": "?", "choices": ["x", "y"], "answer": 1}
    items = list(written(items=[short, GOOD, short], version=1)["test"])
    assert items[1] == GOOD
    assert [(item["id"], item["cluster"], item["kind"]) for item in (items[0], items[2])] == [
        ("1", "1", "question"),
        ("3", "3", "question"),
    ]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "there are no items"),
        ({"question": "?"}, "`items` must be a list"),
        (["?"], "`items` must be a list"),
        (
            [GOOD, {**GOOD, "answer": 2}],
            "items, number 2: `answer` must be the position of a choice, given 2",
        ),
        ([{"question": "?", "choices": ["x", "y"]}], "items, number 1: `answer` must be a int, given None"),
        ([{**GOOD, "choices": ["x", "x"]}], "`choices` must be two or more different texts"),
        ([{**GOOD, "choices": [True, 2]}], r"items, number 1: `choices` must be texts, given \[True, 2\]"),
    ],
)
def test_an_item_of_the_task_that_is_none_is_named_by_its_place(items: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        written(items=items)


# Public data: the same items from a data folder and from the hub's layout


def test_mmlu(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    passage = "This question refers to the following information.\nA text.\nMore."
    history = "high_school_world_history"
    rows = [
        {"question": f"{passage}\nWho?", "subject": history, "choices": list("abcd"), "answer": 2},
        {"question": f"{passage}\nWhere?", "subject": history, "choices": list("efgh"), "answer": 0},
        {"question": "When? ", "subject": history, "choices": list("ijkl"), "answer": 3},
    ]
    other = {"question": "Why?", "subject": "anatomy", "choices": list("mnop"), "answer": 1}
    write(data, "qa/mmlu/test.jsonl.gz", [rows[0], other, *rows[1:]])
    items = rebuild("mmlu_cloze_high_school_world_history", data=data)
    assert [item["id"] for item in items] == [f"{history}/test/{n}" for n in range(3)]
    assert [item["choices"][item["answer"]] for item in items] == ["c", "e", "l"]
    assert items[0]["cluster"] == items[1]["cluster"] != items[2]["cluster"]
    assert [item["question"] for item in items][2] == "When?"
    # cais/mmlu: a configuration a subject
    Dataset.from_list(rows).to_parquet(hub / "history.parquet")
    Dataset.from_list([other]).to_parquet(hub / "anatomy.parquet")
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {file}.parquet\n"
        for name, file in ((history, "history"), ("anatomy", "anatomy"))
    )
    (hub / "README.md").write_text(f"---\nconfigs:\n{configs}---\n", encoding="utf-8")
    (data / "qa/mmlu/test.jsonl.gz").unlink()
    assert rebuild("mmlu_cloze_high_school_world_history", data=data, path=str(hub)) == items


def test_financial_phrasebank(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    texts = sentences(3)
    labels = ["neutral", "negative", "positive"]
    rows = [{"text": t, "label": label, "agreement": "75"} for t, label in zip(texts, labels, strict=True)]
    write(data, "noncommercial/qa/fpb/test.jsonl.gz", rows)
    items = rebuild("financial_phrasebank", data=data)
    assert answers(items) == list(zip(texts, labels, strict=True))
    assert {item["kind"] for item in items} == {"agreement 75"}
    # takala/financial_phrasebank: all sentences, labels as numbers
    folder = hub / "sentences_50agree" / "train"
    folder.mkdir(parents=True)
    everything = [
        {"sentence": "Sales rose by 1 %.", "label": 2},
        *({"sentence": row["text"], "label": SENTIMENTS.index(row["label"])} for row in rows),
    ]
    assert not in_test_split("Sales rose by 1 %.")
    Dataset.from_list(everything).to_parquet(folder / "0000.parquet")
    (data / "noncommercial/qa/fpb/test.jsonl.gz").unlink()
    elsewhere = rebuild("financial_phrasebank", data=data, path=str(hub))
    assert [{**item, "kind": "agreement 75"} for item in elsewhere] == items


def test_fiqa(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    scores = {
        -0.5: "negative",
        -0.1: "neutral",
        0.0: "neutral",
        0.099: "neutral",
        0.1: "positive",
        0.9: "positive",
    }
    rows = [{"id": f"1/{s}", "text": "A and B rise", "target": "B", "sentiment_score": s} for s in scores]
    write(data, "noncommercial/qa/fiqa_sa/test.jsonl.gz", rows)
    items = rebuild("fiqa_sa", data=data)
    assert [item["choices"][item["answer"]] for item in items] == list(scores.values())
    assert {item["target"] for item in items} == {"B"}
    assert len({item["cluster"] for item in items}) == 1
    # TheFinAI/fiqa-sentiment-classification
    columns = {"id": "_id", "text": "sentence", "target": "target", "sentiment_score": "score"}
    there = [{columns[name]: value for name, value in row.items()} for row in rows]
    Dataset.from_list([{**row, "aspect": "['Stock']", "type": "headline"} for row in there]).to_parquet(
        hub / "test.parquet"
    )
    (data / "noncommercial/qa/fiqa_sa/test.jsonl.gz").unlink()
    assert rebuild("fiqa_sa", data=data, path=str(hub)) == items


def test_sentfin(rebuild: "Rebuild", data: Path, tmp_path: Path) -> None:
    texts = sentences(2)
    raw = ["{'Samsung': 'positive', 'Barron's': 'neutral'}", "{\"Moody's\": 'negative'}"]
    rows = [
        {"id": str(n), "text": t, "labels_raw": r} for n, (t, r) in enumerate(zip(texts, raw, strict=True))
    ]
    write(data, "qa/sentfin/test.jsonl.gz", rows)
    items = rebuild("sentfin", data=data)
    assert [(item["id"], item["target"], item["choices"][item["answer"]]) for item in items] == [
        ("0/Samsung", "Samsung", "positive"),
        ("0/Barron's", "Barron's", "neutral"),
        ("1/Moody's", "Moody's", "negative"),
    ]
    assert items[0]["cluster"] == items[1]["cluster"] != items[2]["cluster"]
    assert [item["kind"] for item in items] == ["several entities", "several entities", "one entity"]
    # the authors' CSV, of all splits
    table = Dataset.from_list(
        [
            {"S No.": 7, "Title": "Sales rose by 1 %.", "Decisions": "{'Sales': 'positive'}", "Words": 4},
            *(
                {"S No.": int(row["id"]), "Title": row["text"], "Decisions": row["labels_raw"], "Words": 4}
                for row in rows
            ),
        ]
    )
    table.to_csv(tmp_path / "SEntFiN.csv")
    (data / "qa/sentfin/test.jsonl.gz").unlink()
    assert rebuild("sentfin", data=data, data_files={"train": str(tmp_path / "SEntFiN.csv")}) == items


def test_tweets(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    rows = [{"text": f"$A {word}", "label": n} for n, word in enumerate(TWEETS)]
    write(data, "qa/twitter_fin_sentiment/validation.jsonl.gz", rows)
    items = rebuild("twitter_sentiment", data=data)
    assert answers(items) == [(f"$A {word}", word) for word in TWEETS]
    # zeroshot/twitter-financial-news-sentiment
    Dataset.from_list(rows).to_csv(hub / "sent_valid.csv")
    Dataset.from_list([{"text": "of another split", "label": 0}]).to_csv(hub / "sent_train.csv")
    (data / "qa/twitter_fin_sentiment/validation.jsonl.gz").unlink()
    assert rebuild("twitter_sentiment", data=data, path=str(hub)) == items


def test_gold_headlines(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    marked = {"up": "100", "down": "010", "flat": "001", "both": "110", "neither": "000"}
    rows = [
        {"text": f"gold {name}", **{mark: int(bit) for mark, bit in zip(DIRECTIONS, bits, strict=True)}}
        for name, bits in marked.items()
    ]
    write(data, "noncommercial/qa/gold_headlines/test.jsonl.gz", rows)
    items = rebuild("gold_headlines", data=data)
    assert answers(items) == [("gold up", "up"), ("gold down", "down"), ("gold flat", "unchanged")]
    # SaguaroCapital/sentiment-analysis-in-commodity-market-gold
    names = {"DirectionUp": "Price Direction Up", "DirectionDown": "Price Direction Down", "text": "News"}
    names["DirectionConstant"] = "Price Direction Constant"
    there = [{names[name]: value for name, value in row.items()} for row in rows]
    Dataset.from_list([{**row, "URL": "", "Price Sentiment": "none"} for row in there]).to_parquet(
        hub / "test.parquet"
    )
    (data / "noncommercial/qa/gold_headlines/test.jsonl.gz").unlink()
    assert rebuild("gold_headlines", data=data, path=str(hub)) == items


def test_fomc(rebuild: "Rebuild", data: Path, hub: Path) -> None:
    rows = [{"text": f"We are {word}.", "label": n, "year": 2010} for n, word in enumerate(STANCES)]
    write(data, "noncommercial/qa/fomc/test.jsonl.gz", rows)
    items = rebuild("fomc_stance", data=data)
    assert answers(items) == [(f"We are {word}.", word) for word in STANCES]
    # gtfintechlab/fomc_communication
    there = [{"index": 5, "sentence": row["text"], "year": 2010, "label": row["label"]} for row in rows]
    Dataset.from_list(there).to_csv(hub / "test.csv")
    (data / "noncommercial/qa/fomc/test.jsonl.gz").unlink()
    assert rebuild("fomc_stance", data=data, path=str(hub)) == items


@pytest.mark.parametrize("row", [{"text": "a"}, {"text": "a", "label": 3}, {"text": "a", "label": "x"}])
def test_a_row_that_is_none_of_the_data_set_is_refused(row: Row, rebuild: "Rebuild", data: Path) -> None:
    write(data, "noncommercial/qa/fomc/test.jsonl.gz", [row])
    with pytest.raises(ConfigError, match=r"fomc/test\.jsonl\.gz: a row is not as the task expects it"):
        rebuild("fomc_stance", data=data)
