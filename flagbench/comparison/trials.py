"""What was tried on an asset and window, by the ledgers beside the runs: how many times luck had a chance.

Trials are those of `flagbench.records.ledger.trial_sharpes`, counted over all ledgers and over the pooled
windows of a walk forward. A ledger knows the actions of every trial by their hash, and the Sharpe ratio is
computed from them as for any seed.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from flagbench.comparison.entrants import Block
from flagbench.comparison.finding import SeedRun
from flagbench.comparison.replaying import play
from flagbench.errors import ConfigError, RecordError
from flagbench.market.period import Period
from flagbench.records.action_file import read_actions
from flagbench.records.ledger import canonical_sha256, read_trials, trial_key
from flagbench.scoring.sharpe import sharpe_per_period
from flagbench.trading.portfolio import IntArray

FILE = "ledger.jsonl"

Entry = Mapping[str, Any]


class Ledgers:
    """The ledgers beside runs, checked as a whole and against every run that refers to one.

    Args:
        runs: of the comparison.

    Raises:
        RecordError: a ledger is broken, or does not hold the trial that a record says it does.
    """

    def __init__(self, runs: Sequence[SeedRun]) -> None:
        self._entries: dict[Path, list[dict[str, Any]]] = {}
        self.without: list[SeedRun] = []
        """Runs with no ledger beside them."""
        for run in runs:
            path = find_ledger(run)
            if path is None:
                self.without.append(run)
                continue
            if path not in self._entries:
                self._entries[path] = read_trials(path)
            _check_entry(run, self._entries[path], path)
        self._files: dict[str, Path] | None = None

    def trial_sharpes(self, block: Block) -> tuple[float, ...] | None:
        """Sharpe ratios of one bar of the distinct trials on a block's market and windows.

        Returns:
            one a trial, the mean over its seeds; nan where its actions are gone or have none. None without
            any ledger.
        """
        if not self._entries:
            return None
        market_sha256 = block.any_part.market.sha256
        periods = {str(period) for period in block.periods}
        protocol_sha256 = canonical_sha256(block.any_part.protocol.model_dump(mode="json"))
        tried: dict[str, dict[int, dict[str, Entry]]] = defaultdict(lambda: defaultdict(dict))
        for entry in self._all():
            same = entry.get("market_sha256") == market_sha256 and entry.get("period") in periods
            if same and entry.get("protocol_sha256") == protocol_sha256 and entry.get("ranked", True):
                tried[trial_key(entry)][entry["seed"]][entry["period"]] = entry
        return tuple(self._sharpe(block, by_seed.values()) for by_seed in tried.values())

    def _all(self) -> Iterable[Entry]:
        for path in sorted(self._entries):
            yield from self._entries[path]

    def _sharpe(self, block: Block, seeds: Iterable[Mapping[str, Entry]]) -> float:
        found = [self._seed_sharpe(block, by_period) for by_period in seeds]
        known = [value for value in found if not math.isnan(value)]
        return float(np.mean(known)) if known else math.nan

    def _seed_sharpe(self, block: Block, by_period: Mapping[str, Entry]) -> float:
        """From its actions; where they are gone from what the ledger remembers, which it does by window."""
        windows: list[tuple[Period, IntArray]] = []
        for period in block.periods:
            entry = by_period.get(str(period), {})
            actions = self._actions(block, period, entry.get("actions_sha256"))
            if actions is None:
                kept = entry.get("sharpe_per_period") if len(block.periods) == 1 else None
                return math.nan if kept is None else float(kept)
            windows.append((period, actions))
        part = block.any_part
        return sharpe_per_period(play(part.market, part.protocol, windows).returns)

    def _actions(self, block: Block, period: Period, digest: str | None) -> IntArray | None:
        """Actions of a hash, if a file with them lies in a folder of a ledger."""
        if self._files is None:
            files = [file for path in self._entries for file in sorted(path.parent.rglob("actions.csv"))]
            self._files = {sha256(file.read_bytes()).hexdigest(): file for file in files}
        path = self._files.get(digest or "")
        if path is None:
            return None
        bars = block.any_part.market.bar_range(period)
        try:
            return read_actions(path, block.any_part.market.dates[bars.start : bars.stop]).actions
        except ConfigError as error:
            raise RecordError(error.message, hint=error.hint) from None


def find_ledger(run: SeedRun) -> Path | None:
    """The ledger in the nearest folder above a run's."""
    return next((above / FILE for above in run.folder.resolve().parents if (above / FILE).is_file()), None)


def _check_entry(run: SeedRun, entries: Sequence[Entry], path: Path) -> None:
    """The record's own trial stands where the record says."""
    reference = run.record.ledger
    held = entries[reference.length - 1] if 0 < reference.length <= len(entries) else None
    if held is None or held["sha256"] != reference.head:
        raise RecordError(
            f"{run.name}: `ledger.head`: {path} does not hold the entry {reference.length} that the record "
            "refers to",
            hint="the ledger was cut or rewritten after that run; restore it from a copy",
        )
    for field in ("run_id", "seed", "actions_sha256"):
        if held.get(field) != getattr(run.record, field):
            raise RecordError(
                f"{run.name}: `{field}`: the record says {getattr(run.record, field)}, its entry in {path} "
                f"has {held.get(field)}"
            )
