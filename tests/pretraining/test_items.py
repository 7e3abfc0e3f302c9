import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from scipy.stats import binomtest

from flagbench.pretraining.calculations import FUNDS, KINDS, is_held_out
from flagbench.pretraining.items import CALCULATIONS, Item, Topic, make_items, write_items
from flagbench.pretraining.relations import held_out_questions, load_relations

TOPICS: tuple[Topic, ...] = get_args(Topic)
SURPRISE = 1e-3
"""A way of guessing that is right so often by chance, or more rarely, tells something."""


def right_answer(item: Item) -> str:
    return item.choices[item.answer]


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"[0-9]+", text)]


def facts(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.kind == "fact"]


def calculations(items: Sequence[Item]) -> list[Item]:
    return [item for item in items if item.kind != "fact"]


# What ships.


@pytest.mark.parametrize("topic", TOPICS)
def test_what_ships_is_what_the_recipe_makes(topic: Topic, tmp_path: Path) -> None:
    shipped = files("flagbench.tasks") / "knowledge" / "basics" / f"{topic}_basics.jsonl"
    write_items(make_items(topic), tmp_path / "now.jsonl")
    now = (tmp_path / "now.jsonl").read_text(encoding="utf-8")
    assert now == shipped.read_text(encoding="utf-8"), "write them anew with `flagbench backbone items`"
    read = [Item(**json.loads(line)) for line in now.splitlines()]
    assert [item._replace(choices=tuple(item.choices)) for item in read] == make_items(topic)


def test_there_are_enough_items_of_each_topic() -> None:
    assert len(make_items("finance")) >= 400
    assert len(make_items("general")) >= 200


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_asks_all_its_facts_and_so_many_calculations_of_each_kind(topic: Topic) -> None:
    items = make_items(topic)
    asked = [
        (f"{relation.id}/{subject}", question.text, question.answer)
        for relation in load_relations(topic)
        for subject, questions in held_out_questions(relation).items()
        for question in questions
    ]
    found = [(item.cluster, item.question, right_answer(item)) for item in facts(items)]
    assert sorted(found) == sorted(asked)
    counts = Counter(item.kind for item in calculations(items))
    assert counts == {kind.name: CALCULATIONS[topic] for kind in KINDS if kind.topic == topic}
    assert len(calculations(items)) <= len(items) / 4


def test_items_are_told_apart_and_have_four_different_answers(items: Sequence[Item]) -> None:
    assert len({item.id for item in items}) == len(items)
    assert len({item.question for item in items}) == len(items)
    for item in items:
        assert len(item.choices) == len(set(item.choices)) == 4
        assert all(choice.strip() == choice != "" for choice in item.choices)


def test_items_of_one_fact_or_one_calculation_share_a_cluster(items: Sequence[Item]) -> None:
    clusters = defaultdict(list)
    for item in items:
        clusters[item.cluster].append(item.id)
    assert clusters["capital_of/France"] == ["capital_of/France/a", "capital_of/France/b"]
    assert max(len([name for name in ids if name.endswith(("/a", "/b"))]) for ids in clusters.values()) == 2
    for kind in {item.kind for item in calculations(items)}:
        asked = [item.cluster for item in items if item.kind == kind]
        assert len(asked) == len(set(asked)), f"{kind} asks the same twice"


# Right is right and wrong is wrong.


def of_four_funds(question: str, *, best: bool) -> str:
    returns = {name: int(earned) for name, earned in re.findall(r"([A-Z]\w+)(?: earned)? (\d+)%", question)}
    assert len(returns) == 4
    return str((max if best else min)(returns, key=lambda name: returns[name]))


def change(before: int, after: int) -> str:
    percent = 100 * (after / before - 1)
    return f"{'up' if percent > 0 else 'down'} {abs(percent):.0f}%"


def movement(*closes: int) -> str:
    rises = [later > earlier for earlier, later in pairwise(closes)]
    if rises[0] == rises[1]:
        return "rose twice" if rises[0] else "fell twice"
    return "rose, then fell" if rises[0] else "fell, then rose"


SOLVE: Mapping[str, Callable[[str], str]] = {
    "sum": lambda q: str(sum(numbers_in(q))),
    "difference": lambda q: str(numbers_in(q)[0] - numbers_in(q)[1]),
    "product": lambda q: str(numbers_in(q)[0] * numbers_in(q)[1]),
    "sequence": lambda q: str(3 * numbers_in(q)[2] - 3 * numbers_in(q)[1] + numbers_in(q)[0]),
    "double": lambda q: str(2 * numbers_in(q)[0]),
    "profit": lambda q: f"{numbers_in(q)[0] - numbers_in(q)[1]} million",
    "shares_cost": lambda q: f"${numbers_in(q)[0] * numbers_in(q)[1]}",
    "percent_of": lambda q: f"${percent_of(q)}",
    "simple_interest": lambda q: f"${numbers_in(q)[0] * numbers_in(q)[1] / 100:.0f}",
    "percent_change": lambda q: change(*numbers_in(q)),
    "price_earnings": lambda q: f"{numbers_in(q)[0] / numbers_in(q)[1]:g}",
    "best_fund": lambda q: of_four_funds(q, best=True),
    "worst_fund": lambda q: of_four_funds(q, best=False),
    "trend": lambda q: movement(*numbers_in(q)),
}
"""Answers from the words of a question alone, written apart from the module under test."""


