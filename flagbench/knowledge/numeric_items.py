"""Items that ask for a number out of a page of a report: FinQA, ConvFinQA, TAT-QA.

An item has `id`, `cluster` (the page or table it is about), `kind`, `context`, `question`, `unit` and
`target`, the right number as it is written, or yes or no. How answers are compared: `numeric_answers`.
Each function is named by a YAML as `custom_dataset`, as those in `choice_items`; a row may come in the layout
of a data folder or in that of the hub.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flagbench.errors import ConfigError
from flagbench.knowledge.numeric_answers import ANY_PERCENT, UNITS, parse_number
from flagbench.knowledge.rows import Row, Rows, as_dataset, read_rows

if TYPE_CHECKING:
    from datasets import Dataset

YES_NO = ("yes", "no")

Items = Iterator[dict[str, Any]]


def finqa(**where: Any) -> "dict[str, Dataset]":
    """FinQA (Chen and others 2021, arXiv 2109.00122), against what its gold programs come to.

    Left out are the questions whose program was not executed, 39 of 1,147 in the data folder: it reads the
    table. The answers written by hand are not used; they disagree with the programs in one row of twelve.
    """

    def items(row: Row) -> Items:
        if "qa" in row:  # the hub's layout is that of the authors' files
            question, executed = row["qa"]["question"], row["qa"]["exe_ans"]
            context = _page(row["pre_text"], row["table"], row["post_text"])
        else:
            question, executed, context = row["question"], row["executed"], row["context"]
        if executed is not None:
            page = str(row["id"]).rpartition("-")[0]
            item = _item(row["id"], page, context=context, target=str(executed), unit=ANY_PERCENT)
            yield {**item, "question": question}

    return _dataset(items, read_rows(**_place(where)))


def convfinqa(**where: Any) -> "dict[str, Dataset]":
    """ConvFinQA (Chen and others 2022, arXiv 2210.03849): the last question of each conversation.

    The questions before it are shown, their answers are not.
    """
    rows, origin = read_rows(**_place(where))
    if rows and "dialogue_id" in rows[0]:  # the hub has a row a turn
        rows = list({row["dialogue_id"]: row for row in sorted(rows, key=_turn)}.values())

    def items(row: Row) -> Items:
        if "query" in row:
            name, page = f"dialogue-{row['dialogue_id']}", f"dialogue-{row['dialogue_id']}"
            context, questions = row["query"].strip().removesuffix("Answer:").rstrip(), ""
        else:
            name = str(row["id"])
            page = name.partition("_")[2].partition(".pdf")[0]
            context = _page([row["text"]], row["table"], [])
            questions = "\n".join(f"Question: {question}" for question in row["questions"])
        item = _item(name, page, context=context, target=str(row["answer"]), unit=ANY_PERCENT)
        yield {**item, "question": questions}

    return _dataset(items, Rows(rows, origin))


def tatqa(**where: Any) -> "dict[str, Dataset]":
    """TAT-QA (Zhu and others 2021, arXiv 2105.07624): its questions whose answer is one number.

    These are all of the types `arithmetic` and `count`, and spans that are a number and nothing else.
    """

    def items(row: Row) -> Items:
        for question in row.get("questions", [row]):  # the hub's rows are tables with their questions
            written = _written_number(question)
            if written is None:
                continue
            table = row["table"]["table"] if isinstance(row["table"], dict) else row["table"]
            paragraphs = [part["text"] if isinstance(part, dict) else part for part in row["paragraphs"]]
            page = hashlib.sha256(json.dumps([table, paragraphs]).encode()).hexdigest()[:16]
            name = question["uid"] if "uid" in question else question["id"]
            context = _page([], table, paragraphs)
            item = _item(name, page, context=context, target=written, unit=question["scale"])
            yield {**item, "question": question["question"], "kind": question["answer_type"]}

    return _dataset(items, read_rows(**_place(where)))


def _place(where: dict[str, Any]) -> dict[str, Any]:
    """Of what stands in the YAML, what says where the rows are."""
    return {"file": where["file"], "hub": where["hub"], "data": where.get("data")}


def _turn(row: Row) -> int:
    return int(row["turn"])


def _dataset(items: Callable[[Row], Items], rows: Rows) -> "dict[str, Dataset]":
    try:
        listed = [item for row in rows.rows for item in items(row)]
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(f"{rows.origin}: a row is not as the task expects it: {error!r}") from error
    return as_dataset(listed, origin=rows.origin)


def _item(name: Any, page: str, *, context: str, target: str, unit: str) -> dict[str, Any]:
    if unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}")
    if target not in YES_NO:
        float(target)  # a ValueError is no target of these data sets
    return {
        "id": str(name),
        "cluster": page,
        "kind": "yes or no" if target in YES_NO else "number",
        "context": context.strip(),
        "unit": unit,
        "target": target,
    }


def _written_number(question: Row) -> str | None:
    """The right answer as a plain number, or None where it is no single number."""
    answer = question["answer"]
    if question["answer_type"] in ("arithmetic", "count"):
        return str(answer).replace(",", "")
    if question["answer_type"] != "span" or len(answer) != 1:
        return None
    number = parse_number(answer[0])
    if number is None or number.text != answer[0].strip():
        return None
    return number.plain


def _page(before: Sequence[str], table: Any, after: Sequence[str]) -> str:
    """A page with its table, a line a row."""
    lines = table if isinstance(table, str) else "\n".join(" | ".join(map(str, cells)) for cells in table)
    return "\n\n".join(part for part in (" ".join(before), lines, " ".join(after)) if part.strip())
