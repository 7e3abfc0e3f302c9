"""Nothing that the suite `basics` asks is taught: no text, and no calculation under another wording."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagbench.pretraining.calculations import FUNDS, KINDS, is_held_out
from flagbench.pretraining.corpus import Corpus, Packer
from flagbench.pretraining.items import Item

Numbers = tuple[int, ...]
Meaning = tuple[object, ...]


def product(one: int, other: int) -> Meaning:
    return ("product", frozenset((one, other)))


def percentage(percent: int, amount: int) -> Meaning:
    """p % of hundreds are p times so many; p % of a is a % of p."""
    low, high = sorted((percent, amount))
    return product(low, high // 100) if high % 100 == 0 else ("percent", low, high)


def addition(one: int, other: int) -> Meaning:
    return product(2, one) if one == other else ("sum", frozenset((one, other)))


def funds(*numbers: int) -> Meaning:
    return ("funds", frozenset(zip(numbers[:4], numbers[4:], strict=True)))


MEANS: Mapping[str, Callable[..., Meaning]] = {
    "sum": addition,
    "difference": lambda a, b: ("difference", a, b),
    "profit": lambda a, b: ("difference", a, b),
    "product": product,
    "shares_cost": product,
    "simple_interest": product,
    "double": lambda a: product(2, a),
    "sequence": lambda a, b, c: ("sequence", a, b, c),
    "percent_of": percentage,
    "percent_change": lambda a, b: ("change", a, b),
    "price_earnings": lambda a, b: ("ratio", a, b),
    "best_fund": funds,
    "worst_fund": funds,
    "trend": lambda a, b, c: ("trend", a, b, c),
}
"""What a question computes, whatever its kind: written apart from the module under test."""


@lru_cache
def forms() -> Sequence[tuple[str, re.Pattern[str]]]:
    """A pattern of every wording that a calculation is taught in."""
    found = []
    for kind in KINDS:
        questions = [f"Question: {question}\nAnswer: {{answer}}" for question in kind.questions]
        found += [(kind.name, re.compile(pattern(wording))) for wording in (*questions, kind.worked)]
    return found


def pattern(wording: str) -> str:
    """Numbers or names of funds for `{0}` to `{7}`; one that stands there twice is the same twice."""
    seen: set[str] = set()

    def place(match: re.Match[str]) -> str:
        name = match[1]
        if name == "answer":
            return ".+"
        if name in seen:
            return f"(?P=o{name})"
        seen.add(name)
        return f"(?P<o{name}>[A-Z][a-z]+|[0-9]+)"

    return re.sub(r"\\\{(\w+)\\\}", place, re.escape(wording))


def readings(text: str) -> list[tuple[str, Numbers]]:
    """Kinds and numbers that a text can be read as."""
    found = []
    for name, form in forms():
        match = form.fullmatch(text)
        if match is not None:
            values = sorted((int(key[1:]), value) for key, value in match.groupdict().items())
            numbers = (int(value) if value.isdecimal() else FUNDS.index(value) for _, value in values)
            found.append((name, tuple(numbers)))
    return found


def meaning(name: str, numbers: Numbers) -> Meaning:
    return MEANS[name](*numbers)


def asked(item: Item) -> Meaning:
    ((name, numbers),) = readings(f"Question: {item.question}\nAnswer: {item.choices[item.answer]}")
    assert name == item.kind
    return meaning(name, numbers)


def test_the_reader_of_this_file_reads() -> None:
    assert readings("Question: What do 7 shares at $8 each cost?\nAnswer: $56") == [("shares_cost", (8, 7))]
    assert readings("$800 at 7% for a year earn 8 x 7: $56.") == [("simple_interest", (8, 7))]
    assert readings("Twice 7 is 7 + 7 = 14.") == [("double", (7,))]
    assert readings("Twice 7 is 8 + 7 = 14.") == []
    one = "Echo earned 4%, Alfa 9%, Bravo 2% and Delta 1%. The best was Alfa."
    assert readings(one) == [("best_fund", (3, 0, 1, 2, 4, 9, 2, 1))]
    assert meaning("shares_cost", (8, 7)) == meaning("simple_interest", (7, 8)) == meaning("product", (7, 8))
    assert meaning("double", (7,)) == meaning("sum", (7, 7)) == meaning("product", (7, 2))
    assert meaning("percent_of", (5, 600)) == meaning("simple_interest", (6, 5))


def test_no_question_of_an_item_stands_in_any_taught_text(
    taught: Sequence[str], items: Sequence[Item]
) -> None:
    texts = "\n\n".join({text.casefold() for text in taught})
    assert [item.id for item in items if item.question.casefold() in texts] == []


def test_texts_of_every_kind_were_looked_at(taught: Sequence[str]) -> None:
    """So that the other tests of this file speak of all that is taught."""
    kinds = {name for text in taught for name, _ in readings(text)}
    assert kinds == {kind.name for kind in KINDS} == set(MEANS)
    assert any("next: up a lot" in text for text in taught)
    assert any(text.startswith("Gloomy news tends") for text in taught)


def test_no_held_out_calculation_is_taught_by_any_kind_in_any_order(
    taught: Sequence[str], items: Sequence[Item]
) -> None:
    taught_meanings = {meaning(*reading) for text in set(taught) for reading in readings(text)}
    calculations = [item for item in items if item.kind != "fact"]
    assert len(calculations) >= 150
    assert [item.id for item in calculations if asked(item) in taught_meanings] == []
    assert len(taught_meanings) > 3_000


def test_what_is_taught_is_never_on_the_side_that_is_held_out(taught: Sequence[str]) -> None:
    operations = {kind.name: kind.operation for kind in KINDS}
    wrong = [
        text
        for text in set(taught)
        for name, numbers in readings(text)
        if is_held_out(operations[name], numbers if name != "double" else (*numbers, 0))
    ]
    assert wrong == []


@given(numbers=st.tuples(st.integers(1, 90), st.integers(1, 90)), data=st.data())
def test_calculations_of_one_meaning_are_held_out_together(numbers: Numbers, data: st.DataObject) -> None:
    """Whatever operation asks: the module's own names of calculations against this file's meanings."""
    two = ("sum", "product", "shares_cost", "simple_interest", "difference", "percent_of", "price_earnings")
    operations = {kind.name: kind.operation for kind in KINDS}
    one, other = data.draw(st.sampled_from(two)), data.draw(st.sampled_from(two))
    swapped = data.draw(st.sampled_from([numbers, numbers[::-1]]))
    if meaning(one, numbers) == meaning(other, swapped):
        assert is_held_out(operations[one], numbers) == is_held_out(operations[other], swapped)


def test_no_question_of_an_item_stands_in_rows_with_chats(tokenizer: Any, items: Sequence[Item]) -> None:
    rows = Packer(Corpus(seed=3), tokenizer, context=1024, seed=3).rows(count=60, length=1024)
    text = "\n".join(tokenizer.decode(row.tokens) for row in rows).casefold()
    assert '{"action": "' in text
    assert [item.id for item in items if item.question.casefold() in text] == []


@pytest.mark.parametrize("seed", [0, 1, 2**31])
def test_nor_does_another_seed_teach_one(seed: int, items: Sequence[Item]) -> None:
    corpus = Corpus(seed=seed)
    texts = {corpus.text() for _ in range(4_000)}
    together = "\n\n".join(texts).casefold()
    assert [item.id for item in items if item.question.casefold() in together] == []
    meanings = {meaning(*reading) for text in texts for reading in readings(text)}
    assert [item.id for item in items if item.kind != "fact" and asked(item) in meanings] == []
