import string
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from flagbench.pretraining.calculations import (
    FUNDS,
    HELD_OUT_OF_HUNDRED,
    KINDS,
    Calculation,
    Kind,
    Operands,
    draw_calculation,
    is_held_out,
    same_calculation,
)

BY_NAME = {kind.name: kind for kind in KINDS}
ALL_KINDS = pytest.mark.parametrize("kind", KINDS, ids=list(BY_NAME))


def drawn(kind: Kind, count: int, *, held_out: bool, seed: int = 0) -> list[Calculation]:
    source = np.random.default_rng(seed)
    return [draw_calculation(kind, source, held_out=held_out) for _ in range(count)]


@pytest.mark.parametrize(
    ("name", "operands", "answer"),
    [
        ("sum", (17, 25), "42"),
        ("difference", (50, 8), "42"),
        ("product", (14, 3), "42"),
        ("sequence", (5, 9, 13), "17"),
        ("double", (21, 0), "42"),
        ("profit", (9, 9), "0 million"),
        ("shares_cost", (30, 9), "$270"),
        ("percent_of", (5, 20), "$1"),
        ("percent_of", (75, 800), "$600"),
        ("simple_interest", (12, 5), "$60"),
        ("percent_change", (200, 210), "up 5%"),
        ("percent_change", (200, 190), "down 5%"),
        ("percent_change", (20, 10), "down 50%"),
        ("price_earnings", (84, 6), "14"),
        ("best_fund", (0, 3, 5, 7, 4, 9, 2, 8), "Echo"),
        ("worst_fund", (0, 3, 5, 7, 4, 9, 2, 8), "Oscar"),
        ("trend", (20, 21, 25), "rose twice"),
        ("trend", (20, 19, 15), "fell twice"),
        ("trend", (20, 21, 15), "rose, then fell"),
        ("trend", (20, 19, 25), "fell, then rose"),
    ],
)
def test_answers_worked_by_hand(name: str, operands: Operands, answer: str) -> None:
    assert BY_NAME[name].answer(operands) == answer


def test_a_question_and_its_worked_statement_read_well() -> None:
    interest = draw_calculation(BY_NAME["simple_interest"], Fixed(12, 5, 1), held_out=False)  # type: ignore[arg-type]
    assert interest.question == "A deposit of $1200 pays 5% a year. What is one year's interest?"
    assert interest.worked == "$1200 at 5% for a year earn 12 x 5: $60."


class Fixed:
    """Numbers in a given order, as a generator gives them."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = iter(numbers)

    def integers(self, *_limits: int) -> int:
        return next(self._numbers)


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@ALL_KINDS
def test_every_wording_shows_the_same_numbers_and_the_statement_the_answer(kind: Kind) -> None:
    shown = [places(question) for question in kind.questions]
    assert len(kind.questions) == len(set(kind.questions)) >= 2
    assert all(one == shown[0] for one in shown)
    assert places(kind.worked) == shown[0] | {"answer"}


@ALL_KINDS
@pytest.mark.parametrize("held_out", [False, True])
def test_what_is_drawn_is_on_the_side_that_was_asked_for(kind: Kind, held_out: bool) -> None:
    for one in drawn(kind, 200, held_out=held_out):
        assert is_held_out(kind.operation, one.operands) == held_out
        assert one.kind == kind.name
        assert one.answer == kind.answer(one.operands)
        assert one.answer in one.worked
        assert "{" not in one.question + one.worked


@ALL_KINDS
def test_one_seed_draws_one_sequence(kind: Kind) -> None:
    assert drawn(kind, 20, held_out=False) == drawn(kind, 20, held_out=False)
    assert drawn(kind, 20, held_out=False) != drawn(kind, 20, held_out=False, seed=1)


@ALL_KINDS
def test_about_the_stated_share_is_held_out(kind: Kind) -> None:
    source = np.random.default_rng(0)
    numbers = [kind.draw(source) for _ in range(4_000)]
    # One set of operands for each calculation.
    different = {same_calculation(kind.operation, operands): operands for operands in numbers}
    held_out = sum(is_held_out(kind.operation, operands) for operands in different.values())
    assert binomtest(held_out, len(different), HELD_OUT_OF_HUNDRED / 100).pvalue > 0.001


def held_out_forms(forms: Sequence[tuple[str, Operands]]) -> set[bool]:
    return {is_held_out(operation, operands) for operation, operands in forms}


@given(one=st.integers(1, 150), other=st.integers(1, 150))
def test_the_order_of_what_is_added_or_multiplied_does_not_matter(one: int, other: int) -> None:
    for operation in ("sum", "product", "percent_of"):
        assert len(held_out_forms([(operation, (one, other)), (operation, (other, one))])) == 1


@given(number=st.integers(1, 150))
def test_double_twice_and_plus_itself_are_one(number: int) -> None:
    forms = [("double", (number, 0)), ("sum", (number, number)), ("product", (number, 2))]
    assert {same_calculation(*form) for form in forms} == {("product", tuple(sorted((2, number))))}
    assert len(held_out_forms(forms)) == 1


@given(percent=st.integers(1, 99), hundreds=st.integers(1, 30))
def test_a_percentage_of_hundreds_is_a_product(percent: int, hundreds: int) -> None:
    assert same_calculation("percent_of", (percent, 100 * hundreds)) == same_calculation(
        "product", (percent, hundreds)
    )


def test_other_calculations_are_themselves() -> None:
    assert same_calculation("sum", (9, 4)) == ("sum", (4, 9))
    assert same_calculation("product", (8, 7)) == ("product", (7, 8))
    assert same_calculation("percent_of", (20, 60)) == same_calculation("percent_of", (60, 20))
    assert same_calculation("difference", (9, 4)) == ("difference", (9, 4))
    assert same_calculation("ratio", (56, 8)) == ("ratio", (56, 8))
    one, other = (2, 0, 5, 7, 4, 9, 1, 8), (0, 7, 5, 2, 9, 8, 1, 4)
    assert same_calculation("extreme", one) == same_calculation("extreme", other)
    assert same_calculation("extreme", one)[1] == (0, 9, 2, 4, 5, 1, 7, 8)


def test_names_are_given_once() -> None:
    assert len(BY_NAME) == len(KINDS)
    assert len(FUNDS) == len(set(FUNDS))
