"""Calculations with small numbers: plain arithmetic, and the sums that finance is made of.

Which numbers are held out is decided by the hash of what is computed: if 7 · 8 is held out, no kind of
calculation that multiplies teaches it, in either order. Its inverse, 56 / 8, is another calculation.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Literal, NamedTuple

import numpy as np

Generator = np.random.Generator
Operands = tuple[int, ...]

HELD_OUT_OF_HUNDRED = 12
"""Share of operands never taught, in percent; enough for items of every kind."""

FUNDS = ("Alfa", "Bravo", "Delta", "Echo", "Lima", "Oscar", "Romeo", "Tango")
TRENDS = {
    (1, 1): "rose twice",
    (-1, -1): "fell twice",
    (1, -1): "rose, then fell",
    (-1, 1): "fell, then rose",
}
COMMUTATIVE = frozenset({"sum", "product", "percent_of"})


class Kind(NamedTuple):
    """One kind of calculation: how numbers are drawn, what follows from them, how it is asked."""

    name: str
    topic: Literal["finance", "general"]
    operation: str
    """What is computed; kinds of one operation share what is held out."""
    draw: Callable[[Generator], Operands]
    answer: Callable[[Operands], str]
    questions: tuple[str, ...]
    """Wordings with a place for each operand."""
    worked: str
    """A statement with the answer, `{answer}`, that shows the way to it."""


class Calculation(NamedTuple):
    """A question with numbers in it, its answer, and the statement that works it out."""

    kind: str
    operands: Operands
    question: str
    answer: str
    worked: str


def _pair(first: tuple[int, int], second: tuple[int, int]) -> Callable[[Generator], Operands]:
    def draw(source: Generator) -> Operands:
        return int(source.integers(*first)), int(source.integers(*second))

    return draw


def _larger_first(limit: int) -> Callable[[Generator], Operands]:
    def draw(source: Generator) -> Operands:
        one, other = (int(value) for value in source.integers(1, limit, 2))
        return max(one, other), min(one, other)

    return draw


def _percent(source: Generator) -> Operands:
    percent = int(source.choice((5, 10, 20, 25, 30, 40, 50, 60, 75, 80)))
    return percent, 20 * int(source.integers(1, 41))


def _change(source: Generator) -> Operands:
    percent = 10 * int(source.integers(1, 10)) * (1 if source.random() < 0.5 else -1)
    base = int(source.choice((10, 20, 30, 40, 50, 100, 200, 300, 400, 500, 1000)))
    return base, base + base * percent // 100


def _four_returns(source: Generator) -> Operands:
    names = source.choice(len(FUNDS), 4, replace=False)
    returns = source.choice(np.arange(1, 10), 4, replace=False)
    return (*(int(name) for name in names), *(int(value) for value in returns))


def _three_closes(source: Generator) -> Operands:
    while True:
        trend = list(TRENDS)[int(source.integers(4))]
        first, second, third = (int(close) for close in source.integers(1, 10, 3))
        if _direction(first, second, third) == trend:
            return first, second, third


def _ratio(source: Generator) -> Operands:
    earnings, ratio = int(source.integers(2, 10)), int(source.integers(2, 31))
    return earnings * ratio, earnings


def _sequence(source: Generator) -> Operands:
    start, step = int(source.integers(1, 40)), int(source.integers(1, 10))
    return start, start + step, start + 2 * step


def _best(operands: Operands, sign: int) -> str:
    names, returns = operands[:4], operands[4:]
    best = max(range(4), key=lambda place: sign * returns[place])
    return FUNDS[names[best]]


def _percent_change(operands: Operands) -> str:
    before, after = operands
    change = 100 * (after - before) // before
    return f"up {change}%" if change > 0 else f"down {-change}%"


def _trend(operands: Operands) -> str:
    return TRENDS[_direction(*operands)]


def _direction(first: int, second: int, third: int) -> tuple[int, int]:
    """The sign of each of two moves, 0 for none."""
    return (second > first) - (second < first), (third > second) - (third < second)


_FOUR_FUNDS = "{0} earned {4}%, {1} {5}%, {2} {6}% and {3} {7}%."

KINDS = (
    Kind(
        "sum", "general", "sum", _pair((1, 60), (1, 40)), lambda o: str(o[0] + o[1]),
        ("What is {0} plus {1}?", "What do {0} and {1} add up to?", "How much is {0} + {1}?"),
        "{0} + {1} = {answer}.",
    ),
    Kind(
        "difference", "general", "difference", _larger_first(80), lambda o: str(o[0] - o[1]),
        ("What is {0} minus {1}?", "What is left of {0} if {1} is taken away?", "How much is {0} - {1}?"),
        "{0} - {1} = {answer}.",
    ),
    Kind(
        "product", "general", "product", _pair((2, 31), (2, 10)), lambda o: str(o[0] * o[1]),
        ("What is {0} times {1}?", "What do you get if you multiply {0} by {1}?", "How much is {0} x {1}?"),
        "{0} x {1} = {answer}.",
    ),
    Kind(
        "sequence", "general", "sequence", _sequence, lambda o: str(2 * o[2] - o[1]),
        ("What comes next: {0}, {1}, {2}?", "Which number follows {0}, {1}, {2} in even steps?"),
        "{0}, {1}, {2}, {answer}.",
    ),
    Kind(
        "double", "general", "double", _pair((3, 150), (0, 1)), lambda o: str(2 * o[0]),
        ("What is twice {0}?", "What is the double of {0}?"),
        "Twice {0} is {0} + {0} = {answer}.",
    ),
    Kind(
        "profit", "finance", "difference", _larger_first(80), lambda o: f"{o[0] - o[1]} million",
        (
            "A firm earns {0} million and spends {1} million. What is its profit?",
            "Revenue is {0} million, costs are {1} million. How large is the profit?",
        ),
        "Revenue of {0} million less costs of {1} million leaves {0} - {1} = {answer}.",
    ),
    Kind(
        "shares_cost", "finance", "product", _pair((2, 31), (2, 10)), lambda o: f"${o[0] * o[1]}",
        (
            "What do {1} shares at ${0} each cost?",
            "A share trades at ${0}. What must be paid for {1} shares?",
        ),
        "{1} shares at ${0} cost {0} x {1}: {answer}.",
    ),
    Kind(
        "percent_of", "finance", "percent_of", _percent, lambda o: f"${o[0] * o[1] // 100}",
        ("What is {0}% of ${1}?", "A fund holds ${1}. How much is {0}% of it?"),
        "{0}% of ${1} is {answer}.",
    ),
    Kind(
        "simple_interest", "finance", "product", _pair((2, 31), (2, 10)), lambda o: f"${o[0] * o[1]}",
        (
            "What interest do ${0}00 earn in one year at {1}%?",
            "A deposit of ${0}00 pays {1}% a year. What is one year's interest?",
        ),
        "${0}00 at {1}% for a year earn {0} x {1}: {answer}.",
    ),
    Kind(
        "percent_change", "finance", "percent_change", _change, _percent_change,
        (
            "A price moves from ${0} to ${1}. What is the change?",
            "A share was at ${0} and is now at ${1}. By how much did it change?",
        ),
        "From ${0} to ${1} a price is {answer}.",
    ),
    Kind(
        "price_earnings", "finance", "ratio", _ratio, lambda o: str(o[0] // o[1]),
        (
            "A share costs ${0} and earns ${1}. What is its price/earnings ratio?",
            "The price is ${0}, earnings per share are ${1}. What is the price/earnings ratio?",
        ),
        "A price of ${0} over earnings of ${1} is a price/earnings ratio of {answer}.",
    ),
    Kind(
        "best_fund", "finance", "extreme", _four_returns, lambda o: _best(o, 1),
        (f"{_FOUR_FUNDS} Which fund earned most?", f"{_FOUR_FUNDS} Which fund did best?"),
        f"{_FOUR_FUNDS} The best was {{answer}}.",
    ),
    Kind(
        "worst_fund", "finance", "extreme", _four_returns, lambda o: _best(o, -1),
        (f"{_FOUR_FUNDS} Which fund earned least?", f"{_FOUR_FUNDS} Which fund did worst?"),
        f"{_FOUR_FUNDS} The worst was {{answer}}.",
    ),
    Kind(
        "trend", "finance", "trend", _three_closes, _trend,
        (
            "Closes were {0}, {1}, {2}. What did the price do?",
            "The price went {0}, {1}, {2}. How did it move?",
        ),
        "A price that went {0}, {1}, {2} {answer}.",
    ),
)  # fmt: skip


def same_calculation(operation: str, operands: Operands) -> tuple[str, Operands]:
    """One name for all ways to ask the same: 7 · 8 and 8 · 7, the double of 7 and 7 + 7 and 2 · 7.

    A percentage of hundreds is a product (7 % of 800 is 7 · 8), p % of a is a % of p, and of four funds the
    best is the best in any order.
    """
    if operation == "double" or (operation == "sum" and operands[0] == operands[1]):
        operation, operands = "product", (2, operands[0])
    elif operation == "percent_of" and max(operands) % 100 == 0:
        operation, operands = "product", (min(operands), max(operands) // 100)
    elif operation == "extreme":
        pairs = sorted(zip(operands[:4], operands[4:], strict=True))
        operands = tuple(number for pair in pairs for number in pair)
    return operation, tuple(sorted(operands)) if operation in COMMUTATIVE else operands


def is_held_out(operation: str, operands: Operands) -> bool:
    """Whether these numbers are kept for the suites."""
    name, key = same_calculation(operation, operands)
    digest = sha256(f"{name}:{','.join(map(str, key))}".encode()).digest()
    return int.from_bytes(digest[:4]) % 100 < HELD_OUT_OF_HUNDRED


def draw_calculation(kind: Kind, source: Generator, *, held_out: bool) -> Calculation:
    """One calculation, drawn until its numbers are on the side that was asked for."""
    while True:
        operands = kind.draw(source)
        if is_held_out(kind.operation, operands) == held_out:
            break
    answer = kind.answer(operands)
    shown = (
        (*(FUNDS[name] for name in operands[:4]), *operands[4:]) if kind.operation == "extreme" else operands
    )
    wording = kind.questions[int(source.integers(len(kind.questions)))]
    return Calculation(
        kind.name, operands, wording.format(*shown), answer, kind.worked.format(*shown, answer=answer)
    )
