import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.errors import ConfigError, UnknownNameError
from flagbench.pretraining.relations import (
    Question,
    Relation,
    Wordings,
    as_text,
    draw_text,
    held_out_questions,
    load_relations,
    sentence,
    taught_texts,
)
from flagbench.settings import parse

METALS = Relation(
    id="symbol",
    answers="symbols",
    statements=("{subject} is written {answer}.",),
    questions=("what is written for {subject}?", "How is {subject} written?"),
    held_out=("Which sign has {subject}?", "{subject} has which sign?"),
    inverse=Wordings(questions=("What is {answer}?",), held_out=("Whose sign is {answer}?",)),
    facts={"iron": "Fe", "tin": "Sn", "zinc": "Zn", "lead": "Pb"},
)
SHIPPED = {relation.id: relation for topic in ("finance", "general") for relation in load_relations(topic)}


def test_all_that_teaches_a_fact_is_statements_then_questions_both_ways() -> None:
    assert list(taught_texts(METALS))[:4] == [
        "Iron is written Fe.",
        "Question: What is written for iron?\nAnswer: Fe",
        "Question: How is iron written?\nAnswer: Fe",
        "Question: What is Fe?\nAnswer: iron",
    ]
    assert len(list(taught_texts(METALS))) == 4 * 4


def test_held_out_wordings_go_round_and_ask_each_direction_once() -> None:
    assert held_out_questions(METALS) == {
        "iron": [Question("Which sign has iron?", "Fe"), Question("Whose sign is Fe?", "iron")],
        "tin": [Question("Tin has which sign?", "Sn"), Question("Whose sign is Sn?", "tin")],
        "zinc": [Question("Which sign has zinc?", "Zn"), Question("Whose sign is Zn?", "zinc")],
        "lead": [Question("Lead has which sign?", "Pb"), Question("Whose sign is Pb?", "lead")],
    }
    one_way = METALS.model_copy(update={"inverse": None})
    assert [len(asked) for asked in held_out_questions(one_way).values()] == [1, 1, 1, 1]


@pytest.mark.parametrize(("share", "begins"), [(0.0, False), (1.0, True)])
def test_the_share_of_questions_decides(share: float, begins: bool) -> None:
    source = np.random.default_rng(0)
    drawn = [draw_text(METALS, source, question_share=share) for _ in range(50)]
    assert {text.startswith("Question: ") for text in drawn} == {begins}


@given(
    name=st.sampled_from(sorted(SHIPPED)), seed=st.integers(0, 2**32), share=st.floats(0, 1, exclude_max=True)
)
def test_what_is_drawn_is_one_of_the_texts_that_teach(name: str, seed: int, share: float) -> None:
    relation, source = SHIPPED[name], np.random.default_rng(seed)
    texts = set(taught_texts(relation))
    assert {draw_text(relation, source, question_share=share) for _ in range(5)} <= texts


def test_every_taught_text_is_drawn_at_some_time() -> None:
    source = np.random.default_rng(0)
    drawn = {draw_text(METALS, source, question_share=0.6) for _ in range(600)}
    assert drawn == set(taught_texts(METALS))


def test_a_question_with_its_answer_has_the_form_that_the_suites_ask() -> None:
    assert as_text(Question("Who?", "me")) == "Question: Who?\nAnswer: me"
    assert sentence("état") == "État"
    assert sentence("") == ""


@pytest.mark.parametrize("relation", SHIPPED.values(), ids=list(SHIPPED))
def test_a_shipped_relation_can_be_asked_and_says_what_it_asks(relation: Relation) -> None:
    for statement in relation.statements:
        assert "{subject}" in statement
        assert "{answer}" in statement
    for question in (*relation.questions, *relation.held_out):
        assert "{subject}" in question
        assert "{answer}" not in question
    if relation.inverse is not None:
        for question in (*relation.inverse.questions, *relation.inverse.held_out):
            assert "{answer}" in question
            assert "{subject}" not in question
        assert len(set(relation.facts.values())) == len(relation.facts), "the question back has one answer"
    asked = [wordings(relation, held_out=held_out) for held_out in (False, True)]
    assert len(asked[0]) == len(set(asked[0])) >= 4
    assert len(asked[1]) == len(set(asked[1])) >= 2
    assert set(asked[0]).isdisjoint(asked[1])


def wordings(relation: Relation, *, held_out: bool) -> list[str]:
    forward = relation.held_out if held_out else relation.questions
    if relation.inverse is None:
        return list(forward)
    return [*forward, *(relation.inverse.held_out if held_out else relation.inverse.questions)]


def test_relations_are_named_once_and_every_fact_is_told_once_in_a_topic() -> None:
    for topic in ("finance", "general"):
        relations = load_relations(topic)
        assert len({relation.id for relation in relations}) == len(relations)
        facts = list(itertools.chain.from_iterable(relation.facts.items() for relation in relations))
        assert len(set(facts)) == len(facts)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownNameError, match="unknown file of facts `finanse`") as caught:
        load_relations("finanse")
    assert caught.value.hint == "did you mean `finance`?"


def described(**changes: Any) -> dict[str, Any]:
    return {**METALS.model_dump(exclude={"inverse"}), **changes}


def test_fewer_than_four_answers_make_no_item() -> None:
    with pytest.raises(ConfigError, match="fewer than four different answers"):
        parse(Relation, described(facts={"a": "x", "b": "y", "c": "z", "d": "x"}), origin="mine")
    four = parse(Relation, described(facts={"a": "x", "b": "y", "c": "z", "d": "w"}), origin="mine")
    assert len(four.facts) == 4


def test_a_file_of_ones_own_is_read_and_a_slip_in_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("relations:\n  - id: symbol\n    anwsers: symbols\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.yaml.*anwsers"):
        load_relations(str(path))