def percent_of(question: str) -> str:
    (percent,), (amount,) = re.findall(r"(\d+)%", question), re.findall(r"\$(\d+)", question)
    return f"{int(percent) * int(amount) / 100:g}"


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_answers_of_calculations_can_be_worked_out_from_the_question(
    kind: str, items: Sequence[Item]
) -> None:
    of_kind = [item for item in items if item.kind == kind]
    assert of_kind
    for item in of_kind:
        assert [choice for choice in item.choices if choice == SOLVE[kind](item.question)] == [
            right_answer(item)
        ], item.question


def test_all_numbers_of_an_item_are_held_out(items: Sequence[Item]) -> None:
    operations = {kind.name: kind.operation for kind in KINDS}
    for item in calculations(items):
        operands = tuple(int(number) for number in item.id.rpartition("/")[2].split("-"))
        assert is_held_out(operations[item.kind], operands)


@pytest.mark.parametrize("topic", TOPICS)
def test_only_one_choice_of_a_fact_is_right_and_all_are_of_one_type(topic: Topic) -> None:
    relations = {relation.id: relation for relation in load_relations(topic)}
    for item in facts(make_items(topic)):
        name, subject, direction = item.id.split("/")
        known = relations[name].facts
        if direction == "a":
            assert set(item.choices) <= set(known.values())
            assert right_answer(item) == known[subject]
        else:
            assert [choice for choice in item.choices if known[choice] == known[subject]] == [subject]


# Choices alone tell nothing.


def test_right_answers_stand_at_each_place_equally_often() -> None:
    for topic in TOPICS:
        places = Counter(item.answer for item in make_items(topic))
        assert set(places) == {0, 1, 2, 3}
        assert max(places.values()) - min(places.values()) <= 1


def group_of(item: Item) -> str:
    """The relation and direction of a fact, the kind of a calculation: their answers are of one sort."""
    return item.kind if item.kind != "fact" else f"{item.id.partition('/')[0]}/{item.id[-1]}"


def test_an_answer_is_wrong_three_times_as_often_as_it_is_right(items: Sequence[Item]) -> None:
    right: defaultdict[str, Counter[str]] = defaultdict(Counter)
    wrong: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        right[group_of(item)][right_answer(item)] += 1
        wrong[group_of(item)].update(choice for choice in item.choices if choice != right_answer(item))
    for group, counts in right.items():
        if group in {"best_fund", "worst_fund", "trend"}:
            continue  # the question names its four answers
        assert set(wrong[group]) <= set(counts)
        for answer, count in counts.items():
            assert abs(wrong[group][answer] - 3 * count) <= 2, f"{group}: {answer}"


def test_no_answer_of_a_kind_of_calculation_is_right_much_more_often_than_others(
    items: Sequence[Item],
) -> None:
    for kind in {item.kind for item in calculations(items)}:
        right = Counter(right_answer(item) for item in items if item.kind == kind)
        assert max(right.values()) <= math.ceil(right.total() / 4)


def test_how_often_a_choice_is_shown_tells_nothing(items: Sequence[Item]) -> None:
    """Neither the choice that stands in most items of its kind nor the one in fewest."""
    shown: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        shown[group_of(item)].update(item.choices)
    for rank in (0, 3):
        right = guessed(calculations(items), lambda item, choice: shown[group_of(item)][choice], rank)
        assert surprise(right) > SURPRISE


@pytest.mark.parametrize("kind", ["trend", "best_fund", "worst_fund"])
def test_where_a_question_names_its_answers_they_are_the_choices(kind: str, items: Sequence[Item]) -> None:
    trends = {"rose twice", "fell twice", "rose, then fell", "fell, then rose"}
    for item in items:
        if item.kind == kind:
            named = trends if kind == "trend" else {fund for fund in FUNDS if fund in item.question}
            assert set(item.choices) == named


def shown_number(choice: str) -> float | None:
    """Signed, as in `down 5%`; None where there is none."""
    numbers = numbers_in(choice)
    return None if not numbers else -numbers[0] if choice.startswith("down") else numbers[0]


