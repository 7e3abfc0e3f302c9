"""The trial ledger: every evaluation on a test window, appended before its score is shown.

One JSON object a line. Each entry holds the hash of the one before and its own, so an edit, a dropped or a
moved line breaks the chain; a cut at the end is found through the head and length that every record
stores. What was never recorded cannot be found: a person who deletes ledger and records alike leaves no
trace, and a score of actions by `flagbench score` is no trial.
"""

import hashlib
import json
import math
import os
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock

from flagbench.errors import RecordError

GENESIS = "0" * 64
"""Stands for the hash of the entry before the first."""

BROKEN = "restore the ledger from a copy, or begin another in a new --out"

TORN = "a run was killed while it wrote this line, and no record refers to it: remove the line"


class LedgerState(NamedTuple):
    """Where a ledger stood: the hash of its last entry and the number of entries."""

    head: str
    length: int


def canonical_sha256(value: Any) -> str:
    """Hash of plain values, the same whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def append_trial(path: Path, trial: dict[str, Any]) -> LedgerState:
    """Append one trial.

    Args:
        path: the ledger; made if there is none.
        trial: plain values, without the keys `index`, `previous` and `sha256`.

    Raises:
        RecordError: the ledger is broken; nothing is appended.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        state = verify(path) if path.exists() else LedgerState(GENESIS, 0)
        entry = {"index": state.length, "previous": state.head, **trial}
        digest = canonical_sha256(entry)
        line = json.dumps({**entry, "sha256": digest}, allow_nan=False) + "\n"
        if path.exists() and path.read_bytes()[-1:] not in (b"", b"\n"):
            line = "\n" + line  # an editor may have dropped the last newline
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
    return LedgerState(digest, state.length + 1)


def verify_at_rest(path: Path) -> LedgerState:
    """`verify` while nobody else appends: a line that is half written is no broken chain.

    Raises:
        RecordError: the first line that does not fit.
    """
    with FileLock(f"{path}.lock"):
        return verify(path)


def verify(path: Path, *, expected: LedgerState | None = None) -> LedgerState:
    """Check the whole chain.

    Args:
        path: the ledger.
        expected: a state that a record stored; the ledger must hold it or go on from it.

    Raises:
        RecordError: the first line that does not fit, or a ledger that ends before `expected`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"the ledger {path} cannot be read: {error}") from error
    lines, heads = text.splitlines(), [GENESIS]
    for number, line in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        torn = number == len(lines) and not text.endswith("\n")
        heads.append(_checked(line, previous=heads[-1], index=number - 1, where=where, torn=torn))
    if expected is not None and (expected.length >= len(heads) or heads[expected.length] != expected.head):
        raise RecordError(
            f"the ledger {path} does not hold the entry {expected.length} that a record refers to",
            hint="it was cut or rewritten after that run; restore it from a copy",
        )
    return LedgerState(heads[-1], len(lines))


def read_trials(path: Path) -> list[dict[str, Any]]:
    """All entries of an intact ledger, oldest first.

    Raises:
        RecordError: the chain is broken.
    """
    verify(path)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def trial_key(entry: Mapping[str, Any]) -> str:
    """What makes two entries the same trial: agent, source, params and set-up, whatever the seed."""
    return canonical_sha256([entry.get(name) for name in ("agent", "agent_sha256", "params_sha256", "setup")])


def trial_sharpes(
    path: Path, *, asset: str, market_sha256: str, protocol_sha256: str, period: str
) -> list[float]:
    """Sharpe ratios of one bar of the distinct trials on one window, for the deflated Sharpe ratio.

    Seeds of a trial are one trial, with the mean over the seeds that have a ratio; of a seed that was run
    twice the later one counts. An entry without `sharpe_per_period`, which ledgers did not hold at first,
    and one where it is null (never traded) make their trial count in N with nan, which is left out of V,
    unless another seed of the trial has a ratio. Agents that know the future, `ranked` false, are no trials.

    Args:
        path: the ledger; without one there are no trials.
        asset: its id.
        market_sha256: of the market's content.
        protocol_sha256: `canonical_sha256` of the protocol's fields.
        period: the test window, `first:last`.

    Returns:
        one a trial, oldest first.

    Raises:
        RecordError: the chain is broken.
    """
    if not path.exists():
        return []
    window = {
        "asset": asset,
        "market_sha256": market_sha256,
        "protocol_sha256": protocol_sha256,
        "period": period,
    }
    tried: dict[str, dict[int, float]] = defaultdict(dict)
    with FileLock(f"{path}.lock"):  # another run may be in the middle of a line
        entries = read_trials(path)
    for entry in entries:
        if entry.get("ranked", True) and all(entry.get(name) == value for name, value in window.items()):
            sharpe = entry.get("sharpe_per_period")
            tried[trial_key(entry)][entry["seed"]] = math.nan if sharpe is None else float(sharpe)
    return [_mean_known(list(seeds.values())) for seeds in tried.values()]


def _mean_known(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _checked(line: str, *, previous: str, index: int, where: str, torn: bool) -> str:
    try:
        entry = json.loads(line)
        digest = entry.pop("sha256")
    except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise RecordError(f"{where}: no ledger entry", hint=TORN if torn else BROKEN) from error
    if entry.get("index") != index or entry.get("previous") != previous:
        raise RecordError(f"{where}: the chain is broken: an entry was dropped, added or moved", hint=BROKEN)
    if canonical_sha256(entry) != digest:
        raise RecordError(f"{where}: the entry was edited: its hash does not fit", hint=BROKEN)
    return str(digest)
