"""JSON of strangers: read strictly, with the line on which each value stands."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from flagbench.submissions.failure import MOST, Failure, failure

Place = tuple[str | int, ...]
"""Keys and indices from the top, as pydantic gives them."""

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]|[^\s{}\[\],:"]+')


def parse_json(text: str) -> Any:
    """Plain values that can be computed with and written again.

    NaN, infinities, numbers beyond what a machine holds, halves of letters, and keys that are there twice are
    refused.

    Raises:
        ValueError: it is no such JSON; a JSONDecodeError knows the line.
    """
    try:
        values = json.loads(
            text,
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_countable,
        )
        if "\\u" in text:  # the only way by which half a letter comes into UTF-8
            json.dumps(values, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("it holds half a letter, a surrogate without its other") from None
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key `{twice}` is there twice in one object")
    return values


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:20]} is larger than any number")
    return value


MOST_DIGITS = 19
"""Of a whole number: those of 64 bits."""


def _countable(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise ValueError(f"{digits[:20]}… is a whole number of more than {MOST_DIGITS} digits")
    return int(digits)


DEPTH = 8
"""Of the values whose lines are kept; a submission has none deeper, and a stranger's JSON may."""


class Lines:
    """On which line each value of a JSON text stands.

    Args:
        text: valid JSON.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[Place, int] | None = None

    def of(self, *place: str | int) -> int:
        """The line of a value, or of the innermost group around it that is there."""
        if self._found is None:
            self._found = dict(_places(self._text))
        while place and place not in self._found:
            place = place[:-1]
        return self._found.get(place, 1)


def _places(text: str) -> Iterator[tuple[Place, int]]:
    """Every value's place and line: a member stands where its key does, an element where it begins."""
    line = 1
    path: list[str | int] = []
    awaited = ""  # what the next piece of text begins: a key, an element, or nothing of ours
    yield (), 1
    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == "\n":
            line += 1
            continue
        if awaited == "key" and piece.startswith('"'):
            path[-1] = json.loads(piece)
        begins = (awaited == "element" and piece != "]") or (awaited == "key" and piece != "}")
        if begins and len(path) <= DEPTH:
            yield tuple(path), line
        awaited = ""
        if piece in ("{", "["):
            path.append("" if piece == "{" else 0)
            awaited = "key" if piece == "{" else "element"
        elif piece in ("}", "]"):
            path.pop()
        elif piece == ",":
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else ""
            awaited = "element" if isinstance(last, int) else "key"


def model_failures(model: type[BaseModel], values: Any, *, file: str, lines: Lines) -> list[Failure]:
    """What does not fit a model, each with its line; empty where everything fits.

    Args:
        model: what the values should be.
        values: as they were read.
        file: where from.
        lines: of that file.
    """
    try:
        model.model_validate(values)
    except ValidationError as error:
        return [
            failure(
                file,
                ".".join(str(part) for part in found["loc"]) or "the whole",
                found="nothing" if found["type"] == "missing" else found["input"],
                expected=found["msg"],
                line=lines.of(*found["loc"]),
            )
            for found in error.errors(include_url=False, include_context=False)[:MOST]
        ]
    return []
