import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flagbench.knowledge.numeric_answers import (
    ANY_PERCENT,
    SCALES,
    TOLERANCE,
    UNITS,
    answer_number,
    is_right,
    parse_number,
    process_results,
)


@pytest.mark.parametrize(
    ("text", "value", "scale", "percent"),
    [
        ("94", 94, 1, False),
        ("$ 1,571.7", 1571.7, 1, False),
        ("US$3.2 million", 3.2, 1e6, False),
        ("€12.5 thousands", 12.5, 1e3, False),
        ("2 Billion dollars", 2, 1e9, False),
        ("-4.4%", -4.4, 1, True),
        ("−4.4 percent", -4.4, 1, True),
        ("- 35", -35, 1, False),
        ("$-0.5", -0.5, 1, False),
        ("-$0.5", -0.5, 1, False),
        ("(3.1)", -3.1, 1, False),
        ("$(0.28)", -0.28, 1, False),
        ("( 12.3 % )", -12.3, 1, True),
        ("(12.3)%", -12.3, 1, True),
        ("(see note 4", 4, 1, False),
        (".75", 0.75, 1, False),
        ("1.5e-3", 0.0015, 1, False),
        ("about 14 per cent of it", 14, 1, True),
        ("2018-2019", 2018, 1, False),
        ("the answer is 3.", 3, 1, False),
        ("12,34", 12, 1, False),
        ("1,234,567 shares", 1234567, 1, False),
        ("+7", 7, 1, False),
        ("7 millionaires", 7, 1, False),
    ],
)
def test_a_number_is_read_with_all_that_belongs_to_it(
    text: str, value: float, scale: float, percent: bool
) -> None:
    number = parse_number(text)
    assert number is not None
    assert number.value == pytest.approx(value)
    assert (number.scale, number.percent) == (scale, percent)


@pytest.mark.parametrize("text", ["", "yes", "none of them", "$", "()", "n/a %", "million"])
def test_there_may_be_none(text: str) -> None:
    assert parse_number(text) is None
    assert answer_number(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("94", 94),
        (" 5829 - 5735 = 94", 94),
        ("8.1 / 56 = 0.1446 = 14.46 %", 14.46),
        ("\n\n12\n13", 12),
        ("12 = ", None),
        ("words\n12", None),
    ],
)
def test_the_answer_is_what_its_first_line_comes_to(text: str, value: float | None) -> None:
    number = answer_number(text)
    assert (number and number.value) == value


MONEY = st.integers(-(10**12), 10**12).map(lambda cents: cents / 100)


@given(MONEY, st.sampled_from(["", "$", "€ "]), st.booleans(), st.sampled_from(["", *SCALES]), st.booleans())
def test_what_is_written_is_read_back(
    value: float, currency: str, brackets: bool, scale: str, percent: bool
) -> None:
    digits = f"{currency}{abs(value):,.2f}{'%' if percent else ''}"
    negative = f"({digits})" if brackets else f"-{digits}"
    number = parse_number(f"It is {negative if value < 0 else digits} {scale} in all")
    assert number is not None
    assert number.value == pytest.approx(value)
    assert number.scale == SCALES.get(scale, 1)
    assert number.percent == percent
    assert float(number.plain) == pytest.approx(value * number.scale)


@pytest.mark.parametrize(
    ("answer", "target", "unit", "right"),
    [
        # executed programs of FinQA: fractions and percents are the same number
        ("14.5 %", "0.14464", ANY_PERCENT, True),
        ("14.46", "0.14464", ANY_PERCENT, True),
        ("0.145", "0.14464", ANY_PERCENT, True),
        ("14 %", "0.14464", ANY_PERCENT, False),  # 3 % off: two figures are not enough
        ("-14.5 %", "0.14464", ANY_PERCENT, False),
        ("1.45", "0.14464", ANY_PERCENT, False),
        ("$ 94", "94.0", ANY_PERCENT, True),
        ("94.4", "94.0", ANY_PERCENT, True),
        ("94.5", "94.0", ANY_PERCENT, False),
        ("3.8 million", "3.8", ANY_PERCENT, True),
        ("3.8 million", "3800000.0", ANY_PERCENT, True),
        # TAT-QA: the question names the unit
        ("17.7", "17.7", "percent", True),
        ("17.7%", "17.7", "percent", True),
        ("0.177", "17.7", "percent", True),
        ("0.177%", "17.7", "percent", False),
        ("-0.1976", "-0.2", "percent", True),  # more places than the target has
        ("-0.26", "-0.2", "percent", False),
        ("273", "273", "million", True),
        ("273 million", "273", "million", True),
        ("273,000,000", "273", "million", True),
        ("0.273 billion", "273", "million", True),
        ("273 thousand", "273", "million", False),
        ("2730", "273", "million", False),
        ("3", "3", "", True),
        ("4", "3", "", False),
        ("0.03", "3", "", False),
        ("300", "3", "", False),
        ("0", "0", "", True),
        ("1", "0", "", False),
    ],
)
def test_right_and_wrong_by_hand(answer: str, target: str, unit: str, right: bool) -> None:
    number = answer_number(answer)
    assert number is not None
    assert is_right(number, target, unit=unit) == right


@given(st.floats(-1e9, 1e9), st.sampled_from(UNITS))
def test_a_target_is_right_for_itself_and_to_three_figures(target: float, unit: str) -> None:
    written = repr(target)
    for text in (written, f"{target:.3g}"):
        number = answer_number(text)
        assert number is not None
        assert is_right(number, written, unit=unit)


@given(st.floats(0.01, 1e9), st.floats(0.02, 0.5), st.booleans(), st.sampled_from(["", "million"]))
def test_what_is_further_off_is_wrong(target: float, error: float, above: bool, unit: str) -> None:
    """Far enough from a target that is written with many places, in a unit without a second reading."""
    written = f"{target:.6f}"
    answer = target * (1 + error if above else 1 - error)
    number = answer_number(f"{answer:.8f}")
    assert number is not None
    assume(math.isclose(number.value, answer, rel_tol=TOLERANCE / 10))
    assert not is_right(number, written, unit=unit)


@pytest.mark.parametrize(
    ("target", "text", "correct", "unparsed"),
    [
        ("7.0", "7 because it is", 1, 0),
        ("7.0", "8", 0, 0),
        ("7.0", "seven", 0, 1),
        ("7.0", "", 0, 1),
        ("yes", " Yes, it was.", 1, 0),
        ("yes", "no", 0, 0),
        ("no", "No", 1, 0),
        ("no", "not at all", 0, 1),
        ("yes", "12", 0, 1),
    ],
)
def test_an_item_is_scored_and_an_unread_answer_counted(
    target: str, text: str, correct: int, unparsed: int
) -> None:
    item = {"target": target, "unit": ANY_PERCENT}
    assert process_results(item, [text]) == {"acc": correct, "unparsed": unparsed}
