"""The ledgers of a submission: whether their chains are whole, and hold every run that refers to them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.records.ledger import GENESIS, canonical_sha256
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.submissions.layout import SUBMISSION
from flagbench.submissions.reading import Manifest
from flagbench.submissions.strict_json import parse_json
from flagbench.submissions.submission import LedgerFile

Entry = Mapping[str, Any]


class Ledger(NamedTuple):
    """The entries of a whole chain, oldest first."""

    file: str
    entries: tuple[Entry, ...]


class RunEntry(NamedTuple):
    """What a run's entry must say, by field."""

    place: tuple[str | int, ...]
    """Of the reference in `submission.json`."""
    reference: LedgerFile
    fields: Mapping[str, Any]


def read_ledger(folder: Path, claimed: LedgerFile, *, line: int) -> tuple[Ledger | None, list[Failure]]:
    """A ledger whose chain is whole and ends where the submission says, or what is wrong with it.

    Args:
        folder: of the submission.
        claimed: the file, its last hash and its number of entries.
        line: of the claim in `submission.json`.
    """
    file = claimed.file
    try:
        text = (folder / file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        return None, [failure(file, "file", found=str(error), expected="the trial ledger")]
    entries: list[Entry] = []
    previous = GENESIS
    for number, written in enumerate(text.splitlines(), 1):
        entry, failures = _checked(file, written, number=number, previous=previous)
        if entry is None:
            return None, failures
        previous = entry["sha256"]
        entries.append(entry)
    state = {"length": (len(entries), claimed.length), "head": (previous, claimed.head)}
    wrong = [
        failure(
            file, what, found=found, expected=f"{expected} ({SUBMISSION}, line {line})", line=len(entries)
        )
        for what, (found, expected) in state.items()
        if found != expected
    ]
    return (None, wrong) if wrong else (Ledger(file, tuple(entries)), [])


def _checked(
    file: str, written: str, *, number: int, previous: str
) -> tuple[dict[str, Any] | None, list[Failure]]:
    """One entry that goes on from the one before; the same rules as `flagbench.records.ledger.verify`."""
    try:
        entry = parse_json(written)
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            raise ValueError("no object with a `sha256`")
        own = canonical_sha256({name: value for name, value in entry.items() if name != "sha256"})
    except ValueError as error:
        return None, [failure(file, "entry", found=str(error), expected="a ledger entry", line=number)]
    expected = {"index": number - 1, "previous": previous, "sha256": own}
    failures = [
        failure(file, name, found=entry.get(name), expected=value, line=number)
        for name, value in expected.items()
        if entry.get(name) != value
    ]
    return (None, failures) if failures else (entry, [])


def run_failures(
    manifest: Manifest, ledgers: Mapping[str, Ledger], runs: Iterable[RunEntry]
) -> list[Failure]:
    """Every run stands in its ledger where it says, and its entry says what the run says."""
    failures: list[Failure] = []
    for run in runs:
        ledger = ledgers.get(run.reference.file)
        if ledger is None:
            continue  # the ledger's own failure says why
        line = manifest.lines.of(*run.place)
        number = run.reference.length
        entry = ledger.entries[number - 1] if number <= len(ledger.entries) else None
        if entry is None or entry["sha256"] != run.reference.head:
            found = f"{len(ledger.entries)} entries" if entry is None else entry["sha256"]
            expected = f"entry {number} with {run.reference.head} ({SUBMISSION}, line {line})"
            failures.append(
                failure(ledger.file, "entry of a run", found=found, expected=expected, line=number)
            )
            continue
        failures += [
            failure(ledger.file, name, found=found, expected=value, line=number)
            for name, value in run.fields.items()
            if not _same(found := _said(entry, name), value)
        ]
    return failures[: 5 * MOST]


def _said(entry: Entry, name: str) -> Any:
    """An entry has an agent's file with the folders before it, which nobody else can know."""
    value = entry.get(name)
    return value.rpartition("/")[2] if name == "agent" and isinstance(value, str) else value


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return abs(found - expected) <= 1e-9 * max(1.0, abs(expected))
    return bool(found == expected)
