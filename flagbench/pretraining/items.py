"""The items of the suite `basics`: held-out wordings of taught facts, held-out numbers of calculations.

Choices alone tell nothing: within a relation, and within a kind of calculation, every answer is wrong about
three times as often as it is right; right places go round.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from flagbench.pretraining.calculations import (
    FUNDS,
    KINDS,
    TRENDS,
    Calculation,
    Generator,
    Kind,
    draw_calculation,
    same_calculation,
)
from flagbench.pretraining.relations import Question, Relation, held_out_questions, load_relations

Topic = Literal["finance", "general"]

SEED = 20_240_601
"""Of the items; they are data of the suite's version and do not change with the recipe's seed."""
CALCULATIONS = {"finance": 14, "general": 16}
"""Items a kind of calculation: a quarter of a suite or less, so that facts carry it."""
CHOICES = 4


class Item(NamedTuple):
    """One question with four answers."""

    id: str
    cluster: str
    """Items of one fact, or of one calculation, share it: to lose the fact loses both."""
    kind: str
    question: str
    choices: tuple[str, ...]
    answer: int


class Draft(NamedTuple):
    """An item before its choices are put in order."""

    id: str
    cluster: str
    kind: str
    question: Question
    others: tuple[str, ...]


def make_items(topic: Topic) -> list[Item]:
    """All items of one topic, the same at every call."""
    source = np.random.Generator(np.random.PCG64([SEED, ord(topic[0])]))
    drafts = [draft for relation in load_relations(topic) for draft in _fact_drafts(relation, source)]
    for kind in KINDS:
        if kind.topic == topic:
            drafts += _calculation_drafts(kind, CALCULATIONS[topic], source)
    places = _places(len(drafts), source)
    return [_placed(draft, place, source) for draft, place in zip(drafts, places, strict=True)]


def write_items(items: Sequence[Item], path: Path) -> None:
    """One JSON object a line."""
    lines = [json.dumps(item._asdict(), ensure_ascii=False) for item in items]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _fact_drafts(relation: Relation, source: Generator) -> Iterator[Draft]:
    asked = held_out_questions(relation)
    for direction in range(max(len(questions) for questions in asked.values())):
        questions = [questions[direction] for questions in asked.values()]
        wrong = _wrong_answers([question.answer for question in questions], source)
        for subject, question, others in zip(asked, questions, wrong, strict=True):
            name = f"{relation.id}/{subject}"
            yield Draft(f"{name}/{'ab'[direction]}", name, "fact", question, others)


def _wrong_answers(answers: Sequence[str], source: Generator) -> list[tuple[str, ...]]:
    """Three other answers for each, every answer used about equally often."""
    different = sorted(set(answers))
    used = dict.fromkeys(different, 0)
    found = []
    for place in source.permutation(len(answers)).tolist():
        others = [answer for answer in different if answer != answers[place]]
        source.shuffle(others)
        # What was used least comes first, in proportion to how often it is right.
        chosen = sorted(others, key=lambda answer: used[answer] / answers.count(answer))[: CHOICES - 1]
        for answer in chosen:
            used[answer] += 1
        found.append((place, tuple(chosen)))
    return [chosen for _, chosen in sorted(found)]


def _calculation_drafts(kind: Kind, count: int, source: Generator) -> Iterator[Draft]:
    asked = _different_calculations(kind, count, source)
    wrong = _wrong_answers([one.answer for one in asked.values()], source)
    for (cluster, one), others in zip(asked.items(), wrong, strict=True):
        name = f"{kind.name}/{'-'.join(map(str, one.operands))}"
        question = Question(one.question, one.answer)
        yield Draft(name, cluster, kind.name, question, _named(kind, one) or others)


def _different_calculations(kind: Kind, count: int, source: Generator) -> dict[str, Calculation]:
    """By cluster, held-out calculations of which no answer is right in more than about a quarter."""
    found: dict[str, Calculation] = {}
    right: Counter[str] = Counter()
    while len(found) < count:
        one = draw_calculation(kind, source, held_out=True)
        operation, numbers = same_calculation(kind.operation, one.operands)
        cluster = f"{operation}/{'-'.join(map(str, numbers))}"
        if cluster not in found and right[one.answer] * CHOICES < count:
            found[cluster] = one
            right[one.answer] += 1
    return found


def _named(kind: Kind, asked: Calculation) -> tuple[str, ...]:
    """Where the question names its four possible answers: the other three."""
    if kind.operation == "extreme":
        return tuple(FUNDS[name] for name in asked.operands[:4] if FUNDS[name] != asked.answer)
    if kind.operation == "trend":
        return tuple(trend for trend in TRENDS.values() if trend != asked.answer)
    return ()


def _places(count: int, source: Generator) -> list[int]:
    """Where each right answer stands, each place equally often."""
    places = np.arange(count) % CHOICES
    source.shuffle(places)
    return [int(place) for place in places]


def _placed(draft: Draft, place: int, source: Generator) -> Item:
    choices = [draft.others[other] for other in source.permutation(CHOICES - 1)]
    choices.insert(place, draft.question.answer)
    question, kind = draft.question.text, draft.kind
    return Item(draft.id, draft.cluster, kind, question, tuple(choices), place)
