"""Items with choices: questions that ship with a package, MMLU's, and texts with labels.

An item has `id`, `cluster`, `kind`, what its prompt is written from, `choices`, and `answer`, the position of
the right one. Each function is named by a YAML as `custom_dataset` and given what stands there: `file` below
a data folder, `hub`, the same data elsewhere (`rows.Hub`); and `data`, the folder of the command line.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from flagbench.errors import ConfigError
from flagbench.knowledge.rows import Row, as_dataset, packaged_rows, read_rows

if TYPE_CHECKING:
    from datasets import Dataset

SENTIMENTS = ("negative", "neutral", "positive")
"""In the order of Financial PhraseBank's own numbers."""

TWEETS = ("bearish", "bullish", "neutral")
"""In the order of the data set's numbers."""

STANCES = ("dovish", "hawkish", "neutral")
"""In the order of the data set's numbers (Shah, Paturi and Chava 2023, arXiv 2305.07972)."""

DIRECTIONS = {"DirectionUp": "up", "DirectionDown": "down", "DirectionConstant": "unchanged"}
"""Marks of Sinha and Khandait (2020, arXiv 2009.04202) and the words they are asked by."""

NEUTRAL_BELOW = 0.1
"""FiQA's scores lie in -1..1; below this size a score counts as neutral, as in FinGPT's benchmark
(arXiv 2310.04793)."""

LABELLED_ENTITY = re.compile(r"""['"]([^{].*?)['"]: ['"](negative|neutral|positive)['"][,}]""")
"""In SEntFiN's own column, which looks like Python but for quotes inside names."""

SHARED_PASSAGE = "This question refers to the following information"
"""How those of MMLU's questions begin that share a passage with others."""

TEST_BUCKET = 0
"""Of ten; where a source has no split, a text belongs to the test split by its hash."""

Items = Iterator[dict[str, Any]]


def packaged(*, package: str, file: str, **_described: Any) -> "dict[str, Dataset]":
    """Items that a package ships: lines of `id`, `cluster`, `kind`, `question`, `choices`, `answer`.

    Raises:
        ConfigError: the file is missing, or a line is no such item.
    """
    rows, origin = packaged_rows(package, file)
    for number, row in enumerate(rows, 1):
        _check(row, f"{origin}, line {number}")
    return as_dataset(({name: row[name] for name in FIELDS} for row in rows), origin=origin)


def written(*, items: Sequence[Mapping[str, Any]], **_described: Any) -> "dict[str, Dataset]":
    """Items that stand in the task's own YAML, under `dataset_kwargs`: `question`, `choices`, `answer`.

    `id` and `cluster` may be left out, and an item is then a cluster of its own; so may `kind`.

    Raises:
        ConfigError: they are no list, or one of them is no such item.
    """
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ConfigError("`items` must be a list of items with `question`, `choices` and `answer`")
    rows = []
    for number, item in enumerate(items, 1):
        name = str(item.get("id", number))
        row = {"id": name, "cluster": name, "kind": "question", **item}
        choices = row.get("choices")
        if isinstance(choices, list) and not all(isinstance(choice, str) for choice in choices):
            raise ConfigError(
                f"items, number {number}: `choices` must be texts, given {choices!r}",
                hint="quote numbers, and words such as yes and no, which YAML reads as true and false",
            )
        _check(row, f"items, number {number}")
        rows.append({field: row[field] for field in FIELDS})
    return as_dataset(rows, origin="the task's own YAML")


FIELDS: Mapping[str, type] = {
    "id": str,
    "cluster": str,
    "kind": str,
    "question": str,
    "choices": list,
    "answer": int,
}


def _check(row: Row, origin: str) -> None:
    for name, kind in FIELDS.items():
        if not isinstance(row.get(name), kind):
            raise ConfigError(f"{origin}: `{name}` must be a {kind.__name__}, given {row.get(name)!r}")
    choices = row["choices"]
    if len(choices) < 2 or len(set(choices)) < len(choices) or not all(map(str.strip, choices)):
        raise ConfigError(f"{origin}: `choices` must be two or more different texts, given {choices!r}")
    if not 0 <= row["answer"] < len(choices):
        raise ConfigError(f"{origin}: `answer` must be the position of a choice, given {row['answer']}")