def letters_shared(item: Item, choice: str) -> float:
    return len(set(choice.casefold()) & set(item.question.casefold())) / len(set(choice.casefold()))


def words_shared(item: Item, choice: str) -> float:
    words = [set(re.findall(r"\w+", text.casefold())) for text in (item.question, choice)]
    return len(words[0] & words[1]) / len(words[1])


LONG = 60
"""Characters; about half of the questions are longer."""

GUESSES: Mapping[str, Callable[[Item, str], float | str | None]] = {
    "length": lambda _, choice: len(choice),
    "words": lambda _, choice: len(choice.split()),
    "number": lambda _, choice: shown_number(choice),
    "alphabet": lambda _, choice: choice,
    "last letter": lambda _, choice: choice[-1],
    "length, turned round by a long question": lambda item, choice: (
        len(choice) * (-1 if len(item.question) > LONG else 1)
    ),
    "place, turned round by a long question": lambda item, choice: (
        item.choices.index(choice) * (-1 if len(item.question) > LONG else 1)
    ),
}
"""What choices are put in order by."""


def guessed(items: Sequence[Item], by: Callable[[Item, str], float | str | None], rank: int) -> list[float]:
    """Of each item the chance that its choice of that rank is right; choices of one rank share it."""
    found = []
    for item in items:
        values = [by(item, choice) for choice in item.choices]
        if None in values or len(set(values)) == 1:
            continue
        wanted = sorted(values)[rank]  # type: ignore[type-var]
        tied = [place for place, value in enumerate(values) if value == wanted]
        found.append((item.answer in tied) / len(tied))
    return found


def surprise(right: Sequence[float]) -> float:
    """The chance that blind guesses are right so often."""
    return float(binomtest(round(sum(right)), len(right), 0.25, alternative="greater").pvalue)


@pytest.mark.parametrize("group", ["all", "facts", "calculations"])
@pytest.mark.parametrize("rank", range(4))
@pytest.mark.parametrize("guess", GUESSES)
def test_no_rank_of_a_choice_is_right_more_often_than_chance(
    group: str, rank: int, guess: str, items: Sequence[Item]
) -> None:
    among = {"all": items, "facts": facts(items), "calculations": calculations(items)}[group]
    right = guessed(among, GUESSES[guess], rank)
    if (group, guess) not in {("facts", "number"), ("calculations", "words")}:
        assert len(right) > 100
    assert not right or surprise(right) > SURPRISE


@pytest.mark.parametrize("by", [letters_shared, words_shared])
def test_a_choice_that_looks_like_the_question_is_no_better(
    by: Callable[[Item, str], float], items: Sequence[Item]
) -> None:
    """Funds aside: all four stand in the question."""
    for rank in (0, 3):
        right = guessed([item for item in items if not item.kind.endswith("_fund")], by, rank)
        assert surprise(right) > SURPRISE


def test_answers_that_are_right_elsewhere_are_no_better(items: Sequence[Item]) -> None:
    """A reader of all other items with their answers, who does not read the question."""
    right = Counter(right_answer(item) for item in items)
    shown = Counter(choice for item in items for choice in item.choices)

    def share(item: Item, choice: str) -> float:
        own = choice == right_answer(item)
        return (right[choice] - own) / max(1, shown[choice] - 1)

    found = guessed(items, share, 3)
    assert surprise(found) > SURPRISE


def test_the_ways_of_guessing_would_find_what_they_look_for() -> None:
    """Items whose right answer is the longest, the largest number and the first."""
    items = [
        Item(str(n), str(n), "sum", f"What is {n}?", (str(1000 + n), "1", "2", "3"), 0) for n in range(20)
    ]
    assert guessed(items, GUESSES["length"], 3) == [1.0] * 20
    assert guessed(items, GUESSES["number"], 3) == [1.0] * 20
    assert guessed(items, GUESSES["length"], 0) == [0.0] * 20
    assert guessed(items, GUESSES["place, turned round by a long question"], 0) == [1.0] * 20
    assert surprise([1.0] * 20) < SURPRISE


# One seed, one suite.


@pytest.mark.parametrize("topic", TOPICS)
def test_items_are_the_same_at_every_call(topic: Topic) -> None:
    assert make_items(topic) == make_items(topic)


def test_a_line_holds_one_item(tmp_path: Path) -> None:
    item = Item("café/1", "café", "fact", "Where?", ("a", "b", "c", "d"), 2)
    write_items([item, item], tmp_path / "two.jsonl")
    line = (
        '{"id": "café/1", "cluster": "café", "kind": "fact", "question": "Where?", '
        '"choices": ["a", "b", "c", "d"], "answer": 2}\n'
    )
    assert (tmp_path / "two.jsonl").read_text(encoding="utf-8") == line * 2
