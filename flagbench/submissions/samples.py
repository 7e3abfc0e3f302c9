"""What a language model answered to the items of a knowledge suite: a line an item, right answers left out.

A file is named by the sha256 of its text, so a model that answered the same twice, as before training with
every seed, has one file for both.
"""

import gzip
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from zlib import error as ZlibError  # noqa: N812 (an error of zlib's)

from pydantic import Field

from flagbench.settings import Settings
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.submissions.layout import KNOWLEDGE, MIB, samples_file
from flagbench.submissions.strict_json import Lines, model_failures, parse_json

MOST_TEXT = 64 * MIB
"""Bytes of one file's text. A bomb stops here."""


class Sample(Settings):
    """One item, asked once."""

    task: Annotated[str, Field(min_length=1, max_length=200)]
    version: Annotated[str, Field(min_length=1, max_length=50)]
    item: Annotated[str, Field(min_length=1, max_length=1000)]
    answer: Annotated[str, Field(max_length=20_000)]
    truncated: bool
    """The prompt did not fit the model's context."""


class Samples(NamedTuple):
    """A file of answers."""

    file: str
    samples: tuple[Sample, ...]


def samples_text(rows: Iterable[Mapping[str, Any]]) -> str:
    """Lines of samples from the lines of a run's `knowledge/*.jsonl`: the right answers are left out."""
    return "".join(
        json.dumps({name: row[name] for name in Sample.model_fields}, ensure_ascii=False) + "\n"
        for row in rows
    )


def write_samples(text: str, folder: Path) -> str:
    """Write a file of answers, unless it is there.

    Args:
        text: from `samples_text`.
        folder: of the submission.

    Returns:
        the sha256 that it is named by.
    """
    content = text.encode()
    digest = sha256(content).hexdigest()
    path = folder / samples_file(digest)
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(content, mtime=0))
    return digest


def read_samples(folder: Path, digest: str) -> tuple[Samples | None, list[Failure]]:
    """The answers of that sha256, or what is wrong with their file."""
    file = samples_file(digest)
    try:
        with gzip.open(folder / file) as stream:
            content = stream.read(MOST_TEXT + 1)
    except (OSError, EOFError, ZlibError) as error:
        return None, [failure(file, "file", found=str(error) or "a cut file", expected="JSON lines, gzipped")]
    if len(content) > MOST_TEXT:
        return None, [failure(file, "size", found="more", expected=f"at most {MOST_TEXT} bytes of text")]
    found = sha256(content).hexdigest()
    if found != digest:
        return None, [failure(file, "sha256 of its text", found=found, expected=digest)]
    samples: list[Sample] = []
    failures: list[Failure] = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            values = parse_json(line.decode())
        except ValueError as error:
            failures.append(failure(file, "line", found=str(error), expected="a JSON object", line=number))
            continue
        wrong = model_failures(Sample, values, file=file, lines=Lines(""))
        failures += [each._replace(line=number) for each in wrong]
        if not wrong:
            samples.append(Sample.model_validate(values))
        if len(failures) >= MOST:
            break
    return (None, failures[:MOST]) if failures else (Samples(file, tuple(samples)), [])


def has_samples(files: Iterable[str]) -> bool:
    """Whether a list of a submission's files holds answers."""
    return any(file.startswith(f"{KNOWLEDGE}/") for file in files)