def mmlu(*, subject: str, hub: Mapping[str, Any], **where: Any) -> "dict[str, Dataset]":
    """One subject of MMLU (Hendrycks and others 2021, arXiv 2009.03300), its official test split."""
    numbers = count()

    def item(row: Row) -> Items:
        if row["subject"] != subject:
            return
        question = row["question"].strip()
        name = f"{subject}/test/{next(numbers)}"
        passage = question.rpartition("\n")[0] if question.startswith(SHARED_PASSAGE) else name
        yield {
            "id": name,
            "cluster": _digest(passage),
            "kind": subject,
            "question": question,
            "choices": list(row["choices"]),
            "answer": int(row["answer"]),
        }

    return _from_rows(item, hub={**hub, "name": subject}, **where)


def phrasebank(**where: Any) -> "dict[str, Dataset]":
    """Sentences of Financial PhraseBank (Malo and others 2014, arXiv 1307.5336), a tenth of them."""

    def item(row: Row) -> Items:
        label = row["label"]
        answer = label if isinstance(label, int) else SENTIMENTS.index(label)
        # Which share of the annotators agreed is not told by the hub's copy of all sentences.
        kind = f"agreement {row['agreement']}" if "agreement" in row else "sentence"
        if _bucket(row["text"]) == TEST_BUCKET:
            yield _labelled(row, SENTIMENTS, answer, kind=kind)

    return _from_rows(item, **where)


def fiqa(**where: Any) -> "dict[str, Dataset]":
    """Sentiment towards a target in headlines and posts (FiQA 2018, task 1)."""

    def item(row: Row) -> Items:
        score = float(row["sentiment_score"])
        answer = 1 + (score >= NEUTRAL_BELOW) - (score < -NEUTRAL_BELOW)
        labelled = _labelled(row, SENTIMENTS, answer, kind="target")
        yield {**labelled, "id": str(row["id"]), "target": row["target"]}

    return _from_rows(item, **where)


def sentfin(**where: Any) -> "dict[str, Dataset]":
    """Sentiment towards each entity of a headline (SEntFiN 1.0, Sinha and others 2022, arXiv 2305.12257)."""

    def item(row: Row) -> Items:
        if _bucket(row["text"]) != TEST_BUCKET:
            return
        labels = LABELLED_ENTITY.findall(row["labels_raw"])
        for entity, label in labels:
            labelled = _labelled(row, SENTIMENTS, SENTIMENTS.index(label), kind="entity")
            kind = "one entity" if len(labels) == 1 else "several entities"
            yield {**labelled, "id": f"{row['id']}/{entity}", "kind": kind, "target": entity}

    return _from_rows(item, **where)


def tweets(**where: Any) -> "dict[str, Dataset]":
    """Tweets about markets, the validation split of zeroshot/twitter-financial-news-sentiment."""

    def item(row: Row) -> Items:
        yield _labelled(row, TWEETS, int(row["label"]), kind="tweet")

    return _from_rows(item, **where)


def fomc(**where: Any) -> "dict[str, Dataset]":
    """Sentences of the Federal Open Market Committee, by stance, the test split of seed 5768."""

    def item(row: Row) -> Items:
        yield _labelled(row, STANCES, int(row["label"]), kind="sentence")

    return _from_rows(item, **where)


def headlines(**where: Any) -> "dict[str, Dataset]":
    """Where a headline says that gold goes; those with no direction or with several are left out."""

    def item(row: Row) -> Items:
        marked = [mark for mark in DIRECTIONS if int(row[mark])]
        if len(marked) == 1:
            choices = tuple(DIRECTIONS.values())
            yield _labelled(row, choices, choices.index(DIRECTIONS[marked[0]]), kind="direction")

    return _from_rows(item, **where)


def _from_rows(
    item: Callable[[Row], Items],
    *,
    file: str,
    hub: Mapping[str, Any],
    data: str | None = None,
    **_described: Any,
) -> "dict[str, Dataset]":
    rows, origin = read_rows(file, hub=hub, data=data)
    try:
        items = [one for row in rows for one in item(row)]
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{origin}: a row is not as the task expects it: {error!r}") from error
    return as_dataset(items, origin=origin)


def _labelled(row: Row, choices: Sequence[str], answer: int, *, kind: str) -> dict[str, Any]:
    """Equal texts stand or fall together."""
    text = str(row["text"]).strip()
    choices[answer]  # an IndexError is no row of this data set
    digest = _digest(text)
    return {
        "id": digest,
        "cluster": digest,
        "kind": kind,
        "text": text,
        "choices": list(choices),
        "answer": answer,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _bucket(text: str) -> int:
    """One of ten, by the first 8 hexadecimal digits of a text's sha256."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10
