"""A submission's folder, read: its manifest with the lines that its values stand on, or why it cannot be."""

from pathlib import Path
from typing import NamedTuple

from flagbench.errors import RecordError
from flagbench.submissions.failure import Failure, failure
from flagbench.submissions.layout import SUBMISSION
from flagbench.submissions.strict_json import Lines, model_failures, parse_json
from flagbench.submissions.submission import SCHEMA_VERSION, Submission


class Manifest(NamedTuple):
    """`submission.json`."""

    submission: Submission
    lines: Lines


def read_submission(folder: Path) -> Submission:
    """The manifest of a submission.

    Raises:
        RecordError: it is missing, broken, or of another schema version.
    """
    manifest, failures = read_manifest(folder)
    if manifest is None:
        raise RecordError(f"{folder / SUBMISSION} is no submission: {failures[0]}")
    return manifest.submission


def read_manifest(folder: Path) -> tuple[Manifest | None, list[Failure]]:
    """The manifest, or what is wrong with it."""
    try:
        text = (folder / SUBMISSION).read_text(encoding="utf-8")
        values = parse_json(text)
    except FileNotFoundError:
        return None, [failure(SUBMISSION, "file", found="nothing", expected="a submission's manifest")]
    except (OSError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return None, [failure(SUBMISSION, "file", found=str(error), expected="JSON", line=line)]
    lines = Lines(text)
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        place = lines.of("schema_version")
        return None, [
            failure(SUBMISSION, "schema_version", found=version, expected=SCHEMA_VERSION, line=place)
        ]
    if failures := model_failures(Submission, values, file=SUBMISSION, lines=lines):
        return None, failures
    return Manifest(Submission.model_validate(values), lines), []
