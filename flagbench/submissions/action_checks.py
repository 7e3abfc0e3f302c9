"""A run's actions: one row a bar of the test window, each one of the words."""

import csv
from hashlib import sha256
from io import StringIO
from pathlib import Path

import numpy as np

from flagbench.market.price_file import DateArray
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.trading.action import NAMES
from flagbench.trading.portfolio import IntArray

WORDS = {name: int(action) for action, name in NAMES.items()}

HEADER = ["date", "action"]


def read_strictly(
    folder: Path, file: str, dates: DateArray, *, digest: str
) -> tuple[IntArray | None, list[Failure]]:
    """The n − 1 actions of a window of n bars, or every row that is wrong.

    Args:
        folder: of the submission.
        file: below it.
        dates: (n,) of the window's bars.
        digest: sha256 that the file must have.
    """
    try:
        content = (folder / file).read_bytes()
        rows = list(csv.reader(StringIO(content.decode(), newline=""), strict=True))
    except (OSError, ValueError, csv.Error) as error:
        return None, [failure(file, "file", found=str(error), expected="a CSV of date,action")]
    found = sha256(content).hexdigest()
    failures = [] if found == digest else [failure(file, "sha256", found=found, expected=digest)]
    if not rows or rows[0] != HEADER:
        header = ",".join(rows[0]) if rows else "nothing"
        return None, [*failures, failure(file, "header", found=header, expected=",".join(HEADER), line=1)]
    failures += _row_failures(file, rows[1:], dates)
    if failures:
        return None, failures[:MOST]
    return np.array([WORDS[action] for _, action in rows[1 : len(dates)]], dtype=np.int8), []


def _row_failures(file: str, rows: list[list[str]], dates: DateArray) -> list[Failure]:
    """Rows that are missing, too many, out of order, outside the window, or hold no action."""
    failures: list[Failure] = []
    decisions = len(dates) - 1
    for line, row in enumerate(rows, 2):
        index = line - 2
        expected = str(dates[index]) if index < len(dates) else "the end of the file"
        if len(row) != len(HEADER):
            failures.append(failure(file, "cells", found=len(row), expected=len(HEADER), line=line))
            break
        if row[0] != expected:
            failures.append(failure(file, "date", found=row[0], expected=expected, line=line))
            break  # every row behind one that is missing or too many stands in the wrong place
        if row[1] not in WORDS:
            failures.append(failure(file, "action", found=row[1], expected=", ".join(WORDS), line=line))
    if not failures and len(rows) < decisions:
        failures.append(
            failure(
                file,
                "end of the file",
                found=f"{len(rows)} actions",
                expected=f"{decisions}, one for each bar to {dates[decisions - 1]}",
                line=len(rows) + 1,
            )
        )
    return failures
