"""Numbers in what a model wrote: read, and compared with the right one.

Read is the first number of the answer's first line, or of what stands behind that line's last `=`. A sign, a
currency, thousands commas, brackets for a negative number, `%` and words such as `million` belong to it.
An answer without a number is unparsed, and wrong.

An answer is right when it lies within `TOLERANCE` of the target or within half a unit of the target's last
written place, whichever is wider. What counts as the same number depends on what was asked:

- unit `fraction or percent` (FinQA and ConvFinQA state neither): t, 100 t or t / 100, as Chen and others 2022
  (Program of Thoughts, arXiv 2211.12588) compare them;
- unit `percent`: the figure with or without a percent sign, or without one the fraction;
- `thousand`, `million`, `billion`: the figure in that unit, or the whole amount, with or without words;
- no unit: the number itself.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

TOLERANCE = 0.005
"""Relative. Rounding to three figures moves a number by 0.5 % at most, so such an answer is right."""

SCALES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}

ANY_PERCENT = "fraction or percent"

UNITS = ("", ANY_PERCENT, "percent", *SCALES)

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+"
_MONEY = r"(?:US)?[$€£¥]"
_NUMBER = re.compile(
    rf"(?P<bracket>\(\s*)?(?P<sign>(?<!\w)[-−–+]\s*)?(?:{_MONEY}\s*)?(?P<inner>\(\s*|[-−–]\s*)?"
    rf"(?P<digits>{_DIGITS})(?P<percent>\s*(?:%|percent\b|per cent\b))?(?P<close>\s*\))?"
    rf"(?P<late>\s*(?:%|percent\b|per cent\b))?(?P<scale>\s*(?:{'|'.join(SCALES)})s?\b)?(?P<end>\s*\))?",
    re.IGNORECASE,
)
_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE)


class Number(NamedTuple):
    """A number as it was written."""

    value: float
    """Without its scale: 3.2 for 3.2 million, 14 for 14 %."""
    scale: float
    percent: bool
    text: str
    plain: str
    """The number with its scale, as Python writes it."""


def parse_number(text: str) -> Number | None:
    """The first number in a text; None where there is none."""
    match = _NUMBER.search(text)
    if match is None:
        return None
    digits = match["digits"].replace(",", "")
    brackets = bool(match["bracket"] or "(" in (match["inner"] or "")) and bool(
        match["close"] or match["end"]
    )
    minus = any(character in "-−–" for character in (match["sign"] or "") + (match["inner"] or ""))
    sign = "-" if brackets or minus else ""
    scale = SCALES[match["scale"].strip().lower().removesuffix("s")] if match["scale"] else 1.0
    value = float(sign + digits)
    plain = sign + digits if scale == 1 else repr(value * scale)
    percent = bool(match["percent"] or match["late"])
    return Number(value, scale, percent, match[0].strip(), plain)


def answer_number(text: str) -> Number | None:
    """The number that a model's answer comes to; None where it has none."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    return parse_number(line.rpartition("=")[2])


def is_right(answer: Number, target: str, *, unit: str) -> bool:
    """Whether an answer comes to the target, by the rules above.

    Args:
        answer: from `answer_number`.
        target: the right number as it is written.
        unit: one of `UNITS`, what the target is counted in.
    """
    right = float(target)
    width = max(TOLERANCE * abs(right), 0.5 * 10.0 ** -_places(target))
    return any(abs(value - right) <= width for value in _readings(answer, unit))


def _places(target: str) -> int:
    """Decimal places that a number is written with."""
    mantissa, _, exponent = target.lower().partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def _readings(answer: Number, unit: str) -> list[float]:
    """What an answer may stand for, in the unit of the target."""
    value, whole = answer.value, answer.value * answer.scale
    if unit == ANY_PERCENT:
        return [value, value / 100, value * 100, whole]
    if unit == "percent":
        return [value] if answer.percent else [value, value * 100]
    size = SCALES.get(unit, 1.0)
    return [whole / size] if answer.scale != 1 else [value, value / size]


def process_results(item: Mapping[str, Any], results: Sequence[str]) -> dict[str, int]:
    """lm-eval's hook: the score of one item, and whether its answer could not be read."""
    target = item["target"]
    if target in ("yes", "no"):
        word = _WORD.search(results[0])
        return {"acc": int(word is not None and word[0].lower() == target), "unparsed": int(word is None)}
    number = answer_number(results[0])
    right = number is not None and is_right(number, target, unit=item["unit"])
    return {"acc": int(right), "unparsed": int(number is None)}
