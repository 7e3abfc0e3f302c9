"""Facts as data: relations between subjects and answers, and the wordings that teach or ask them.

Wordings under `held_out` are asked in the knowledge suites and never taught; that split is part of the
data, so it is the same for every seed of the recipe.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from pydantic import field_validator

from flagbench.registry import task_files
from flagbench.settings import Settings, read_installed

Generator = np.random.Generator


class Wordings(Settings):
    """Ways to ask for one side of a fact."""

    questions: tuple[str, ...]
    """Taught."""
    held_out: tuple[str, ...]
    """Asked in a suite, never taught."""


class Relation(Settings):
    """Facts of one kind; any answer may serve as a wrong choice for another subject."""

    id: str
    answers: str
    """What all answers are, in a few words."""
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    held_out: tuple[str, ...]
    inverse: Wordings | None = None
    """The same facts asked the other way round, where each answer has one subject."""
    facts: dict[str, str]

    @field_validator("facts")
    @classmethod
    def _four_choices(cls, facts: dict[str, str]) -> dict[str, str]:
        if len(set(facts.values())) < 4:
            raise ValueError("fewer than four different answers, so no item of four choices can be made")
        return facts


class Relations(Settings):
    """A file of facts."""

    relations: tuple[Relation, ...]


class Question(NamedTuple):
    """One question about one fact."""

    text: str
    answer: str


def load_relations(name: str) -> tuple[Relation, ...]:
    """The relations of an installed file of facts, such as `finance`.

    Raises:
        UnknownNameError: no such file.
        ConfigError: it is broken.
    """
    return read_installed(Relations, name, kind="file of facts", installed=task_files("facts")).relations


def taught_texts(relation: Relation) -> Iterator[str]:
    """Every text that teaches a fact of the relation: statements, then questions with their answers."""
    for subject, answer in relation.facts.items():
        for wording in relation.statements:
            yield sentence(wording.format(subject=subject, answer=answer))
        for question in _asked(relation, subject, answer, held_out=False):
            yield as_text(question)


def held_out_questions(relation: Relation) -> dict[str, list[Question]]:
    """By subject, the questions about a fact that are never taught: one a direction.

    Of several wordings a subject gets one, in turn, so that all are used about equally often.
    """
    found: dict[str, list[Question]] = {}
    for place, (subject, answer) in enumerate(relation.facts.items()):
        forward = relation.held_out[place % len(relation.held_out)]
        found[subject] = [Question(sentence(forward.format(subject=subject)), answer)]
        if relation.inverse is not None:
            backward = relation.inverse.held_out[place % len(relation.inverse.held_out)]
            found[subject].append(Question(sentence(backward.format(answer=answer)), subject))
    return found


def draw_text(relation: Relation, source: Generator, *, question_share: float) -> str:
    """A text that teaches one fact, drawn."""
    subjects = list(relation.facts)
    subject = subjects[source.integers(len(subjects))]
    answer = relation.facts[subject]
    if source.random() >= question_share:
        return sentence(_pick(relation.statements, source).format(subject=subject, answer=answer))
    if relation.inverse is not None and source.random() < 0.5:
        wording = _pick(relation.inverse.questions, source)
        return as_text(Question(sentence(wording.format(answer=answer)), subject))
    return as_text(Question(sentence(_pick(relation.questions, source).format(subject=subject)), answer))


def as_text(question: Question) -> str:
    """A question with its answer, in the form that the knowledge suites ask."""
    return f"Question: {question.text}\nAnswer: {question.answer}"


def sentence(text: str) -> str:
    """With a capital letter first."""
    return text[:1].upper() + text[1:]


def _asked(relation: Relation, subject: str, answer: str, *, held_out: bool) -> Iterator[Question]:
    for wording in relation.held_out if held_out else relation.questions:
        yield Question(sentence(wording.format(subject=subject)), answer)
    if relation.inverse is not None:
        for wording in relation.inverse.held_out if held_out else relation.inverse.questions:
            yield Question(sentence(wording.format(answer=answer)), subject)


def _pick(wordings: Sequence[str], source: Generator) -> str:
    return wordings[int(source.integers(len(wordings)))]
