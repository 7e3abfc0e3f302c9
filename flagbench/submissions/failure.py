"""What is wrong with a submission: where, what was found, what was expected."""

from pathlib import PurePosixPath
from typing import Any, NamedTuple

SHOWN = 120
"""Letters of a value that are shown; a submitted one may be of any length."""

MOST = 20
"""Failures of one kind in one file that are listed; a file that is wrong throughout says no more by it."""


class Failure(NamedTuple):
    """One thing that a submission has wrong."""

    file: str
    """Below the submission's folder, with `/`."""
    line: int | None
    """From 1; None where it is about the whole file."""
    what: str
    """The field or the rule."""
    found: str
    expected: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}, line {self.line}"
        return f"{place}: {self.what}: found {self.found}, expected {self.expected}"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self._asdict()


def failure(
    file: str | PurePosixPath, what: str, *, found: object, expected: object, line: int | None = None
) -> Failure:
    """A failure whose every part is cut to what can be read and holds no control characters.

    The names of files and keys are a stranger's too.
    """
    return Failure(shown(str(file)), line, shown(what), shown(found), shown(expected))


def shown(value: object) -> str:
    """A value on one line, safe for a terminal: text as it is, other values as Python writes them."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except ValueError:  # of a number with more digits than Python writes
        text = f"a {type(value).__name__} that is too long to write"
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
